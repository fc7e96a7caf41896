"""Who else is on the bus: what each process has, and which of them has a room's host.

Processes tell every few seconds and are believed for a little longer, by Redis' own clock.
A host's place is a lease with a fence: who finds another's fence on it gives the host up.
While Redis is away the last figures stand for a moment, and everybody keeps the hosts they
have. What is said here is approximate on purpose; nothing of it decides about money.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

import msgspec
from redis.exceptions import RedisError

from liveroom.bus.port import Place, Share
from liveroom.bus.redis import RedisBus
from liveroom.bus.scripts import RELEASE, RENEW, TAKE, TELL
from liveroom.bus.topology import partition_of
from liveroom.domain.ids import RoomId, UserId
from liveroom.observe import logger

TELL_EVERY_S: Final = 1.5
BELIEVED_MS: Final = 6_000
"""A process that has told nothing for so long has died."""
STANDS_S: Final = 15.0
"""So long the last figures of others count while Redis cannot be asked."""
LEASE_MS: Final = 8_000
"""So long a room's place is kept for a process that does not renew it."""
ROOMS_TOLD_MAX: Final = 5_000
"""Rooms one process tells of, those with most people first."""
FOUND_S: Final = 0.5
FOUND_MAX: Final = 10_000
"""A place that was looked up is known for `FOUND_S`; so many rooms at most."""

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Mine:
    """What the company asks of its own process.

    `changed` takes the rooms whose figures elsewhere changed, `lost` a room and the media
    session whose lease another process has taken.
    """

    url: Callable[[], str]
    shares: Callable[[], Mapping[RoomId, Share]]
    changed: Callable[[set[RoomId]], None]
    lost: Callable[[RoomId, str], None]


@dataclass(slots=True)
class _Lease:
    user: UserId
    session: str
    fence: int | None = None  # None = not taken yet
    is_asking: bool = False


class _Told(msgspec.Struct, array_like=True):
    url: str
    rooms: dict[str, tuple[int, int, float]]


