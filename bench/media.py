"""`python -m bench media`: what one delivered packet costs the whole server process.

A host publishes at a chosen rate, light viewers in another process count what reaches them.
The server's CPU is set beside two loops that only send: a bare `sendto`, and protection with
segmentation (the limit), over the sizes and moments that one viewer saw, in the same run; and,
if asked for, beside Janus that forwards the same to as many viewers.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from rich.console import Console

from bench.bare import bursts, segments_us, sendto_us
from bench.crowd import Orders, orders_line
from bench.janus import janus
from bench.lines import Lines
from bench.machine import Usage, describe, usage
from bench.report import Distribution, Report
from bench.server import ServerFailed, UnderTest

VIEWERS_MAX = 2_000
PPS_MAX = 5_000.0
RECORD_S_MAX = 5.0
ENTER_TIMEOUT_S = 20.0
SETTLE_S = 1.0
STOP_WITHIN_S = 20.0
FORWARD = "liveroom_media_forward_seconds_bucket"
SENT = "liveroom_media_packets_out_total"
CALLS = "liveroom_media_send_calls_total"
SERVER = "server, µs CPU per delivered packet"
BARE = "bare sendto, µs CPU per packet"
LIMIT = "the limit (protect and segment), µs CPU per packet"
JANUS = "Janus, µs CPU per delivered packet"
JANUS_RATE_MAX = 20.0
"""Joins a second that Janus is given; it makes a thread for each viewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many viewers come (one measurement each), how fast, how long is measured, beside whom.

    `janus_pps`: Janus forwards so many packets a second, too, to as many viewers.
    """

    viewers: Sequence[int]
    rate_per_s: float = 20.0
    seconds: float = 10.0
    janus_pps: float | None = None


class Crowd:
    """The process with the viewers, from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, line: str) -> dict[str, Any]:
        """Send a line and wait for the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line if line.endswith("\n") else line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise ServerFailed("The viewers' process ended.")
        found: dict[str, Any] = json.loads(answer)
        return found


@dataclass(frozen=True, slots=True)
class Moment:
    """All counters at once."""

    at: float
    server: Usage | None
    packets: int
    bytes: int
    forward: Mapping[float, float]
    """Upper bound in seconds to how many were forwarded within it."""
    sent: float
    calls: float


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured with so many viewers."""

    viewers: int
    figures: Mapping[str, float | int | None]
    within: Mapping[float, float]
    failures: Mapping[str, int]


def measure(test: UnderTest, plan: Plan, console: Console, facts: Mapping[str, str]) -> Report:
    """Carry the plan out and report."""
    # Who has left leaves memory behind that the next ones use: all are set beside the beginning.
    empty = usage(test.pid) if test.pid is not None else None
    points = [_measure_point(test, empty, count, plan, console) for count in plan.viewers]
    peers: dict[int, float] = {}
    missing: Counter[str] = Counter()
    if plan.janus_pps is not None:
        with janus(plan.janus_pps) as (url, pid):
            for count in plan.viewers:
                with console.status(f"Janus and {count} viewers"):
                    peers[count] = _janus_us(url, pid, count, plan, missing)
    return _report(plan, facts, points, peers, missing)


def _measure_point(
    test: UnderTest, empty: Usage | None, count: int, plan: Plan, console: Console
) -> Point:
    orders = Orders(test.url, test.room, test.secret, count, plan.rate_per_s, ENTER_TIMEOUT_S)
    with started_crowd() as crowd, httpx.Client(trust_env=False, timeout=10) as http:
        with console.status(f"{count} viewers are coming"):
            entered = crowd.ask(orders_line(orders))
            time.sleep(SETTLE_S)
        with console.status(f"measuring {count} for {plan.seconds:g} s"):
            before = _moment(test, crowd, http)
            time.sleep(plan.seconds)
            after = _moment(test, crowd, http)
            crowd.ask("record")
            time.sleep(min(plan.seconds, RECORD_S_MAX))
            recorded = bursts(crowd.ask("recorded")["arrivals"])
    with console.status("the same by bare loops"):
        bare, limit = (
            sendto_us(entered["viewers"], recorded),
            segments_us(entered["viewers"], recorded),
        )
    return _point(entered, empty, before, after, bare, limit)


def _janus_us(url: str, pid: int, count: int, plan: Plan, missing: Counter[str]) -> float:
    """Return Janus' CPU per delivered packet; who did not come in goes into `missing`."""
    orders = Orders(
        url, "", None, count, min(plan.rate_per_s, JANUS_RATE_MAX), ENTER_TIMEOUT_S, at_janus=True
    )
    with started_crowd() as crowd:
        entered = crowd.ask(orders_line(orders))
        if not entered["viewers"]:
            raise ServerFailed(f"No viewer came into Janus: {entered['failures']}")
        missing.update({f"Janus, {name}": n for name, n in entered["failures"].items()})
        time.sleep(SETTLE_S)
        before, counted = usage(pid), crowd.ask("count")
        time.sleep(plan.seconds)
        after, now = usage(pid), crowd.ask("count")
    packets: int = now["packets"] - counted["packets"]
    return (after.cpu_s - before.cpu_s) / max(1, packets) * 1e6


