"""`python -m bench accept`: how many viewers a second come in by websocket.

Each does the handshake, says hello with a signed token, and gets a welcome made from the
store's card and snapshot; nobody leaves. The viewers are a process of their own on loopback.
"""

import time

from rich.console import Console

from bench.machine import describe
from bench.report import Distribution, Report
from bench.watching import Outcome, watch


def measure(viewers: int, console: Console) -> Report:
    """Let everybody come as fast as they can, and report."""
    with console.status(f"{viewers} viewers come in"):
        started = time.monotonic()
        outcome = watch("liveroom", viewers, {"do": "idle", "seconds": 1.0})
        took_s = time.monotonic() - started
    return _report(viewers, outcome, took_s)


def _report(viewers: int, outcome: Outcome, took_s: float) -> Report:
    steps = outcome.viewers["steps_ms"]
    return Report(
        name="accept",
        title=f"{viewers} viewers coming in at once",
        facts={**describe(), "run": f"{took_s:.1f} s"},
        figures={
            "viewers": viewers,
            "joins per second": viewers / outcome.entered_s,
            "joins per second and core of CPU": viewers / outcome.entering_cpu_s,
            "CPU per join, ms": outcome.entering_cpu_s / viewers * 1e3,
            "memory per idle viewer, KiB": outcome.kib_per_viewer,
            "CPU with everybody idle, share of a core": outcome.server["cpu_s"]
            / outcome.server["took_s"],
            "connections lost": outcome.viewers["lost"],
        },
        distributions=[
            Distribution("handshake", "ms", tuple(steps["handshake"])),
            Distribution("hello to welcome", "ms", tuple(steps["welcome"])),
        ],
    )
