"""`python -m bench gifts`: many givers in one room, from the service down to the disk.

Flows in: a store's address and a plan. Flows out: acknowledged gifts per second, how long a
giver waited for the receipt, how long until the room's bus carried the event, and the same
statements in a bare transaction loop of the same group size and durability beside them.
"""

import asyncio
import itertools
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bench.gifts_bare import bare_rates
from bench.machine import describe
from bench.report import Distribution, Report
from liveroom.app import new_id, now_ms
from liveroom.bus.local import LocalBus
from liveroom.bus.port import Publication
from liveroom.domain.actors import ANY_ROOM, Actor, AgeBand, Role
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.members import MemberDraft
from liveroom.domain.refusals import Refused
from liveroom.domain.rooms import RoomDraft
from liveroom.service.ports import Ports
from liveroom.service.services import Services, build_services
from liveroom.store import auditing
from liveroom.store.database import open_store, upgrade
from liveroom.store.port import OUTBOX_WRITTEN, Store, Transaction
from tests.postgres import BINARIES, cluster

CLIENTS_MAX = 5_000
WARM_UP_S = 0.5
"""Statements are prepared and caches filled before anything counts."""
IMPORTED_AT_ONCE = 200
GIFT = "rose"
COINS = 10**9

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many give at once, and for how long."""

    clients: int
    seconds: float


class GiftsFailed(Exception):  # noqa: N818 - said to the person who measures
    """What was acknowledged is not what the room saw, or the books are wrong."""


class Counted:
    """A store that counts the transactions which left events behind."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.writes = 0

    @property
    def on_written(self) -> Callable[[], None] | None:
        return self._store.on_written

    @on_written.setter
    def on_written(self, hook: Callable[[], None] | None) -> None:
        self._store.on_written = hook

    async def run(self, command: Callable[[Transaction], Result]) -> Result:
        def counting(tx: Transaction) -> Result:
            before = tx.info.pop(OUTBOX_WRITTEN, False)
            result = command(tx)
            self.writes += bool(tx.info.get(OUTBOX_WRITTEN))
            if before:
                tx.info[OUTBOX_WRITTEN] = True
            return result

        return await self._store.run(counting)

    async def close(self) -> None:
        await self._store.close()


