"""`python -m bench join`: many light viewers go all the way into a room, at a chosen rate.

Each does HTTP join, WHEP, ICE, DTLS and waits for its first decrypted RTP packet (a sample
for the first decoded frame), and beside it websocket hello → welcome. Then all stay for a
while, and the server's CPU per delivered packet is set beside a bare `sendto`.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.crowd import Orders, orders_line
from bench.light import STEPS, EntryFailed, Factory, LightViewer
from bench.machine import Usage, describe, sendto_cost_us, usage
from bench.media import started_crowd
from bench.report import Distribution, Report
from bench.server import ServerFailed, UnderTest
from liveroom.client.room import RoomClient
from liveroom.client.visit import CommandRefused, RoomClosed

VIEWERS_MAX = 2_000
RATE_MAX = 500.0
CONNECTIONS_MAX = 200
INTO_RATE_PER_S, INTO_TIMEOUT_S = 20.0, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many viewers, how fast, how long they stay."""

    viewers: int
    rate_per_s: float
    hold_s: float = 5.0
    sample_every: int = 10
    timeout_s: float = 10.0
    websocket: bool = True
    into: int = 0
    """Viewers in the room before, in a process of their own."""


@dataclass(slots=True)
class _Run:
    """What a run gathers while it runs."""

    test: UnderTest
    plan: Plan
    factory: Factory
    http: httpx.AsyncClient
    seconds: dict[str, list[float]] = field(default_factory=lambda: {s: [] for s in STEPS})
    failures: Counter[str] = field(default_factory=Counter)
    viewers: list[LightViewer] = field(default_factory=list)
    visits: list[RoomClient] = field(default_factory=list)
    joining_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Held:
    """What passed while everybody stayed."""

    took_s: float
    packets: int
    bytes: int
    before: Usage | None
    after: Usage | None


async def measure(test: UnderTest, plan: Plan, console: Console) -> Report:
    """Carry the plan out and report."""
    with _others(test, plan, console):
        return await _measure(test, plan, console)


@contextmanager
def _others(test: UnderTest, plan: Plan, console: Console) -> Iterator[None]:
    """Fill the room first, if asked to."""
    if not plan.into:
        yield
        return
    orders = Orders(
        test.url, test.room, test.secret, plan.into, INTO_RATE_PER_S, INTO_TIMEOUT_S, prefix="early"
    )
    with started_crowd() as crowd:
        with console.status(f"{plan.into} viewers fill the room"):
            entered = crowd.ask(orders_line(orders))
        if entered["failures"]:
            raise ServerFailed(f"The room could not be filled: {entered['failures']}")
        yield


async def _measure(test: UnderTest, plan: Plan, console: Console) -> Report:
    empty = usage(test.pid) if test.pid is not None else None
    limits = httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=50)
    async with httpx.AsyncClient(timeout=plan.timeout_s, limits=limits, trust_env=False) as http:
        run = _Run(test, plan, Factory(), http)
        try:
            await _enter_all(run, console)
            held = await _hold(run)
        finally:
            await _leave_all(run)
    return _report(run, empty, held)


async def _enter_all(run: _Run, console: Console) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[failed]} failed"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("joining", total=run.plan.viewers, failed=0)
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(run.plan.viewers):
                due = started + number / run.plan.rate_per_s
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                entering = group.create_task(_enter_one(run, number))
                entering.add_done_callback(
                    lambda _: progress.update(task, advance=1, failed=sum(run.failures.values()))
                )
        run.joining_s = time.monotonic() - started


async def _enter_one(run: _Run, number: int) -> None:
    user = f"bench-{number:05d}"
    viewer = LightViewer(
        run.factory,
        run.http,
        run.test.url,
        run.test.room,
        run.test.token(user),
        wants_frame=bool(run.plan.sample_every) and number % run.plan.sample_every == 0,
    )
    run.viewers.append(viewer)
    try:
        await viewer.enter(timeout_s=run.plan.timeout_s)
    except EntryFailed as failed:
        run.failures[f"{failed.step}: {failed.reason}"] += 1
    for step, at_s in viewer.steps.done_s.items():
        run.seconds[step].append(at_s)
    if run.plan.websocket and viewer.joined is not None:
        await _visit(run, viewer)


