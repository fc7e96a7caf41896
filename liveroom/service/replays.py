"""What can be seen again, and by whom: explanations from the product card, whole broadcasts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from liveroom.domain.actors import Actor
from liveroom.domain.basket import card_of
from liveroom.domain.events import ProductCard
from liveroom.domain.ids import BroadcastId, RoomId, TenantId
from liveroom.domain.recordings import (
    SEGMENT_MS_MIN,
    Part,
    Recording,
    RecordingId,
    Segment,
    parts_of,
)
from liveroom.domain.refusals import Refused
from liveroom.domain.rooms import Broadcast
from liveroom.service.access import Access
from liveroom.service.ports import Ports
from liveroom.store import recordings, rooms, shop
from liveroom.store.port import Transaction

SEGMENTS_LISTED_MAX: Final = 100

EndOf = Callable[[RecordingId], int | None]
"""Tells when a file was last written, in UTC milliseconds; None when it is not there."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The newest explanation of a product that can be seen."""

    segment: Segment
    product: ProductCard
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """A broadcast that is over, take by take."""

    broadcast: Broadcast
    parts: tuple[Part, ...]


class Replays:
    """Keeps what was recorded, and finds it again.

    Args:
        ports: store and clock.
        access: who may enter a room may see what happened in it.
        node: the name under which this process records.

    """

    def __init__(self, ports: Ports, access: Access, node: str) -> None:
        self._ports = ports
        self._access = access
        self._node = node

    async def begin(
        self, recording: RecordingId, room: RoomId, session: str, started_at: int
    ) -> bool:
        """Note a recording that has begun; False when the room has no broadcast."""

        def command(tx: Transaction) -> bool:
            found = rooms.find(tx, room)
            if found is None or found.broadcast is None:
                return False
            begun = Recording(
                id=recording,
                room=room,
                broadcast=found.broadcast.id,
                session=session,
                started_at=started_at,
            )
            recordings.add(tx, found.tenant, begun, node=self._node)
            return True

        return await self._ports.store.run(command)

    async def finish(self, recording: RecordingId, *, reason: str, size: int) -> None:
        """Note that a recording's file is closed."""
        at = self._ports.now_ms()
        await self._ports.store.run(
            lambda tx: recordings.finish(tx, recording, ended_at=at, reason=reason, size=size)
        )

    async def recover(self, end_of: EndOf) -> None:
        """After a crash: what this node was recording ended when its file was last written."""
        left = await self._ports.store.run(lambda tx: recordings.unfinished(tx, node=self._node))
        ends = {each.id: end_of(each.id) or each.started_at for each in left}

        def command(tx: Transaction) -> None:
            for recording, at in ends.items():
                recordings.finish(tx, recording, ended_at=at, reason="cut_off", size=0)

        await self._ports.store.run(command)

    async def explanations(self, actor: Actor | None, room: RoomId) -> list[Explanation]:
        """List the newest explanation of each product that can be seen."""
        tenant = await self._enter(actor, room)
        now = self._ports.now_ms()

        def command(tx: Transaction) -> list[Explanation]:
            closed = recordings.closed_segments(tx, tenant, room)
            takes: dict[BroadcastId, list[Recording]] = {}
            for take in recordings.of_broadcasts(tx, tenant, {s.broadcast for s in closed}):
                takes.setdefault(take.broadcast, []).append(take)
            found: dict[str, Explanation] = {}
            for segment in closed:
                if segment.product in found or len(found) >= SEGMENTS_LISTED_MAX:
                    continue
                parts = parts_of(segment, takes.get(segment.broadcast, ()), now=now)
                product = shop.find_product(tx, tenant, segment.product) if parts else None
                if product is not None:
                    found[segment.product] = Explanation(segment, card_of(product, at=now), parts)
            return list(found.values())

        return await self._ports.store.run(command)

    async def last(self, actor: Actor | None, room: RoomId) -> Replay | None:
        """Find the newest broadcast that is over and was recorded."""
        tenant = await self._enter(actor, room)

        def command(tx: Transaction) -> Replay | None:
            wanted = recordings.last_recorded_broadcast(tx, tenant, room)
            if wanted is None:
                return None
            listed = rooms.broadcasts_of(tx, room, limit=SEGMENTS_LISTED_MAX)
            broadcast = next((each for each in listed if each.id == wanted), None)
            takes = recordings.of_broadcasts(tx, tenant, [wanted])
            parts = tuple(
                Part(take.id, 0, take.ended_at - take.started_at)
                for take in takes
                if take.ended_at is not None and take.ended_at - take.started_at >= SEGMENT_MS_MIN
            )
            return Replay(broadcast, parts) if broadcast is not None and parts else None

        return await self._ports.store.run(command)

    async def recording(self, room: RoomId, name: str) -> Recording | None:
        """Find a recording of a room by its name."""
        return await self._ports.store.run(lambda tx: recordings.find(tx, room, name))

    async def part(self, room: RoomId, segment: str, recording: str) -> Part:
        """Find the part of a recording that belongs to a segment.

        Raises:
            Refused: `not_found`.

        """
        now = self._ports.now_ms()

        def command(tx: Transaction) -> tuple[Part, ...]:
            found = recordings.find_segment(tx, room, segment)
            take = recordings.find(tx, room, recording)
            return () if found is None or take is None else parts_of(found, [take], now=now)

        parts = await self._ports.store.run(command)
        if not parts:
            raise Refused("not_found")
        return parts[0]

    async def _enter(self, actor: Actor | None, room: RoomId) -> TenantId:
        door = await self._access.door(room)
        if actor is not None:
            await self._access.enter(actor, room)
        elif not door.anonymous:
            raise Refused("no_token", "This room wants a token: Authorization: Bearer TOKEN.")
        return door.tenant


def last_written(folder: Path) -> EndOf:
    """Look at the files of a folder."""

    def end_of(recording: RecordingId) -> int | None:
        try:
            return int((folder / recording).stat().st_mtime * 1000)
        except OSError:
            return None

    return end_of
