"""Where a session's packets go: learned from genuine checks, moved by the rules, never more."""

import pytest

from sfu.control.ice import (
    ADDRESSES_MAX,
    KNOWN_SILENT_S,
    MOVE_INTERVAL_S,
    SILENT_S,
    Credentials,
    Ice,
)
from sfu.packet.stun import parse_request, write_request

OURS = Credentials("ours", "o" * 32)
A, B, C = ("192.0.2.1", 1), ("192.0.2.2", 2), ("192.0.2.3", 3)


@pytest.fixture
def ice() -> Ice:
    return Ice(OURS, "theirs")


def authenticate(ice: Ice, username: str, password: str) -> str | None:
    data = write_request(bytes(12), username=username, password=password, priority=1, controlling=1)
    request = parse_request(data)
    assert request is not None
    return ice.authenticate(request, data)


def test_a_genuine_check_is_recognised(ice: Ice) -> None:
    assert authenticate(ice, "ours:theirs", OURS.pwd) == OURS.pwd


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ours:theirs", "x" * 32),
        ("ours:other", OURS.pwd),
        ("other:theirs", OURS.pwd),
        ("ours", OURS.pwd),
        ("ours:theirs:more", OURS.pwd),
    ],
)
def test_other_checks_are_not(ice: Ice, username: str, password: str) -> None:
    assert authenticate(ice, username, password) is None


def test_the_first_check_sets_the_address(ice: Ice) -> None:
    ice.learn(A, nominated=False, now=0)
    assert ice.address == A


def test_a_nominating_check_moves_at_once(ice: Ice) -> None:
    ice.learn(A, nominated=True, now=0)
    ice.learn(B, nominated=True, now=0.01)
    assert ice.address == B


def test_a_plain_check_moves_only_from_a_silent_address(ice: Ice) -> None:
    ice.learn(A, nominated=True, now=0)
    ice.learn(B, nominated=False, now=SILENT_S - 0.01)
    assert ice.address == A
    ice.learn(C, nominated=False, now=SILENT_S)
    assert ice.address == C


def test_a_spare_path_probed_now_and_then_does_not_steal_a_quiet_viewer(ice: Ice) -> None:
    ice.learn(A, nominated=True, now=0)
    ice.learn(B, nominated=False, now=0.1)
    ice.learn(B, nominated=False, now=2)
    assert ice.address == A
    ice.learn(B, nominated=False, now=KNOWN_SILENT_S)
    assert ice.address == B


def test_media_keeps_an_address_fresh_but_teaches_none(ice: Ice) -> None:
    ice.learn(A, nominated=True, now=0)
    ice.heard(A, now=10)
    ice.heard(C, now=10)
    assert not ice.knows(C)
    ice.learn(B, nominated=False, now=10 + SILENT_S / 2)
    assert ice.address == A


def test_one_move_a_second(ice: Ice) -> None:
    ice.learn(A, nominated=True, now=0)
    ice.learn(B, nominated=True, now=1)
    ice.learn(C, nominated=True, now=1.5)
    assert ice.address == B
    ice.learn(C, nominated=True, now=1 + MOVE_INTERVAL_S)
    assert ice.address == C


def test_addresses_are_bounded_and_the_one_in_use_stays(ice: Ice) -> None:
    ice.learn(A, nominated=True, now=0)
    forgotten = [
        ice.learn(("192.0.2.9", port), nominated=False, now=0.001 * port) for port in range(1, 9)
    ]
    assert len(ice.addresses) == ADDRESSES_MAX
    assert ice.address == A
    assert sum(len(gone) for gone in forgotten) == 9 - ADDRESSES_MAX


def test_a_restart_keeps_the_old_credentials_until_the_new_are_used(ice: Ice) -> None:
    fresh = Credentials("fresh", "f" * 32)
    ice.restart(fresh, "again")
    assert authenticate(ice, "ours:theirs", OURS.pwd) == OURS.pwd
    assert authenticate(ice, "fresh:theirs", fresh.pwd) is None
    assert authenticate(ice, "fresh:again", fresh.pwd) == fresh.pwd
    assert authenticate(ice, "ours:theirs", OURS.pwd) is None


def test_an_address_given_up_is_no_longer_used(ice: Ice) -> None:
    ice.learn(A, nominated=True, now=0)
    ice.forget(A)
    assert ice.address is None
    assert ice.addresses == ()
