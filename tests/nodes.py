"""Several ends of one bus over a real Redis, with a store that tests fill by hand."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from liveroom.bus.address import parse
from liveroom.bus.port import BusUnavailableError, Publication, Unsubscribe
from liveroom.bus.port import Position as Place
from liveroom.bus.redis import RedisBus
from liveroom.domain.events import Entered, Event, ProductPinned
from liveroom.domain.ids import EventId, OrderId, ProductId, RoomId, UserId
from liveroom.domain.receipts import PaymentReceived

EPOCH = "first"
_prefixes = itertools.count(1)


class Ledger:
    """What is committed: the truth behind the bus, in memory."""

    def __init__(self) -> None:
        self.events: dict[RoomId, list[Event]] = {}
        self.personal: list[Event] = []
        self.reads = 0

    def commit(self, room: RoomId, count: int = 1) -> list[Event]:
        """Number events as a store would."""
        kept = self.events.setdefault(room, [])
        made = [numbered(room, len(kept) + 1 + index) for index in range(count)]
        kept += made
        return made

    def commit_for(self, room: RoomId, user: str) -> Event:
        """Number an event for one person."""
        known = [one for one in self.personal if (one.room, one.to) == (room, user)]
        fact = PaymentReceived(
            order=OrderId("o"), product=ProductId("p"), title="t", amount=1, nth=1
        )
        number = len(known) + 1
        event = Event(
            id=EventId(f"{room}/{user}/{number}"),
            room=room,
            at=now_ms(),
            fact=fact,
            pn=number,
            to=UserId(user),
        )
        self.personal.append(event)
        return event

    async def positions(self, rooms: Collection[RoomId]) -> Mapping[RoomId, Place]:
        self.reads += 1
        return {room: Place(EPOCH, len(self.events.get(room, ()))) for room in rooms}

    async def since(self, room: RoomId, offset: int) -> Sequence[Event]:
        self.reads += 1
        return self.events.get(room, [])[offset : offset + 100]

    async def personal_since(self, rooms: Collection[RoomId], at: int) -> Sequence[Event]:
        return [one for one in self.personal if one.room in rooms and one.at >= at]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def numbered(room: RoomId, n: int) -> Event:
    return Event(
        id=EventId(f"{room}/{n}"), room=room, at=now_ms(), fact=ProductPinned(product=None), n=n
    )


def entered(room: RoomId, name: str) -> Event:
    fact = Entered(user=UserId(name), name=name, tier="basic")
    return Event(id=EventId(name), room=room, at=now_ms(), fact=fact)


class Screen:
    """What one subscription was shown."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.likes = 0

    def __call__(self, publication: Publication) -> None:
        self.events += publication.events
        self.likes += publication.likes

    @property
    def numbers(self) -> list[int]:
        return [event.n for event in self.events if event.n is not None]

    @property
    def fleeting(self) -> list[str]:
        return [event.id for event in self.events if event.n is None and event.pn is None]

    @property
    def personal(self) -> list[int]:
        """The numbers of personal events as a viewer draws them: each once."""
        return list(dict.fromkeys(event.pn for event in self.events if event.pn is not None))


class Nodes:
    """Makes ends of one bus; each test has keys of its own."""

    def __init__(self, url: str) -> None:
        self.ledger = Ledger()
        mark = "&" if "?" in url else "?"
        self.address = parse(f"{url}{mark}prefix=test{next(_prefixes)}")

    def make(self, name: str) -> RedisBus:
        return RedisBus(self.address, node=name, history=self.ledger, now_ms=now_ms)

    @asynccontextmanager
    async def running(self, count: int) -> AsyncIterator[list[RedisBus]]:
        made = [self.make(f"node{index}") for index in range(count)]
        for bus in made:
            await bus.start()
        try:
            yield made
        finally:
            for bus in made:
                await bus.close()


async def watch(bus: RedisBus, room: RoomId) -> tuple[Screen, Unsubscribe]:
    """Subscribe and wait until nothing can be missed."""
    screen = Screen()
    leave = bus.subscribe(room, screen)
    async with asyncio.timeout(10):
        await bus.ready(room)
    return screen, leave


async def publish_until_taken(bus: RedisBus, room: RoomId, events: Sequence[Event]) -> None:
    """Publish as the relay does: again and again until the bus has taken it."""
    async with asyncio.timeout(30):
        while True:
            try:
                await bus.publish(Publication(room, tuple(events)))
                return
            except BusUnavailableError:
                await asyncio.sleep(0.1)


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
