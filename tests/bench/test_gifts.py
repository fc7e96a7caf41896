"""The gift bench: real stores, every acknowledged gift checked, the bare loops beside them."""

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.__main__ import app
from bench.gifts import GiftsFailed, Measured, Plan, _check, _Run, measure, report


@pytest.mark.slow
def test_gifts_are_measured_on_both_stores_beside_their_bare_loops(tmp_path: Path) -> None:
    json_file, html_file = tmp_path / "gifts.json", tmp_path / "gifts.html"

    done = CliRunner().invoke(
        app,
        [
            *("gifts", "--seconds", "0.5", "--clients", "5"),
            *("--json", str(json_file), "--html", str(html_file)),
        ],
    )

    assert done.exit_code == 0, done.output
    found = json.loads(json_file.read_text())
    figures = found["figures"]
    assert found["failures"] == {}
    for store, driver in (("SQLite", "sqlite3"), ("PostgreSQL", "asyncpg")):
        assert figures[f"{store}: gifts acknowledged per second"] > 10
        assert 1 <= figures[f"{store}: gifts per transaction"] <= 5
        for loop in ("SQLAlchemy Core", driver):
            assert figures[f"{store}: bare loop, {loop}, per second"] > 10
            assert figures[f"{store}: share of the bare loop, {loop}"] > 0
    assert all(one["count"] > 5 for one in found["distributions"])
    assert "<svg" in html_file.read_text()


async def test_a_measurement_holds_the_room_against_the_receipts(tmp_path: Path) -> None:
    plan = Plan(clients=3, seconds=0.2)

    found = await measure("SQLite", f"sqlite:///{tmp_path}/g.db", plan, bare=False)

    assert len(found.answered_ms) == len(found.heard_ms) > 0
    assert found.failures == {}


@pytest.mark.parametrize(
    ("given", "heard", "fault"),
    [
        ([1, 2], [1, 2], None),
        ([1, 1], [1], "one number"),
        ([1, 2], [2, 1], "out of order"),
        ([1, 2], [1, 2, 2], "twice"),
        ([1, 2], [1], "never reached"),
    ],
)
def test_a_gift_that_is_lost_doubled_or_late_fails_the_run(
    given: list[int], heard: list[int], fault: str | None
) -> None:
    run = _Run(given=[(n, 0.0, 1.0) for n in given], heard=dict.fromkeys(heard, 1.0), order=heard)
    if fault is None:
        _check(run)
        return
    with pytest.raises(GiftsFailed, match=fault):
        _check(run)


def test_the_report_sets_each_store_beside_its_bare_loops() -> None:
    one = Measured(
        name="SQLite", took_s=2.0, group=4, answered_ms=(1.0,) * 8, heard_ms=(2.0,) * 8,
        bare={"sqlite3": 8.0}, failures=Counter(unavailable=1),
    )  # fmt: skip

    found = report(Plan(clients=4, seconds=2), [one])

    assert found.figures["SQLite: gifts acknowledged per second"] == 4
    assert found.figures["SQLite: share of the bare loop, sqlite3"] == 0.5
    assert found.failures == {"SQLite: unavailable": 1}


@pytest.mark.parametrize("arguments", [["--clients", "0"], ["--seconds", "0"], ["--clients", "x"]])
def test_a_run_is_bounded(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["gifts", *arguments]).exit_code == 2


def test_a_store_that_cannot_be_opened_is_named() -> None:
    done = CliRunner().invoke(app, ["gifts", "--store", "mysql://x/y", "--seconds", "0.2"])

    assert done.exit_code == 1
    assert "A store is" in done.output