@final
class RedisCompany:
    """The other processes of a bus over Redis."""

    def __init__(self, bus: RedisBus, mine: Mine) -> None:
        self._servers = bus.servers
        self._process = bus.process
        self._mine = mine
        self._others: dict[str, _Told] = {}
        self._heard_at = time.monotonic()
        self._shares: dict[RoomId, Share] = {}
        self._leases: dict[RoomId, _Lease] = {}
        self._found: dict[RoomId, tuple[float, Place | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Tell for the first time, then again and again."""
        await self._tell()
        self._task = asyncio.create_task(self._run(), name="bus-company")

    async def close(self) -> None:
        """Say goodbye and give all places back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for room, lease in list(self._leases.items()):
            await self.release(room, lease.session)
        await self._exchange("", "")

    def share(self, room: RoomId) -> Share:
        """Sum up what the others have of a room."""
        return self._shares.get(room, _NOTHING)

    def peers(self) -> tuple[str, ...]:
        """Name the processes that were heard of lately, this one included."""
        return (self._process, *self._others)

    def origins(self) -> tuple[str, ...]:
        """List the HTTP origins of the others."""
        return tuple({told.url for told in self._others.values() if told.url})

    # Figures.

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            try:
                await self._tell()
                await self._renew_all()
            except Exception:
                _log.exception("telling the others failed")

    async def _tell(self) -> None:
        shares = self._mine.shares()
        told = sorted(shares.items(), key=lambda row: -row[1].online)[:ROOMS_TOLD_MAX]
        rooms = {
            str(room): (share.online, share.sessions, share.messages_per_s) for room, share in told
        }
        body = msgspec.msgpack.encode(_Told(self._mine.url(), rooms))
        living = await self._exchange(body, BELIEVED_MS)
        if living is not None:
            self._heard_at = time.monotonic()
            self._others = living
        elif time.monotonic() - self._heard_at > STANDS_S:
            self._others = {}
        self._sum_up()

    async def _exchange(self, body: bytes | str, believed_ms: int | str) -> dict[str, _Told] | None:
        client = self._servers.client(0)
        if client is None:
            return None
        key = f"{self._servers.topology.tag(0)}:nodes"
        try:
            answer: Any = await client.eval(TELL, 1, key, self._process, body, believed_ms)
        except (RedisError, OSError):
            return None
        others = {}
        for name, told in zip(answer[::2], answer[1::2], strict=True):
            process = name.decode()
            if process != self._process:
                try:
                    others[process] = msgspec.msgpack.decode(told, type=_Told)
                except msgspec.MsgspecError:
                    _log.warning("a process tells what cannot be read", process=process)
        return others

    def _sum_up(self) -> None:
        sums: dict[RoomId, Share] = {}
        for told in self._others.values():
            for name, (online, sessions, messages_per_s) in told.rooms.items():
                room = RoomId(name)
                known = sums.get(room, _NOTHING)
                sums[room] = Share(
                    known.online + online,
                    known.sessions + sessions,
                    known.messages_per_s + messages_per_s,
                )
        before, self._shares = self._shares, sums
        changed = {room for room in before.keys() | sums if before.get(room) != sums.get(room)}
        if changed:
            self._mine.changed(changed)

    # Places.

    async def elsewhere(self, room: RoomId) -> Place | None:
        """Tell where a room's host is if that is another process."""
        place = await self._find(room)
        return place if place is not None and place.process != self._process else None

    def origin_of(self, room: RoomId) -> str | None:
        """Tell the HTTP origin of another process that had the host when that was asked last."""
        place = self._found.get(room, (0.0, None))[1]
        return place.url if place is not None and place.process != self._process else None

    async def is_placed(self, room: RoomId) -> bool:
        """Whether some living process has the room's host; True when that cannot be known."""
        if room in self._leases:
            return True
        self._found.pop(room, None)
        try:
            place = await self._ask(room)
        except (RedisError, OSError):
            return True
        return place is not None and place.process in self.peers()

    async def _find(self, room: RoomId) -> Place | None:
        now = time.monotonic()
        known = self._found.get(room)
        if known is not None and now - known[0] < FOUND_S:
            return known[1]
        try:
            place = await self._ask(room)
        except (RedisError, OSError):
            return None if known is None else known[1]
        if len(self._found) >= FOUND_MAX:
            self._found.clear()
        self._found[room] = (now, place)
        return place

    async def _ask(self, room: RoomId) -> Place | None:
        client = self._servers.client(partition_of(room))
        if client is None:
            raise RedisError("no server is known")
        found: Any = await client.hgetall(self._keys(room)[0])
        fields = {name.decode(): value.decode() for name, value in found.items()}
        if "session" not in fields:
            return None
        return Place(
            process=fields["process"],
            url=fields["url"],
            user=UserId(fields["user"]),
            session=fields["session"],
        )

    async def take(self, room: RoomId, user: UserId, session: str) -> None:
        """Lease a room's place; without Redis the lease is taken as soon as it is back."""
        lease = self._leases[room] = _Lease(user, session)
        self._found.pop(room, None)
        await self._take(room, lease)

    async def _take(self, room: RoomId, lease: _Lease) -> None:
        lease.is_asking = True  # a second question would take the room back from who came after
        given = (self._process, self._mine.url(), lease.user, lease.session, LEASE_MS)
        fence = await self._eval(room, TAKE, *given)
        lease.is_asking = False
        if fence is not None:
            lease.fence = int(fence)

    async def release(self, room: RoomId, session: str) -> None:
        """Give a room's place back."""
        lease = self._leases.get(room)
        if lease is None or lease.session != session:
            return
        del self._leases[room]
        self._found.pop(room, None)
        if lease.fence is not None:
            await self._eval(room, RELEASE, self._process, str(lease.fence))

    async def verify(self, room: RoomId) -> None:
        """Look now whether a room's host is still ours; if not, `lost` is called."""
        self._found.pop(room, None)
        lease = self._leases.get(room)
        if lease is not None:
            await self._renew(room, lease)
        await self._find(room)

    async def _renew_all(self) -> None:
        for room, lease in list(self._leases.items()):
            await self._renew(room, lease)

    async def _renew(self, room: RoomId, lease: _Lease) -> None:
        if lease.fence is None:
            if not lease.is_asking:
                await self._take(room, lease)
            return
        given = (self._process, self._mine.url(), lease.user, lease.session, LEASE_MS)
        kept = await self._eval(room, RENEW, *given, str(lease.fence))
        if kept == 0 and self._leases.get(room) is lease:
            del self._leases[room]
            _log.info("another process has the host", room=room, session=lease.session)
            self._mine.lost(room, lease.session)

    async def _eval(self, room: RoomId, script: str, *given: str | int) -> Any:
        """Run a script on a room's keys; None when Redis is away."""
        client = self._servers.client(partition_of(room))
        if client is None:
            return None
        keys = self._keys(room) if script == TAKE else self._keys(room)[:1]
        try:
            answer: Any = await client.eval(script, len(keys), *keys, *given)
        except (RedisError, OSError):
            return None
        return answer

    def _keys(self, room: RoomId) -> tuple[str, str]:
        tag = self._servers.topology.tag(partition_of(room))
        return f"{tag}:place:{room}", f"{tag}:fence"


_NOTHING: Final = Share()