async def _visit(run: _Run, viewer: LightViewer) -> None:
    assert viewer.joined is not None
    visit = RoomClient(
        run.test.url, run.test.room, viewer.joined.token, http=run.http, joined=viewer.joined
    )
    run.visits.append(visit)
    try:
        async with asyncio.timeout(run.plan.timeout_s):
            await visit.open()
    except TimeoutError:
        run.failures["welcome: timeout"] += 1
        return
    except (CommandRefused, RoomClosed) as refused:
        run.failures[f"welcome: {refused.code}"] += 1
        return
    run.seconds["hello"].append(visit.timings.hello_s)
    run.seconds["welcome"].append(visit.timings.welcome_s)


async def _hold(run: _Run) -> _Held:
    """Let everybody stay; count packets and the server's CPU meanwhile."""
    pid = run.test.pid
    packets = sum(viewer.packets for viewer in run.viewers)
    octets = sum(viewer.bytes for viewer in run.viewers)
    before = usage(pid) if pid is not None else None
    started = time.monotonic()
    await asyncio.sleep(run.plan.hold_s)
    after = usage(pid) if pid is not None else None
    return _Held(
        time.monotonic() - started,
        sum(viewer.packets for viewer in run.viewers) - packets,
        sum(viewer.bytes for viewer in run.viewers) - octets,
        before,
        after,
    )


async def _leave_all(run: _Run) -> None:
    await asyncio.gather(*(visit.close() for visit in run.visits), return_exceptions=True)
    await asyncio.gather(*(viewer.leave() for viewer in run.viewers), return_exceptions=True)


def _report(run: _Run, empty: Usage | None, held: _Held) -> Report:
    packet_bytes = held.bytes // held.packets if held.packets else 1_200
    sendto_us = sendto_cost_us(max(64, packet_bytes))
    figures: dict[str, Any] = {
        "viewers": run.plan.viewers,
        "viewers in": len(run.seconds["first_packet"]),
        "failures": sum(run.failures.values()),
        "packets delivered per second": held.packets / held.took_s,
        "average packet, bytes": packet_bytes,
        "bare sendto, µs CPU per packet": sendto_us,
    }
    if held.before is not None and held.after is not None and empty is not None:
        spent_s = held.after.cpu_s - held.before.cpu_s
        figures |= {
            "server CPU, share of a core": spent_s / held.took_s,
            "server CPU, µs per delivered packet": spent_s / max(1, held.packets) * 1e6,
            "server CPU while joining, ms per viewer": (held.before.cpu_s - empty.cpu_s)
            / max(1, run.plan.viewers)
            * 1e3,
            "server CPU, ms per join without the forwarding": (
                held.before.cpu_s - empty.cpu_s - spent_s / held.took_s * run.joining_s
            )
            / max(1, run.plan.viewers)
            * 1e3
            if run.plan.into >= run.plan.viewers
            else None,
            "server memory, MiB": held.after.resident_bytes / 2**20,
            "server memory, KiB per viewer": (held.after.resident_bytes - empty.resident_bytes)
            / max(1, run.plan.viewers)
            / 1024,
        }
    return Report(
        name="join",
        title=f"{run.plan.viewers} viewers joining at {run.plan.rate_per_s:g} a second",
        facts={**describe(), "server": run.test.url, "hold": f"{run.plan.hold_s:g} s"},
        figures=figures,
        distributions=[
            Distribution(_LABELS[step], "ms", tuple(value * 1e3 for value in run.seconds[step]))
            for step in STEPS
        ],
        failures=dict(run.failures.most_common()),
    )


_LABELS = {
    "http": "join answered",
    "whep": "WHEP answered",
    "ice": "ICE checked",
    "dtls": "DTLS done",
    "first_packet": "first RTP packet",
    "first_frame": "first decoded frame",
    "hello": "websocket open",
    "welcome": "hello to welcome",
}
