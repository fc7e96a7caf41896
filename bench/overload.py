"""`python -m bench overload`: a busy room, then ten times as much, beside what was promised.

Texts are offered at a tenth and at all of the rate, gifts at their own pace; then at a tenth
again while every tenth viewer never reads. Everybody's durable events are counted: each who reads
must get all of them, once, in order. Goals are printed beside what was seen; only a lost or
disordered durable event fails the run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.machine import describe
from bench.report import Distribution, Report
from bench.watching import Outcome, watch

VIEWERS = 2_000
RATE = 2_000.0
"""Danmaku offered a second in the overload; a busy room has a tenth."""
GIFTS_PER_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many watch, what is offered a second, and for how long."""

    viewers: int = VIEWERS
    rate: float = RATE
    seconds: float = 10.0
    gifts: int = GIFTS_PER_S


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure, what was promised, and the unit."""

    name: str
    seen: float
    most: float
    unit: str = "ms"

    @property
    def is_met(self) -> bool:
        """Whether the promise was kept."""
        return self.seen <= self.most


def measure(plan: Plan, console: Console) -> Report:
    """Run both, and report."""
    seen: dict[str, Outcome] = {}
    deaf = plan.viewers // 10
    phases = (
        ("busy", plan.rate / 10, 0),
        ("deaf", plan.rate / 10, deaf),
        ("overload", plan.rate, 0),
    )
    for name, rate, never_read in phases:
        with console.status(f"{name}: {rate:g} texts a second to {plan.viewers} viewers"):
            order = {"do": "send", "rate": rate, "gifts": plan.gifts, "seconds": plan.seconds}
            order |= {"every_text": False, "others": True}
            seen[name] = watch("liveroom", plan.viewers, order, deaf=never_read)
    goals = [
        Goal("busy: money p99", _p(seen["busy"], "money"), 50),
        Goal("busy: text p99", _p(seen["busy"], "text"), 250),
        Goal(
            "deaf: the others' money p99",
            _p(seen["deaf"], "money"),
            round(1.1 * _p(seen["busy"], "money"), 1),
        ),
        Goal(
            "deaf: memory of each",
            (seen["deaf"].grown_kib - seen["busy"].grown_kib) / max(1, deaf),
            256,
            "KiB",
        ),
        Goal("overload: money p99", _p(seen["overload"], "money"), 200),
        Goal("overload: loop lag p99.9", seen["overload"].server["lag_ms"], 50),
        *_complete(plan, seen),
    ]
    _show(goals, console)
    return _report(plan, seen, goals)


def _complete(plan: Plan, seen: Mapping[str, Outcome]) -> Iterator[Goal]:
    for name, outcome in seen.items():
        missing = outcome.viewers["incomplete"] + outcome.viewers["broken"]
        yield Goal(f"{name}: viewers without every durable event in order", missing, 0, "")


def _p(outcome: Outcome, kind: str, percent: float = 99) -> float:
    return float(np.percentile(outcome.viewers["delays_ms"][kind], percent))


def _show(goals: list[Goal], console: Console) -> None:
    table = Table("promise", "seen", "goal", "", title_justify="left")
    for goal in goals:
        verdict = "met" if goal.is_met else "MISSED"
        table.add_row(
            goal.name, f"{goal.seen:,.1f} {goal.unit}", f"≤ {goal.most:g} {goal.unit}", verdict
        )
    console.print(table)


def _report(plan: Plan, seen: Mapping[str, Outcome], goals: list[Goal]) -> Report:
    figures: dict[str, float | int | None] = {goal.name: goal.seen for goal in goals}
    plots = []
    for name, outcome in seen.items():
        shown = outcome.messages / plan.viewers / plan.seconds
        figures |= {
            f"{name}: texts offered per second": outcome.server["text"] / plan.seconds,
            f"{name}: messages shown per viewer and second": shown,
            f"{name}: frames per viewer and second": outcome.frames_per_viewer / plan.seconds,
            f"{name}: CPU, share of a core": outcome.server["cpu_s"] / outcome.server["took_s"],
            f"{name}: loop lag p99.9, ms": outcome.server["lag_ms"],
            f"{name}: connections lost": outcome.viewers["lost"],
        }
        delays = outcome.viewers["delays_ms"]
        plots += [Distribution(f"{name}, {kind}", "ms", tuple(delays[kind])) for kind in delays]
    return Report(
        name="overload",
        title=f"{plan.viewers} viewers, {plan.rate / 10:g} and {plan.rate:g} texts a second",
        facts={**describe(), "sending": f"{plan.seconds:g} s"},
        figures=figures,
        distributions=plots,
        failures={goal.name: int(goal.seen) for goal in goals if not goal.unit and not goal.is_met},
    )
