"""The bus of several nodes over Redis: news travel, truth stays in the store.

Fleeting news are delivered here at once and published once per room and tick for the others.
Durable events go through one script (dedupe by their numbers, append to the partition's
stream, publish) and come back to every node, this one included, in one order. Whatever may
have been missed - a reconnect, a gap in the numbers, a broker that is down - is read again
by `repair`. Delivery is inline in the reader: a subscriber only gathers for its next tick.
"""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, final

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from liveroom.bus.address import BusAddress
from liveroom.bus.line import Line
from liveroom.bus.port import (
    BusUnavailableError,
    Deliver,
    History,
    Publication,
    Unsubscribe,
    is_durable,
)
from liveroom.bus.repair import Heard, Repair
from liveroom.bus.scripts import APPEND, GAP, STREAM_ENTRIES_MAX
from liveroom.bus.servers import Owner, Servers
from liveroom.bus.topology import partition_of
from liveroom.bus.wire import UnreadableError, decode, encode
from liveroom.domain.events import Event
from liveroom.domain.ids import RoomId
from liveroom.observe import (
    BUS_LAG_SECONDS,
    BUS_PUBLISH_SECONDS,
    EVENTS_DROPPED,
    logger,
)

TICK_S: Final = 0.05
"""Fleeting news of a room gather for so long before the other nodes get them."""
PENDING_MAX: Final = 1_000
"""Fleeting events of one room in one tick; the other nodes do not get further ones."""
PENDING_ROOMS_MAX: Final = 10_000
EPOCHS_MAX: Final = 10_000
"""Rooms whose epoch is remembered; others are looked up again."""
REFUSED_S: Final = 3.0
"""So long after a failed publication the bus counts as degraded, unless one succeeds."""
GAPS_MAX: Final = 20
"""Gaps filled for one publication, a page of the store each, before it is put off."""

_APPEND_SHA: Final = hashlib.sha1(APPEND.encode(), usedforsecurity=False).hexdigest()

_log = logger(__name__)


@dataclass(slots=True)
class _Pending:
    events: list[Event] = field(default_factory=list)
    likes: int = 0


