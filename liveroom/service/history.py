"""The store as a bus asks for it: how far rooms are, and what somebody has missed."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from liveroom.bus.port import Position
from liveroom.domain.events import Event
from liveroom.domain.ids import RoomId
from liveroom.store import journal
from liveroom.store.port import Store


class StoreHistory:
    """Reads the journal."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def positions(self, rooms: Collection[RoomId]) -> Mapping[RoomId, Position]:
        """Tell how far the rooms are; one that does not exist is left out."""
        found = await self._store.run(partial(journal.positions, wanted=list(rooms)))
        return {room: Position(epoch, n) for room, epoch, n in found}

    async def since(self, room: RoomId, offset: int) -> Sequence[Event]:
        """List the room's events after an offset, in order; a bounded page of them."""
        return await self._store.run(partial(journal.page_since, room=room, offset=offset))

    async def personal_since(self, rooms: Collection[RoomId], at: int) -> Sequence[Event]:
        """List the personal events in these rooms from a time on (UTC ms), in order."""
        return await self._store.run(
            partial(journal.personal_events_since, places=list(rooms), at=at)
        )
