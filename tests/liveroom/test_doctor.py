"""The doctor sees what is wrong, says what to do, and exits 1 only when it is fatal."""

import socket
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from liveroom import doctor
from liveroom.config import Address, Config
from liveroom.doctor import Verdict, examine, has_wal_reset_bug
from tests.redis import redis_server


@pytest.fixture
def config(tmp_path: Path) -> Config:
    nowhere = Address("127.0.0.1", 0)
    return Config(
        http=nowhere,
        gateway=nowhere,
        media=nowhere,
        store=f"sqlite:///{tmp_path / 'liveroom.db'}",
        secret="s" * 32,
    )


def _by_subject(config: Config) -> dict[str, doctor.Finding]:
    return {finding.subject: finding for finding in examine(config)}


def test_a_sound_machine_is_not_fatal(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run(config) == 0

    shown = capsys.readouterr().out
    for subject in ("HTTP", "gateway", "media", "segmentation", "buffers", "native", "SQLite"):
        assert subject in shown


@pytest.mark.parametrize(
    ("setting", "kind", "subject"),
    [
        ("http", socket.SOCK_STREAM, "HTTP TCP"),
        ("gateway", socket.SOCK_STREAM, "gateway TCP"),
        ("media", socket.SOCK_DGRAM, "media UDP"),
    ],
)
def test_a_taken_port_is_fatal_and_named(
    tmp_path: Path, setting: str, kind: socket.SocketKind, subject: str
) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        free = Address("127.0.0.1", 0)
        addresses = {"http": free, "gateway": free, "media": free}
        addresses[setting] = Address("127.0.0.1", port)
        config = Config(
            http=addresses["http"],
            gateway=addresses["gateway"],
            media=addresses["media"],
            store=f"sqlite:///{tmp_path / 'x.db'}",
        )

        finding = _by_subject(config)[subject]
        code = doctor.run(config)

    assert finding.verdict is Verdict.FATAL
    assert str(port) in finding.seen
    assert f"--{setting}" in finding.advice
    assert code == 1


@pytest.mark.parametrize(
    ("version", "has_it"),
    [
        ((3, 6, 23), False),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_sqlite_versions_with_the_wal_reset_bug_are_known(
    version: tuple[int, int, int], has_it: bool
) -> None:
    assert has_wal_reset_bug(version) is has_it


def test_the_linked_sqlite_is_named(config: Config) -> None:
    assert sqlite3.sqlite_version in _by_subject(config)["SQLite"].seen


def test_a_store_in_a_folder_that_is_not_there_is_fatal() -> None:
    nowhere = Address("127.0.0.1", 0)
    config = Config(
        http=nowhere, gateway=nowhere, media=nowhere, store="sqlite:////nowhere/at/all.db"
    )

    assert _by_subject(config)["store"].verdict is Verdict.FATAL
    assert doctor.run(config) == 1


def test_a_broken_store_file_is_fatal(config: Config) -> None:
    Path(config.store.removeprefix("sqlite:///")).write_bytes(b"this is no database" * 100)

    assert _by_subject(config)["store"].verdict is Verdict.FATAL


def test_a_postgresql_that_does_not_answer_is_fatal() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    nowhere = Address("127.0.0.1", 0)
    config = Config(
        http=nowhere, gateway=nowhere, media=nowhere, store=f"postgresql://x@127.0.0.1:{port}/x"
    )

    assert _by_subject(config)["store"].verdict is Verdict.FATAL


def test_a_clock_of_long_ago_is_fatal() -> None:
    assert doctor.clock(0.0).verdict is Verdict.FATAL
    assert doctor.clock(1_790_000_000.0).verdict is Verdict.GOOD


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [(1_024, Verdict.WARNING), (10_000, Verdict.NOTE), (100_000, Verdict.GOOD)],
)
def test_few_open_files_are_said(limit: int, verdict: Verdict) -> None:
    assert doctor.open_files(limit).verdict is verdict


def test_missing_keys_are_said(tmp_path: Path) -> None:
    config = Config(store=f"sqlite:///{tmp_path / 'x.db'}")

    assert "LIVEROOM_SECRET" in _by_subject(config)["token keys"].advice


def test_every_finding_that_is_not_good_says_what_to_do(tmp_path: Path) -> None:
    config = Config(store=f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}")

    for finding in examine(config):
        assert finding.verdict is Verdict.GOOD or finding.advice, finding


def test_it_says_which_fan_out_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFU_FANOUT", "python")
    assert doctor.native_fast_path().verdict is doctor.Verdict.NOTE
    assert "SFU_FANOUT" in doctor.native_fast_path().seen
    monkeypatch.setattr(doctor, "fanout_obstacle", lambda: None)
    assert doctor.native_fast_path().verdict is doctor.Verdict.GOOD


def test_a_bus_that_answers_is_named_with_its_version(config: Config) -> None:
    with redis_server() as server:
        finding = _by_subject(replace(config, bus=server.url))["bus"]

    assert finding.verdict is Verdict.GOOD
    assert "Redis 7" in finding.seen


def test_a_bus_that_does_not_answer_is_fatal(config: Config) -> None:
    finding = _by_subject(replace(config, bus="redis://127.0.0.1:1"))["bus"]

    assert finding.verdict is Verdict.FATAL
    assert "--bus" in finding.advice