@final
class RedisBus:
    """A node's end of the bus.

    Args:
        address: where the broker is.
        node: this node's name; each process is told apart even if names are the same.
        history: the store behind the news.
        now_ms: UTC milliseconds.

    """

    def __init__(
        self, address: BusAddress, *, node: str, history: History, now_ms: Callable[[], int]
    ) -> None:
        self.process = f"{node}/{secrets.token_hex(4)}"
        self._history = history
        self._now_ms = now_ms
        self._everywhere: dict[object, Deliver] = {}
        self._pending: dict[RoomId, _Pending] = {}
        self._pending_woken = asyncio.Event()
        self._epochs: OrderedDict[RoomId, str] = OrderedDict()
        self._refused_until = 0.0
        self._closed = False
        self._flusher: asyncio.Task[None] | None = None
        owner = Owner(self._up, self._down, self._message, self._heard, self._unheard)
        self.servers = Servers(address, owner)
        self._repair = Repair(
            history,
            self.servers,
            deliver=self._deliver,
            is_degraded=lambda: self.is_degraded,
            now_ms=now_ms,
        )

    @property
    def is_shared(self) -> bool:
        """Say that other nodes are on it."""
        return True

    @property
    def is_degraded(self) -> bool:
        """Whether some partition cannot be heard or does not take events."""
        return time.monotonic() < self._refused_until or not self.servers.is_whole

    async def start(self) -> None:
        """Connect; without a broker this node goes on alone until there is one."""
        self._repair.start()
        await self.servers.start()
        self._flusher = asyncio.create_task(self._flush_ticks(), name="bus-flush")

    async def close(self) -> None:
        """Publish what waits for its tick, then let go."""
        if self._closed:
            return
        self._closed = True
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
            await self._flush()
        await self._repair.close()
        await self.servers.close()
        self._everywhere.clear()

    # Subscribing.

    def subscribe(self, room: RoomId, deliver: Deliver) -> Unsubscribe:
        """Take the publications of one room from now on."""
        heard = self._repair.rooms.get(room)
        if heard is None:
            heard = self._repair.open(room)
            if (line := self.servers.line(partition_of(room))) is not None:
                line.subscribe([self._channel(room)])
        key = object()
        heard.subscribers[key] = deliver

        def unsubscribe() -> None:
            if heard.subscribers.pop(key, None) is None or heard.subscribers:
                return
            if self._repair.rooms.get(room) is heard:
                self._repair.shut(room)
                if (line := self.servers.line(partition_of(room))) is not None:
                    line.unsubscribe(self._channel(room))

        return unsubscribe

    def subscribe_all(self, deliver: Deliver) -> Unsubscribe:
        """Take what is heard in this process."""
        key = object()
        self._everywhere[key] = deliver

        def unsubscribe() -> None:
            self._everywhere.pop(key, None)

        return unsubscribe

    async def ready(self, room: RoomId) -> None:
        """Wait until the room's place in its history is known here."""
        heard = self._repair.rooms.get(room)
        if heard is not None and not heard.is_placed.is_set():
            await heard.is_placed.wait()

    # Publishing.

    async def publish(self, publication: Publication) -> None:
        """Deliver fleeting news here at once; take durable ones to Redis and wait for its word."""
        if self._closed:
            return
        durable = [event for event in publication.events if is_durable(event)]
        if len(durable) < len(publication.events) or publication.likes:
            fleeting = tuple(event for event in publication.events if not is_durable(event))
            self._deliver(Publication(publication.room, fleeting, publication.likes))
            self._gather(publication.room, fleeting, publication.likes)
        if durable:
            await self._append(publication.room, durable)

    def _gather(self, room: RoomId, events: Sequence[Event], likes: int) -> None:
        pending = self._pending.get(room)
        if pending is None:
            if len(self._pending) >= PENDING_ROOMS_MAX:
                _count_dropped(events)
                return
            pending = self._pending[room] = _Pending()
        room_left = PENDING_MAX - len(pending.events)
        pending.events += events[:room_left]
        _count_dropped(events[room_left:])
        pending.likes += likes
        self._pending_woken.set()

    async def _flush_ticks(self) -> None:
        while True:
            await self._pending_woken.wait()
            await asyncio.sleep(TICK_S)
            self._pending_woken.clear()
            try:
                await self._flush()
            except Exception:
                _log.exception("flushing the bus failed")

    async def _flush(self) -> None:
        """Publish one message per room; what cannot be published now is too old later."""
        pending, self._pending = self._pending, {}
        by_client: dict[Redis, list[tuple[RoomId, _Pending]]] = {}
        for room, news in pending.items():
            partition = partition_of(room)
            client = self.servers.client(partition)
            if client is None or self.servers.line(partition) is None:
                _count_dropped(news.events)
                continue
            by_client.setdefault(client, []).append((room, news))
        await asyncio.gather(*(self._send(client, rows) for client, rows in by_client.items()))

    async def _send(self, client: Redis, rows: list[tuple[RoomId, _Pending]]) -> None:
        pipe = client.pipeline(transaction=False)
        for room, news in rows:
            message = encode(news.events, likes=news.likes, node=self.process, at=self._now_ms())
            pipe.execute_command("SPUBLISH", self._channel(room), b"\n" + message)
        try:
            for answer in await pipe.execute(raise_on_error=False):
                if isinstance(answer, Exception):
                    self.servers.look_again()
        except (RedisError, OSError):
            for _room, news in rows:
                _count_dropped(news.events)

    async def _append(self, room: RoomId, events: Sequence[Event]) -> None:
        started = time.monotonic()
        try:
            for _ in range(GAPS_MAX):
                verdict, reached = await self._run_append(room, events)
                if verdict != GAP:
                    break
                # Redis has lost what it was told before (a failover): tell it again, in order.
                await self._run_append(room, await self._history.since(room, reached))
            else:
                raise BusUnavailableError(f"{room}: too far behind the store")
        except (RedisError, OSError) as error:
            if time.monotonic() >= self._refused_until:
                _log.warning("the bus takes no events", why=str(error))
            self._refused_until = time.monotonic() + REFUSED_S
            self.servers.look_again()
            self._repair.wake()
            raise BusUnavailableError(str(error)) from error
        self._refused_until = 0.0
        BUS_PUBLISH_SECONDS.observe(time.monotonic() - started)

    async def _run_append(self, room: RoomId, events: Sequence[Event]) -> tuple[int, int]:
        epoch = await self._epoch(room)
        client = self.servers.client(partition_of(room))
        if client is None:
            raise BusUnavailableError("no server is known")
        tag = self.servers.topology.tag(partition_of(room))
        numbers = [event.n for event in events if event.n is not None]
        message = encode(events, likes=0, node=self.process, at=self._now_ms())
        keys = (f"{tag}:stream", f"{tag}:numbers", self._channel(room))
        first, last = (numbers[0], numbers[-1]) if numbers else (0, 0)
        given = (room, epoch, first, last, message, STREAM_ENTRIES_MAX)
        verdict, reached = await _evaluate(client, keys, given)
        return int(verdict), int(reached)

    async def _epoch(self, room: RoomId) -> str:
        known = self._epochs.get(room)
        if known is None:
            positions = await self._history.positions([room])
            known = positions[room].epoch if room in positions else ""
            self._epochs[room] = known
            if len(self._epochs) > EPOCHS_MAX:
                self._epochs.popitem(last=False)
        return known

    # Hearing.

    def _channel(self, room: RoomId) -> str:
        return f"{self.servers.topology.tag(partition_of(room))}:room:{room}"

    def _up(self, partitions: Sequence[int], line: Line, run: str) -> None:
        for partition in partitions:
            channels = [self._channel(room) for room in self._repair.rooms_of(partition)]
            self._repair.up(partition, run)
            line.subscribe(channels)

    def _down(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._repair.down(partition)

    def _heard(self, channel: bytes) -> None:
        self._repair.confirmed(_room_of(channel))

    def _unheard(self, channel: bytes) -> None:
        """A cluster moves slots away: look where to, unless we unsubscribed ourselves."""
        if _room_of(channel) in self._repair.rooms:
            self._repair.down(partition_of(_room_of(channel)))
            if (line := self.servers.line(partition_of(_room_of(channel)))) is not None:
                line.close()

    def _message(self, channel: bytes, data: bytes) -> None:
        room = _room_of(channel)
        entry, _, message = data.partition(b"\n")
        try:
            news = decode(room, message)
        except UnreadableError as error:
            _log.warning("unreadable news", room=room, why=str(error))
            return
        if news.unknown:
            EVENTS_DROPPED.labels("unknown", "version").inc(news.unknown)
        if news.node != self.process:
            BUS_LAG_SECONDS.observe(max(0, self._now_ms() - news.at) / 1000)
        if entry:
            self._repair.arrived(room, entry.decode(), news.events)
        elif news.node != self.process:
            self._deliver(Publication(room, news.events, news.likes))

    def _deliver(self, publication: Publication) -> None:
        heard: Heard | None = self._repair.rooms.get(publication.room)
        subscribers = tuple(heard.subscribers.values()) if heard is not None else ()
        for deliver in chain(subscribers, tuple(self._everywhere.values())):
            try:
                deliver(publication)
            except Exception:
                _log.exception("subscriber failed", room=publication.room)


async def _evaluate(client: Redis, keys: Sequence[str], given: Sequence[Any]) -> Any:
    try:
        return await client.evalsha(_APPEND_SHA, len(keys), *keys, *given)
    except NoScriptError:
        return await client.eval(APPEND, len(keys), *keys, *given)
    except ResponseError as error:
        # MOVED, READONLY, CLUSTERDOWN: somebody else has the partition by now.
        raise BusUnavailableError(str(error)) from error


def _room_of(channel: bytes) -> RoomId:
    return RoomId(channel.partition(b"}:room:")[2].decode())


def _count_dropped(events: Sequence[Event]) -> None:
    for event in events:
        EVENTS_DROPPED.labels(event.fact.DELIVERY.value, "bus").inc()
