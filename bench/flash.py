"""`python -m bench flash`: a crowd comes into a room where others already watch.

In: how many are in, how many come within how many seconds. Out: who did not get in and why,
how long the others took to their first packet, and the longest time that any viewer who was
already in got nothing.
"""

from dataclasses import dataclass

from rich.console import Console

from bench.crowd import Orders, orders_line
from bench.machine import describe, usage
from bench.media import started_crowd
from bench.report import Distribution, Report
from bench.server import UnderTest

VIEWERS_MAX = 2_000
ENTER_TIMEOUT_S = 30.0
EARLY_RATE_PER_S = 20.0
GAP_S_MAX = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many are already in, how many come, and within which time."""

    early: int
    viewers: int
    seconds: float


def measure(test: UnderTest, plan: Plan, console: Console) -> Report:
    """Carry the plan out and report."""
    assert test.pid is not None
    rate = plan.viewers / plan.seconds
    with started_crowd() as early, started_crowd() as late:
        with console.status(f"{plan.early} viewers are coming"):
            first = early.ask(orders_line(_orders(test, plan.early, EARLY_RATE_PER_S)))
        early.ask("count")
        before = usage(test.pid)
        with console.status(f"{plan.viewers} more are coming in {plan.seconds:g} s"):
            entered = late.ask(orders_line(_orders(test, plan.viewers, rate, prefix="late")))
        after = usage(test.pid)
        gap_s = early.ask("count")["gap_s"]
    failures = dict(entered["failures"])
    for reason, count in first["failures"].items():
        failures[reason] = failures.get(reason, 0) + count
    if gap_s > GAP_S_MAX:
        failures[f"somebody who was in got nothing for more than {GAP_S_MAX * 1e3:g} ms"] = 1
    return Report(
        name="flash",
        title=f"{plan.viewers} viewers come in {plan.seconds:g} s, {plan.early} are in",
        facts={**describe(), "already in": str(first["viewers"])},
        figures={
            "viewers in": entered["viewers"],
            "failures": sum(entered["failures"].values()),
            "longest gap of those already in, ms": gap_s * 1e3,
            "server CPU, ms per join, forwarding to all included": (after.cpu_s - before.cpu_s)
            / max(1, plan.viewers)
            * 1e3,
        },
        distributions=[Distribution("first RTP packet", "ms", tuple(entered["entered_ms"]))],
        failures=failures,
    )


def _orders(test: UnderTest, viewers: int, rate: float, prefix: str = "crowd") -> Orders:
    return Orders(test.url, test.room, test.secret, viewers, rate, ENTER_TIMEOUT_S, prefix=prefix)
