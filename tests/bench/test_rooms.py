"""The benches of whole rooms: bad paths, a crowd at once, a quiet crowd; each a small run."""

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.hostile import datagrams
from bench.loss import Outcome
from sfu.packet.demux import Kind, demux


@pytest.fixture
def run(tmp_path: Path):  # type: ignore[no-untyped-def]
    def invoke(*arguments: str):  # type: ignore[no-untyped-def]
        json_file = tmp_path / "found.json"
        done = CliRunner().invoke(app, [*arguments, "--json", str(json_file)])
        return done, json.loads(json_file.read_text()) if json_file.is_file() else None

    return invoke


@pytest.mark.slow
def test_viewers_behind_a_bad_path_are_repaired_in_time(run) -> None:  # type: ignore[no-untyped-def]
    done, found = run("loss", "--loss", "10", "--viewers", "2", "--seconds", "3", "--pps", "200")

    figures = found["figures"]
    assert figures["10% each way: packets sent"] > 600, done.output
    # On a busy machine some of the 400 ms are the machine's.
    assert figures["10% each way: % in time"] > 95
    assert figures["10% each way: % ever"] > 99
    assert figures["10% each way: % asked for again"] > 8
    assert found["lines"][0]["series"]["in time"][0][0] == 10


@pytest.mark.slow
def test_a_crowd_comes_in_and_the_gap_of_the_others_is_measured(run) -> None:  # type: ignore[no-untyped-def]
    done, found = run("flash", "--viewers", "5", "--seconds", "1", "--early", "2")

    assert found["figures"]["viewers in"] == 5, done.output
    assert found["figures"]["failures"] == 0
    assert found["figures"]["longest gap of those already in, ms"] > 0
    assert len(found["distributions"][0]["values"]) == 5


@pytest.mark.slow
def test_connected_viewers_of_nobody_are_counted_and_weighed(run) -> None:  # type: ignore[no-untyped-def]
    done, found = run("idle", "--viewers", "3", "--seconds", "1")

    assert done.exit_code == 0, done.output
    assert found["figures"]["viewers in"] == 3
    assert found["figures"]["server CPU, ms per join"] > 0


@pytest.mark.slow
def test_strangers_are_counted_and_hear_nothing(run) -> None:  # type: ignore[no-untyped-def]
    done, found = run(
        *("hostile", "--viewers", "2", "--sources", "20", "--rate", "2000", "--seconds", "1")
    )

    figures = found["figures"]
    assert figures["datagrams sent by strangers"] > 500, done.output
    assert figures["answers to them"] == 0
    assert figures["delivered a second under it"] > 300
    assert figures["forward p99 under it, ms"] > 0


def test_strangers_send_every_kind() -> None:
    kinds = Counter(demux(one) for one in datagrams(Random(1), 1_000))

    assert min(kinds[kind] for kind in Kind) >= 100


def test_what_came_too_late_or_never_is_not_in_time() -> None:
    found = Outcome((10.0, 400.0, 401.0), sent=4, keyframes_per_s=0.0, asked=2, failures={})

    assert found.in_time == 0.5


@pytest.mark.parametrize(
    "arguments", [["loss", "--loss", "60"], ["flash", "--viewers", "0"], ["idle", "--rate", "0"]]
)
def test_a_run_is_bounded(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2
