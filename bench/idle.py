"""`python -m bench idle`: what viewers cost who are connected while nobody publishes.

They keep their path alive by a check every five seconds, as browsers do, and that is all. Out:
the server's share of a core, its CPU for each join without any media, its memory per viewer.
"""

import time
from dataclasses import dataclass

from rich.console import Console

from bench.crowd import Orders, orders_line
from bench.machine import describe, usage
from bench.media import started_crowd
from bench.report import Distribution, Report
from bench.server import UnderTest

VIEWERS_MAX = 2_000
ENTER_TIMEOUT_S = 30.0
SETTLE_S = 2.0
SHARE_MAX = 0.05
"""Of a core, for a thousand viewers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many viewers come, how fast, and how long is measured."""

    viewers: int
    rate_per_s: float
    seconds: float


def measure(test: UnderTest, plan: Plan, console: Console) -> Report:
    """Carry the plan out and report."""
    assert test.pid is not None
    empty = usage(test.pid)
    orders = Orders(
        test.url,
        test.room,
        test.secret,
        plan.viewers,
        plan.rate_per_s,
        ENTER_TIMEOUT_S,
        without_media=True,
    )
    with started_crowd() as crowd:
        with console.status(f"{plan.viewers} viewers are coming"):
            entered = crowd.ask(orders_line(orders))
        inside = usage(test.pid)
        with console.status(f"nothing happens for {plan.seconds:g} s"):
            time.sleep(SETTLE_S)
            before, began = usage(test.pid), time.monotonic()
            time.sleep(plan.seconds)
            after, took_s = usage(test.pid), time.monotonic() - began
    count = max(1, entered["viewers"])
    share = (after.cpu_s - before.cpu_s) / took_s
    failures = dict(entered["failures"])
    if share > SHARE_MAX * max(1.0, plan.viewers / 1_000):
        failures["too busy with nothing"] = 1
    return Report(
        name="idle",
        title=f"{plan.viewers} connected viewers, nobody publishes",
        facts={**describe(), "measured": f"{plan.seconds:g} s"},
        figures={
            "viewers in": entered["viewers"],
            "server CPU, % of a core": share * 100,
            "server CPU, ms per join": (inside.cpu_s - empty.cpu_s) / count * 1e3,
            "server memory, KiB per viewer": (after.resident_bytes - empty.resident_bytes)
            / count
            / 1024,
        },
        distributions=[Distribution("connected", "ms", tuple(entered["entered_ms"]))],
        failures=failures,
        curve="Share of viewers that were connected within",
    )
