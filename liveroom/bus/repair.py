"""What every subscribed room has seen, and how a room that may have missed something is mended.

A line that was lost for a moment is made up for from the partition's stream in Redis. Where
the stream cannot prove that nothing is missing - another server, trimmed, a gap in a room's
numbers - and for as long as the broker is away, the store is asked, for all rooms together.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, final

from redis.exceptions import RedisError

from liveroom.bus.order import RoomOrder
from liveroom.bus.port import Deliver, History, Publication
from liveroom.bus.servers import Servers
from liveroom.bus.topology import partition_of
from liveroom.bus.wire import UnreadableError, decode
from liveroom.domain.events import Event
from liveroom.domain.ids import EventId, RoomId
from liveroom.domain.refusals import Refused
from liveroom.observe import BUS_DEGRADED, BUS_REPAIRED, logger

CHECK_EVERY_S: Final = 2.5
"""How often all rooms are compared with the store while all is well."""
POLL_EVERY_S: Final = 0.3
"""How often while the broker is away: then the store is where news come from."""
RETRY_S: Final = 1.0
"""The pause after the store refused."""
CLOCKS_MS: Final = 10_000
"""How far the nodes' clocks may be apart, and how long a commit may take: personal events
are looked for from so long before a loss."""
STREAM_PAGE: Final = 500
STREAM_PAGES_MAX: Final = 6
"""Who is behind by more asks the store."""
ROOMS_AT_ONCE: Final = 500
"""Rooms in one question to the store."""

_log = logger(__name__)


@dataclass(slots=True)
class Heard:
    """One subscribed room: who takes its news, how far they are, what is uncertain.

    `personal_from`: personal events since then (UTC ms) may be missing; None = none are.
    `was_behind`: the store was ahead at the last look, as it is for a moment all the time.
    """

    subscribers: dict[object, Deliver] = field(default_factory=dict)
    order: RoomOrder = field(default_factory=RoomOrder)
    is_confirmed: bool = False
    is_placed: asyncio.Event = field(default_factory=asyncio.Event)
    personal_from: int | None = None
    personal_seen: set[EventId] = field(default_factory=set)
    was_behind: bool = False


@dataclass(slots=True)
class _Partition:
    """How far the stream was read, on which run of a server; who is still to be confirmed.

    While it catches up `entry` stays where that began, whatever comes off the line.
    """

    run: str = ""
    entry: str = ""
    is_provable: bool = False
    is_catching_up: bool = False
    unconfirmed: set[RoomId] = field(default_factory=set)


@final
class Repair:
    """Keeps the subscribed rooms whole.

    Args:
        history: the store.
        servers: the connections to Redis.
        deliver: takes what a room's subscribers are to see.
        is_degraded: whether the store has to be asked all the time.
        now_ms: UTC milliseconds.

    """

    def __init__(
        self,
        history: History,
        servers: Servers,
        *,
        deliver: Callable[[Publication], None],
        is_degraded: Callable[[], bool],
        now_ms: Callable[[], int],
    ) -> None:
        self.rooms: dict[RoomId, Heard] = {}
        self._history = history
        self._servers = servers
        self._deliver = deliver
        self._is_degraded = is_degraded
        self._now_ms = now_ms
        self._partitions: dict[int, _Partition] = {}
        self._unsettled: set[RoomId] = set()
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to look after the rooms."""
        self._spawn(self._run())

    async def close(self) -> None:
        """Look after nothing any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.rooms.clear()

    def wake(self) -> None:
        """Look at all rooms at once: the broker is away."""
        self._woken.set()

    # Rooms come and go, and so do lines.

    def open(self, room: RoomId) -> Heard:
        """Begin with a room; its place is looked up as soon as its channel is heard."""
        heard = self.rooms[room] = Heard(personal_from=self._now_ms() - CLOCKS_MS)
        self._unsettle(room)
        return heard

    def shut(self, room: RoomId) -> None:
        """Forget a room that nobody here takes news of."""
        del self.rooms[room]
        self._unsettled.discard(room)
        for partition in self._partitions.values():
            partition.unconfirmed.discard(room)

    def rooms_of(self, partition: int) -> list[RoomId]:
        """List a partition's rooms."""
        return [room for room in self.rooms if partition_of(room) == partition]

    def up(self, number: int, run: str) -> None:
        """Get ready for a line: hold everything until what was missed has come first."""
        partition = self._partitions.setdefault(number, _Partition())
        partition.is_provable = partition.run == run and bool(partition.entry)
        partition.is_catching_up = True
        partition.run = run
        partition.unconfirmed = set(self.rooms_of(number))
        for room in partition.unconfirmed:
            self.rooms[room].order.hold()
        if not partition.unconfirmed:
            self._spawn(self._catch_up(number))

    def down(self, number: int) -> None:
        """Feed a partition's rooms from the store until there is a line again."""
        for room in self.rooms_of(number):
            heard = self.rooms[room]
            heard.is_confirmed = False
            heard.order.hold()
            if heard.personal_from is None:
                heard.personal_from = self._now_ms() - CLOCKS_MS
            self._unsettle(room)

    def confirmed(self, room: RoomId) -> None:
        """Note that a channel is heard: from here on nothing is missed."""
        heard = self.rooms.get(room)
        if heard is None:
            return
        heard.is_confirmed = True
        partition = self._partitions[partition_of(room)]
        if room in partition.unconfirmed:
            partition.unconfirmed.discard(room)
            if not partition.unconfirmed:
                self._spawn(self._catch_up(partition_of(room)))
        else:
            self._unsettle(room)

    def arrived(self, room: RoomId, entry: str, events: Sequence[Event]) -> None:
        """Take durable events off the line."""
        partition = self._partitions[partition_of(room)]
        if not partition.is_catching_up:
            partition.entry = entry
        heard = self.rooms.get(room)
        if heard is None:
            return
        self._show(room, heard.order.take(events))
        if heard.order.is_holding:
            self._unsettle(room)

    # Catching up from the stream.

    async def _catch_up(self, number: int) -> None:
        """Read what the stream has beyond the last entry seen; let the rooms go on."""
        partition = self._partitions[number]
        proven = False
        try:
            proven = partition.is_provable and await self._read_stream(number, partition)
            if not proven:
                partition.entry = await self._last_entry(number)
        except (RedisError, OSError) as error:
            _log.warning("the stream was not read", partition=number, why=str(error))
        partition.is_catching_up = False
        for room in self.rooms_of(number):
            heard = self.rooms[room]
            if not proven or heard.order.reached is None:
                self._unsettle(room)
            elif heard.is_confirmed:
                self._go_on(room, heard)

    async def _read_stream(self, number: int, partition: _Partition) -> bool:
        """Deliver the entries since the last one seen; False if some may be gone."""
        oldest = await self._entries(number, "-", 1)
        if not oldest or _position(oldest[0][0]) > _position(partition.entry):
            return False
        for _ in range(STREAM_PAGES_MAX):
            page = await self._entries(number, f"({partition.entry}", STREAM_PAGE)
            for entry, fields in page:
                partition.entry = entry.decode()
                self._replay(RoomId(fields[b"r"].decode()), fields[b"m"])
            if len(page) < STREAM_PAGE:
                return True
        return False

    async def _entries(self, number: int, first: str, most: int) -> list[Any]:
        client = self._servers.client(number)
        assert client is not None
        found: Any = await client.xrange(self._stream(number), min=first, count=most)
        return list(found)

    def _replay(self, room: RoomId, message: bytes) -> None:
        heard = self.rooms.get(room)
        if heard is None or heard.order.reached is None:
            return
        with suppress(UnreadableError):
            events = decode(room, message).events
            numbers = [event.n for event in events if event.n is not None]
            if numbers and numbers[0] > heard.order.reached + 1:
                return  # the store fills this gap when the room goes on
            passed = heard.order.fill(events)
            BUS_REPAIRED.labels("stream").inc(len(passed))
            self._show(room, passed)

    async def _last_entry(self, number: int) -> str:
        client = self._servers.client(number)
        assert client is not None
        newest: Any = await client.xrevrange(self._stream(number), count=1)
        return str(newest[0][0].decode()) if newest else "0-0"

    def _stream(self, number: int) -> str:
        return f"{self._servers.topology.tag(number)}:stream"

    # Comparing with the store.

    def _unsettle(self, room: RoomId) -> None:
        self._unsettled.add(room)
        self._woken.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        all_at = loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(all_at):
                    await self._woken.wait()
            self._woken.clear()
            looks_at_all = self._is_degraded() or loop.time() >= all_at
            try:
                await self._look(list(self.rooms if looks_at_all else self._unsettled))
            except Exception as error:
                if not isinstance(error, Refused):
                    _log.exception("repairing rooms failed")
                await asyncio.sleep(RETRY_S)
                self._woken.set()
            BUS_DEGRADED.set(float(self._is_degraded()))
            if looks_at_all:
                pause_s = POLL_EVERY_S if self._is_degraded() else CHECK_EVERY_S
                all_at = loop.time() + pause_s

    async def _look(self, rooms: Sequence[RoomId]) -> None:
        for first in range(0, len(rooms), ROOMS_AT_ONCE):
            await self._compare(rooms[first : first + ROOMS_AT_ONCE])

    async def _compare(self, rooms: Sequence[RoomId]) -> None:
        """Bring rooms to where the store is, those that are not surely there already."""
        rooms = [room for room in rooms if self._may_be_placed(room)]
        if not rooms:
            return
        asked_at = self._now_ms()
        positions = await self._history.positions(rooms)
        personal = await self._personal(rooms)
        for room in rooms:
            heard = self.rooms.get(room)
            if heard is None:
                continue
            position = positions.get(room)
            n = 0 if position is None else position.n
            if heard.order.reached is None:
                heard.order.place(n)
            elif n > heard.order.reached:
                sure = room in self._unsettled or self._is_degraded() or heard.was_behind
                heard.was_behind = not sure
                if sure:
                    await self._fill(room, heard, n)
            else:
                heard.was_behind = False
            self._show(room, _new_for(heard, personal.get(room, ())))
            heard.is_placed.set()
            if room in self._unsettled or heard.order.is_holding:
                self._settle(room, heard, asked_at)

    def _may_be_placed(self, room: RoomId) -> bool:
        """Where a line is open its confirmation comes first: else something falls between."""
        heard = self.rooms[room]
        return heard.is_confirmed or self._servers.line(partition_of(room)) is None

    async def _personal(self, rooms: Iterable[RoomId]) -> dict[RoomId, list[Event]]:
        wanted = {
            room: since
            for room in rooms
            if (heard := self.rooms.get(room)) and (since := heard.personal_from) is not None
        }
        if not wanted:
            return {}
        found: dict[RoomId, list[Event]] = {}
        for event in await self._history.personal_since(list(wanted), min(wanted.values())):
            found.setdefault(event.room, []).append(event)
        return found

    async def _fill(self, room: RoomId, heard: Heard, n: int) -> None:
        heard.order.hold()
        while heard.order.reached is not None and heard.order.reached < n:
            page = await self._history.since(room, heard.order.reached)
            if not page:
                return
            passed = heard.order.fill(page)
            BUS_REPAIRED.labels("store").inc(len(passed))
            self._show(room, passed)

    def _settle(self, room: RoomId, heard: Heard, asked_at: int) -> None:
        self._unsettled.discard(room)
        if heard.is_confirmed:
            self._go_on(room, heard)
        elif heard.personal_from is not None:
            heard.personal_from = max(heard.personal_from, asked_at - CLOCKS_MS)

    def _go_on(self, room: RoomId, heard: Heard) -> None:
        """Show what was held back; what comes off the line now is shown at once."""
        self._unsettled.discard(room)
        heard.personal_from = None
        heard.personal_seen.clear()
        self._show(room, heard.order.release())
        if heard.order.is_holding:
            heard.personal_from = self._now_ms() - CLOCKS_MS
            self._unsettle(room)

    def _show(self, room: RoomId, events: Sequence[Event]) -> None:
        if events:
            self._deliver(Publication(room, tuple(events)))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work, name="bus-repair")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _new_for(heard: Heard, events: Iterable[Event]) -> list[Event]:
    """Leave out the personal events that a poll has shown before."""
    new = [event for event in events if event.id not in heard.personal_seen]
    heard.personal_seen.update(event.id for event in new)
    return new


def _position(entry: bytes | str) -> tuple[int, int]:
    """Read a stream entry's id, MILLISECONDS-SEQUENCE, to compare it."""
    text = entry.decode() if isinstance(entry, bytes) else entry
    at, _, sequence = text.partition("-")
    return int(at), int(sequence or 0)
