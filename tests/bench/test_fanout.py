"""The fan-out and accept harnesses with a few viewers: everybody is counted, every server runs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.model import fit
from bench.rivals import rivals
from bench.watching import watch


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_few_viewers_watch_us_and_our_peers(tmp_path: Path) -> None:
    json_file, html_file = tmp_path / "fanout.json", tmp_path / "fanout.html"

    done = CliRunner().invoke(
        app,
        [
            *("fanout", "--viewers", "20", "--rate", "50", "--seconds", "1"),
            *("--beside", "bare", "--beside", "node"),
            *("--json", str(json_file), "--html", str(html_file)),
        ],
    )

    assert done.exit_code == 0, done.output
    found = json.loads(json_file.read_text())
    figures = found["figures"]
    counts = {one["name"]: one["count"] for one in found["distributions"]}
    assert counts["liveroom, money"] >= 20 * 5
    assert counts["liveroom, text"] >= 20 * 10
    assert figures["frames delivered"] < figures["messages delivered"]
    assert {f"liveroom, {kind}" for kind in ("state", "ambient", "cue")} <= set(counts)
    assert figures["connections lost"] == figures["durable events out of order"] == 0
    assert figures["viewers with every durable event"] == 20
    for peer in ("bare", "node"):
        assert figures[f"{peer}, same frames: CPU per frame, µs"] > 0
        assert figures[f"{peer}, each alone: its CPU per message against ours"] > 0
    assert "per_viewer" in done.output
    assert "fitted at 5 and 10 viewers" in done.output
    assert "<svg" in html_file.read_text()


@pytest.mark.slow
def test_every_text_can_be_shown() -> None:
    order = {"do": "send", "rate": 100, "gifts": 5, "seconds": 1, "every_text": True}
    outcome = watch("liveroom", 5, order)
    offered = outcome.server["text"] + outcome.server["money"]
    assert outcome.messages == pytest.approx(5 * offered, rel=0.02)
    # A frame of counters may come between the viewers' count and the server's.
    assert 0 <= outcome.viewers["frames"] - outcome.server["frames"] <= 2 * 5


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_flood_loses_nothing_durable_and_says_what_was_promised(tmp_path: Path) -> None:
    json_file = tmp_path / "overload.json"
    arguments = ["overload", "--viewers", "50", "--seconds", "1", "--json", str(json_file)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    figures = json.loads(json_file.read_text())["figures"]
    assert figures["overload: viewers without every durable event in order"] == 0
    assert figures["overload: texts offered per second"] > 1_500
    assert figures["overload: messages shown per viewer and second"] < 100
    for promise in ("busy: money p99", "busy: text p99", "overload: loop lag p99.9"):
        assert promise in done.output


def test_the_model_finds_its_constants_and_says_what_ends_first() -> None:
    constants = {"frames_per_s": 12.0, "frame_bytes": 500, "kib_per_viewer": 16.0}
    model = fit((250, 0.02 + 250 * 1e-4), (500, 0.02 + 500 * 1e-4), **constants)
    assert model.fixed == pytest.approx(0.02)
    assert model.share(1_000) == pytest.approx(0.12)
    assert model.limits()["the CPU of a core"] == pytest.approx(6_800, abs=1)
    assert model.limits()["the time of a sweep"] == pytest.approx(6_000, abs=1)
    text = "\n".join(model.lines())
    assert "the time of a sweep ends it first" in text
    assert "1,000,000 viewers of one room: 167 processes" in text


@pytest.mark.slow
def test_a_few_viewers_come_in(tmp_path: Path) -> None:
    json_file = tmp_path / "accept.json"
    done = CliRunner().invoke(app, ["accept", "--viewers", "20", "--json", str(json_file)])
    assert done.exit_code == 0, done.output
    found = json.loads(json_file.read_text())
    assert [one["count"] for one in found["distributions"]] == [20, 20]
    assert found["figures"]["joins per second and core of CPU"] > 0


def test_what_is_not_installed_says_how_to_get_it() -> None:
    assert [rival.name for rival in rivals()] == ["bare", "broadcast", "node", "bun", "nchan"]
    assert all(rival.why_not is None or "install" in rival.why_not for rival in rivals())


@pytest.mark.parametrize(
    "arguments",
    [
        ["fanout", "--viewers", "1000000"],
        ["fanout", "--rate", "0"],
        ["fanout", "--beside", "nobody"],
        ["accept", "-1"],
        ["overload", "--rate", "1"],
    ],
)
def test_a_run_is_bounded(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2