@contextmanager
def started_crowd() -> Iterator[Crowd]:
    """Start the process with the viewers; they leave and it ends with the context."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.crowd"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Crowd(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _moment(test: UnderTest, crowd: Crowd, http: httpx.Client) -> Moment:
    samples = read_samples(http.get(f"{test.url}/metrics").text)
    counted = crowd.ask("count")
    return Moment(
        time.monotonic(),
        usage(test.pid) if test.pid is not None else None,
        counted["packets"],
        counted["bytes"],
        {
            float(name.partition('le="')[2].partition('"')[0]): value
            for name, value in samples.items()
            if name.startswith(FORWARD + "{")
        },
        samples.get(SENT, 0.0),
        samples.get(CALLS, 0.0),
    )


def read_samples(text: str) -> dict[str, float]:
    """Read the text format of metrics."""
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def quantiles(buckets: Mapping[float, float], count: int = 1000) -> tuple[float, ...]:
    """Draw evenly spaced quantiles out of a cumulative histogram, linear within a bucket."""
    bounds = sorted(bound for bound in buckets if bound != float("inf"))
    total = max(buckets.values(), default=0.0)
    if not bounds or total <= 0:
        return ()
    found = []
    at = 0
    for number in range(count):
        wanted = total * (number + 0.5) / count
        while at < len(bounds) and buckets[bounds[at]] < wanted:
            at += 1
        if at == len(bounds):
            found.append(bounds[-1])
            continue
        low = bounds[at - 1] if at else 0.0
        below = buckets[bounds[at - 1]] if at else 0.0
        found.append(
            low + (bounds[at] - low) * (wanted - below) / max(buckets[bounds[at]] - below, 1e-9)
        )
    return tuple(found)


def _point(
    entered: Mapping[str, Any],
    empty: Usage | None,
    before: Moment,
    after: Moment,
    bare_us: float,
    limit_us: float | None,
) -> Point:
    took_s = after.at - before.at
    packets = after.packets - before.packets
    viewers = entered["viewers"]
    figures: dict[str, Any] = {
        "viewers in": viewers,
        "packets a second and viewer": packets / took_s / max(1, viewers),
        "packets delivered per second": packets / took_s,
        "average packet, bytes": (after.bytes - before.bytes) // max(1, packets),
        "delivered of those sent": packets / max(1.0, after.sent - before.sent),
        "packets per kernel call": (after.sent - before.sent)
        / max(1.0, after.calls - before.calls),
        BARE: bare_us,
        LIMIT: limit_us,
    }
    if before.server is not None and after.server is not None and empty is not None:
        spent_s = after.server.cpu_s - before.server.cpu_s
        per_packet_us = spent_s / max(1, packets) * 1e6
        figures |= {
            SERVER: per_packet_us,
            "server against bare sendto": per_packet_us / bare_us if bare_us else None,
            "server against the limit": per_packet_us / limit_us if limit_us else None,
            "server CPU, share of a core": spent_s / took_s,
            "viewers per core at this rate": int(viewers * took_s / spent_s) if spent_s else None,
            "server memory, KiB per viewer": (after.server.resident_bytes - empty.resident_bytes)
            / max(1, viewers)
            / 1024,
        }
    within = {
        bound: count - before.forward.get(bound, 0.0) for bound, count in after.forward.items()
    }
    return Point(viewers, figures, within, entered["failures"])


def _report(
    plan: Plan,
    facts: Mapping[str, str],
    points: Sequence[Point],
    peers: Mapping[int, float],
    missing: Counter[str],
) -> Report:
    """Tell the figures of the most viewers, and draw those of all."""
    last = max(points, key=lambda point: point.viewers)
    figures = dict(last.figures)
    peer_us, own_us = peers.get(max(plan.viewers)), figures.get(SERVER)
    if peer_us is not None:
        figures[JANUS] = peer_us
        figures["Janus against the server"] = peer_us / own_us if own_us else None
    cpu: dict[str, list[tuple[float, float]]] = {
        name.partition(",")[0]: [
            (point.viewers, value)
            for point in points
            if (value := point.figures.get(name)) is not None
        ]
        for name in (SERVER, LIMIT, BARE)
    }
    cpu |= {"Janus": list(peers.items())}
    forwarding = {
        f"p{percent}": [
            (point.viewers, drawn[int(len(drawn) * percent / 100)] * 1e3)
            for point in points
            if (drawn := quantiles(point.within))
        ]
        for percent in (50, 99)
    }
    return Report(
        name="media",
        title=f"One host to {' / '.join(map(str, plan.viewers))} viewers",
        facts={**describe(), **facts, "measured": f"{plan.seconds:g} s"},
        figures=figures,
        distributions=[
            Distribution("forwarding", "ms", tuple(s * 1e3 for s in quantiles(last.within)))
        ],
        failures=sum((Counter(point.failures) for point in points), missing),
        curve="Share of batches forwarded within",
        lines=[
            Lines("CPU per delivered packet", "viewers", "µs", cpu),
            Lines("Until the last viewer of a batch was sent to", "viewers", "ms", forwarding),
        ],
    )
