"""Addresses of brokers: what is understood, and what is said about the rest."""

import pytest

from liveroom.bus.address import BusAddress, Kind, Server, parse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("redis://h", BusAddress(kind=Kind.SINGLE, servers=(Server("h", 6379),))),
        (
            "redis://u:p%40ss@h:1/2?tls=1&prefix=shop",
            BusAddress(
                kind=Kind.SINGLE,
                servers=(Server("h", 1),),
                database=2,
                user="u",
                password="p@ss",
                tls=True,
                prefix="shop",
            ),
        ),
        (
            "redis+sentinel://:secret@a,b:7,[::1]:8/live/3",
            BusAddress(
                kind=Kind.SENTINEL,
                servers=(Server("a", 26379), Server("b", 7), Server("::1", 8)),
                master="live",
                database=3,
                password="secret",
            ),
        ),
        (
            "redis+cluster://a:1,b:2",
            BusAddress(kind=Kind.CLUSTER, servers=(Server("a", 1), Server("b", 2))),
        ),
    ],
)
def test_addresses_are_taken_apart(text: str, wanted: BusAddress) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kafka://h", "redis://"),
        ("redis", "redis://"),
        ("redis://", "name the host"),
        ("redis://a,b", "name the host"),
        ("redis://h:x", "HOST:PORT"),
        ("redis://h:70000", "HOST:PORT"),
        ("redis://h/x", "number of a database"),
        ("redis://h?timeout=5", "timeout"),
        ("redis+sentinel://h", "Sentinel's master"),
        ("redis+cluster://h/1", "no database"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(text)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in str(parse("redis+sentinel://:secret@a/live"))
