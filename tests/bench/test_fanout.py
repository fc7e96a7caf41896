"""The fan-out and accept harnesses with a few viewers: everybody is counted, every server runs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.fanout import has_node, watch


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_few_viewers_watch_us_and_our_peers(tmp_path: Path) -> None:
    json_file, html_file = tmp_path / "fanout.json", tmp_path / "fanout.html"

    done = CliRunner().invoke(
        app,
        [
            *("fanout", "--viewers", "20", "--rate", "50", "--seconds", "1"),
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
    assert figures["connections lost"] == 0
    for peer in ("bare", "broadcast", *(["node"] if has_node() else [])):
        assert figures[f"{peer}, same frames: CPU per frame, µs"] > 0
        assert figures[f"{peer}, each alone: its CPU per message against ours"] > 0
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
def test_a_few_viewers_come_in(tmp_path: Path) -> None:
    json_file = tmp_path / "accept.json"
    done = CliRunner().invoke(app, ["accept", "--viewers", "20", "--json", str(json_file)])
    assert done.exit_code == 0, done.output
    found = json.loads(json_file.read_text())
    assert [one["count"] for one in found["distributions"]] == [20, 20]
    assert found["figures"]["joins per second and core of CPU"] > 0


@pytest.mark.parametrize(
    "arguments", [["fanout", "--viewers", "1000000"], ["fanout", "--rate", "0"], ["accept", "-1"]]
)
def test_a_run_is_bounded(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2