@dataclass(slots=True)
class _Run:
    """What a run gathers while it runs; times are seconds of the monotonic clock."""

    given: list[tuple[int, float, float]] = field(default_factory=list)
    heard: dict[int, float] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def hear(self, publication: Publication) -> None:
        at_s = time.monotonic()
        for event in publication.events:
            if event.n is not None:
                self.heard.setdefault(event.n, at_s)
                self.order.append(event.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One store's outcome."""

    name: str
    took_s: float
    group: int
    answered_ms: tuple[float, ...]
    heard_ms: tuple[float, ...]
    bare: dict[str, float]
    failures: Counter[str]

    @property
    def per_s(self) -> float:
        """Acknowledged gifts per second."""
        return len(self.answered_ms) / self.took_s


@contextmanager
def stores(url: str | None) -> Iterator[list[tuple[str, str]]]:
    """Name the stores to measure: a fresh SQLite file, and PostgreSQL where there is one.

    PostgreSQL is the given address, or a cluster made here that waits for the disk and is
    thrown away afterwards. A given SQLite address says on which disk the fresh file lies.
    """
    with tempfile.TemporaryDirectory(prefix="liveroom-bench-") as folder:
        sqlite = ("SQLite", url if url and url.startswith("sqlite") else f"sqlite:///{folder}/g.db")
        if url and not url.startswith("sqlite"):
            yield [sqlite, ("PostgreSQL", url)]
        elif not BINARIES.exists():
            yield [sqlite]
        else:
            with cluster(durable=True) as running:
                running.statement("CREATE DATABASE bench")
                yield [sqlite, ("PostgreSQL", running.url("bench"))]


def run(url: str | None, plan: Plan) -> Report:
    """Measure store after store and report."""
    with stores(url) as named:
        return report(plan, [asyncio.run(measure(name, where, plan)) for name, where in named])


async def measure(name: str, url: str, plan: Plan, *, bare: bool = True) -> Measured:
    """Give on a fresh store at this address, then run the bare loops on it."""
    await upgrade(url)
    store = Counted(await open_store(url))
    bus, room = LocalBus(), RoomId(f"bench-{secrets.token_hex(4)}")
    services = build_services(
        Ports(
            store=store,
            bus=bus,
            now_ms=now_ms,
            new_id=new_id,
            new_secret=lambda: secrets.token_urlsafe(24),
        )
    )
    run = _Run()
    bus.subscribe(room, run.hear)
    await services.start()
    try:
        givers = await _prepare(services, room, plan.clients)
        await _give(services, room, givers, WARM_UP_S, _Run())
        writes = store.writes
        took_s = await _give(services, room, givers, plan.seconds, run)
        writes = store.writes - writes
        await services.relay.drain()
        _check(run)
        faults = await store.run(auditing.audit)
        if faults:
            raise GiftsFailed(f"{name}: {faults[0]}")
    finally:
        await services.stop()
        await store.close()
    group = max(1, round(len(run.given) / max(1, writes)))
    return Measured(
        name=name,
        took_s=took_s,
        group=group,
        answered_ms=tuple((answered - asked) * 1e3 for _, asked, answered in run.given),
        heard_ms=tuple((run.heard[n] - asked) * 1e3 for n, asked, _ in run.given),
        bare=await bare_rates(url, group, plan.seconds) if bare else {},
        failures=run.failures,
    )


async def _prepare(services: Services, room: RoomId, clients: int) -> list[Actor]:
    merchant = Actor(user=UserId("bench"), role=Role.MERCHANT, room=ANY_ROOM)
    await services.rooms.create(merchant, RoomDraft(id=room, title="Bench", host=UserId("host")))
    users = [UserId(f"{room}-{number:05d}") for number in range(clients)]
    drafts = [MemberDraft(id=user, age_band=AgeBand.ADULT, coins=COINS) for user in users]
    for first in range(0, clients, IMPORTED_AT_ONCE):
        some = drafts[first : first + IMPORTED_AT_ONCE]
        await asyncio.gather(*(services.members.import_one(merchant, one, one.id) for one in some))
    return [Actor(user=user, role=Role.VIEWER, room=room, name=user) for user in users]


async def _give(
    services: Services, room: RoomId, givers: Sequence[Actor], seconds: float, run: _Run
) -> float:
    """Let everybody give again as soon as they have their receipt; returns how long it took."""
    run_id = secrets.token_hex(4)
    started = time.monotonic()
    until = started + seconds

    async def one(number: int, giver: Actor) -> None:
        for count in itertools.count():
            asked = time.monotonic()
            if asked >= until:
                return
            key = f"{run_id}-{number}-{count}"
            try:
                receipt = await services.gifting.give(giver, room, GIFT, 1, key)
            except Refused as refused:
                run.failures[refused.code] += 1
                continue
            run.given.append((receipt.n, asked, time.monotonic()))

    await asyncio.gather(*(one(number, giver) for number, giver in enumerate(givers)))
    return time.monotonic() - started


def _check(run: _Run) -> None:
    """Hold what the room saw against what was acknowledged."""
    acknowledged = sorted(n for n, _, _ in run.given)
    if len(set(acknowledged)) != len(acknowledged):
        raise GiftsFailed("two gifts were given one number")
    if run.order != sorted(set(run.order)):
        raise GiftsFailed("the room saw gifts twice or out of order")
    missing = set(acknowledged).difference(run.heard)
    if missing:
        raise GiftsFailed(f"{len(missing)} acknowledged gifts never reached the bus")


def report(plan: Plan, measured: Sequence[Measured]) -> Report:
    """Put the stores' outcomes side by side."""
    figures: dict[str, Any] = {"givers at once": plan.clients}
    distributions: list[Distribution] = []
    failures: Counter[str] = Counter()
    for one in measured:
        figures |= {
            f"{one.name}: gifts acknowledged per second": one.per_s,
            f"{one.name}: gifts per transaction": one.group,
        }
        for loop, rate in one.bare.items():
            figures[f"{one.name}: bare loop, {loop}, per second"] = rate
            figures[f"{one.name}: share of the bare loop, {loop}"] = one.per_s / rate
        distributions += [
            Distribution(f"{one.name}: receipt", "ms", one.answered_ms),
            Distribution(f"{one.name}: on the bus", "ms", one.heard_ms),
        ]
        failures.update({f"{one.name}: {code}": count for code, count in one.failures.items()})
    return Report(
        name="gifts",
        title=f"{plan.clients} givers in one room, for {plan.seconds:g} s",
        facts=describe(),
        figures=figures,
        distributions=distributions,
        failures=dict(failures),
        curve="Share of gifts that had their receipt, or were on the bus",
    )
