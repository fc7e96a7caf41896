"""`python -m bench loss`: what arrives in time over paths that lose, delay and reorder, both ways.

Repairing viewers stand behind a relay that treats every datagram as `bench.path` says, by a
seed, towards the server and back. Out: which share of the host's packets was there within
400 ms of their sending, and how often the host was asked for a key frame.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx
from rich.console import Console

from bench.light import EntryFailed, Factory
from bench.lines import Lines
from bench.machine import describe
from bench.media import read_samples
from bench.path import issue_quality
from bench.relay import Relay
from bench.repairing import RepairingViewer
from bench.report import Distribution, Report
from bench.server import UnderTest

VIEWERS_MAX = 40
"""All of them, and the relay, share one process."""
IN_TIME_S = 0.4
GOALS = {0.05: 0.999, 0.1: 0.995, 0.2: 0.98}
"""Loss each way, and the least share in time."""
KEYFRAMES_PER_S_MAX = 1.0
ENTER_TIMEOUT_S = 30.0
"""Handshakes are lost, too, and OpenSSL waits a second before it tries again."""
SETTLE_S = 2.0
LATE_S = 1.5
"""After the last packet that counts, for what is still being repaired."""
ASKED = "liveroom_media_keyframes_asked_total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which losses, how many viewers, how long each, and the chance of it all."""

    losses: Sequence[float]
    viewers: int
    seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one loss."""

    delays_ms: tuple[float, ...]
    sent: int
    keyframes_per_s: float
    asked: int
    failures: Mapping[str, int]

    @property
    def in_time(self) -> float:
        """The share of all packets that was there in time."""
        return sum(delay <= IN_TIME_S * 1e3 for delay in self.delays_ms) / max(1, self.sent)


async def measure(test: UnderTest, plan: Plan, console: Console) -> Report:
    """Carry the plan out and report."""
    outcomes: dict[float, Outcome] = {}
    for loss in plan.losses:
        with console.status(f"{loss:.0%} each way"):
            outcomes[loss] = await _one(test, loss, plan)
    return _report(plan, outcomes)


async def _one(test: UnderTest, loss: float, plan: Plan) -> Outcome:
    quality = issue_quality(loss)
    assert test.media is not None
    relay = Relay(test.media, up=quality, down=quality, seed=plan.seed)
    relay.start()
    factory, failures = Factory(), dict[str, int]()
    async with httpx.AsyncClient(timeout=ENTER_TIMEOUT_S, trust_env=False) as http:
        viewers = [
            RepairingViewer(
                factory,
                http,
                test.url,
                test.room,
                test.token(f"loss-{number:03d}"),
                relay=relay.address,
            )
            for number in range(plan.viewers)
        ]
        try:
            entering = [viewer.enter(timeout_s=ENTER_TIMEOUT_S) for viewer in viewers]
            for result in await asyncio.gather(*entering, return_exceptions=True):
                if isinstance(result, EntryFailed):
                    failures[f"{loss:.0%}: {result}"] = failures.get(f"{loss:.0%}: {result}", 0) + 1
                elif isinstance(result, BaseException):
                    raise result
            inside = [viewer for viewer in viewers if viewer.highest is not None]
            await asyncio.sleep(SETTLE_S)
            first = {viewer: viewer.highest or 0 for viewer in inside}
            nacked = sum(viewer.asked for viewer in inside)
            asked, began = await _asked(http, test), time.monotonic()
            await asyncio.sleep(plan.seconds)
            last = {viewer: viewer.highest or 0 for viewer in inside}
            await asyncio.sleep(LATE_S)
            # One of so many seconds may fall on each end.
            keyframes = max(0.0, await _asked(http, test) - asked - 1)
            took_s = time.monotonic() - began
            delays = [
                viewer.delays_s[number] * 1e3
                for viewer in inside
                for number in range(first[viewer] + 1, last[viewer] + 1)
                if number in viewer.delays_s
            ]
            return Outcome(
                tuple(delays),
                sum(last[viewer] - first[viewer] for viewer in inside),
                keyframes / took_s,
                sum(viewer.asked for viewer in inside) - nacked,
                failures,
            )
        finally:
            await asyncio.gather(*(viewer.leave() for viewer in viewers))
            relay.close()


async def _asked(http: httpx.AsyncClient, test: UnderTest) -> float:
    """Return how many key frames the host was ever asked for."""
    return read_samples((await http.get(f"{test.url}/metrics")).text).get(ASKED, 0.0)


def _report(plan: Plan, outcomes: Mapping[float, Outcome]) -> Report:
    figures: dict[str, float | int | None] = {}
    failures: dict[str, int] = {}
    for loss, found in outcomes.items():
        name = f"{loss:.0%} each way"
        figures |= {
            f"{name}: packets sent": found.sent,
            f"{name}: % in time": found.in_time * 100,
            f"{name}: % ever": len(found.delays_ms) / max(1, found.sent) * 100,
            f"{name}: key frames asked of the host, a second": found.keyframes_per_s,
            f"{name}: % asked for again": found.asked / max(1, found.sent) * 100,
        }
        failures |= found.failures
        if not found.sent or found.in_time < GOALS.get(loss, 0.0):
            failures[f"{name}: in time less than {GOALS.get(loss, 0.0):.1%}"] = 1
        if found.keyframes_per_s > KEYFRAMES_PER_S_MAX:
            failures[f"{name}: the host was asked too often"] = 1
    in_time = [(loss * 100, found.in_time * 100) for loss, found in outcomes.items()]
    return Report(
        name="loss",
        title=f"{plan.viewers} viewers behind bad paths",
        facts={
            **describe(),
            "path": "60 ms there and back, 30 ms jitter, 2 % reordered",
            "seed": str(plan.seed),
            "measured": f"{plan.seconds:g} s each",
        },
        figures=figures,
        distributions=[
            Distribution(f"there after, at {loss:.0%}", "ms", found.delays_ms)
            for loss, found in outcomes.items()
        ],
        failures=failures,
        curve="Share of what came that was there within",
        lines=[Lines("Packets in time", "% lost each way", "%", {"in time": in_time})],
    )
