"""The load harness against a server of its own: everybody gets in and every step is timed."""

import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bench.__main__ import app
from bench.join import Plan, measure
from bench.light import STEPS
from bench.server import UnderTest
from tests.server import free_port


@pytest.mark.slow
def test_three_viewers_get_in_and_every_step_is_reported(tmp_path: Path) -> None:
    json_file, html_file = tmp_path / "join.json", tmp_path / "join.html"

    done = CliRunner().invoke(
        app,
        [
            *("join", "--viewers", "3", "--rate", "5", "--hold", "1", "--sample", "3"),
            *("--json", str(json_file), "--html", str(html_file)),
        ],
    )

    assert done.exit_code == 0, done.output
    found = json.loads(json_file.read_text())
    counts = {one["name"]: one["count"] for one in found["distributions"]}
    assert len(counts) == len(STEPS)
    assert counts["first RTP packet"] == 3
    assert counts["first decoded frame"] == 1
    assert counts["hello to welcome"] == 3
    assert found["figures"]["failures"] == 0
    assert found["figures"]["packets delivered per second"] > 50
    assert found["figures"]["server CPU, µs per delivered packet"] > 0
    assert found["figures"]["bare sendto, µs CPU per packet"] > 0
    assert "<svg" in html_file.read_text()


async def test_a_server_that_is_not_there_is_a_failure_with_a_reason() -> None:
    test = UnderTest(f"http://127.0.0.1:{free_port()}", "nowhere", None)
    plan = Plan(viewers=2, rate_per_s=100, hold_s=0, timeout_s=2)

    report = await measure(test, plan, Console(quiet=True))

    assert report.failures == {"http: ConnectError": 2}
    assert report.figures["viewers in"] == 0


@pytest.mark.parametrize("arguments", [["--viewers", "100000"], ["--rate", "0"], ["--url", "x"]])
def test_a_run_is_bounded(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["join", *arguments]).exit_code == 2
