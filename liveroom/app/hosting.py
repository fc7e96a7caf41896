"""The rooms whose hosts this process carries: leased for as long as their media is here.

In: what the forwarding unit says of hosts, what the bus says of stages. Out: leases taken and
given back; a host whom another process has taken over is cut here.
"""

import asyncio
from collections.abc import Callable

from liveroom.bus.port import Bus, Company, Publication, Unsubscribe
from liveroom.domain.events import BroadcastChanged, StageChanged
from liveroom.domain.ids import RoomId, UserId


def _not_shown(_publication: Publication) -> None:
    """Subscribe for the sake of those who hear all rooms: revocations reach the media too."""


class Hosting:
    """Keeps the leases of hosts.

    Args:
        bus: where their rooms are heard.
        company: where the leases are.
        end_session: ends a media session with a reason.

    """

    def __init__(
        self, bus: Bus, company: Company, end_session: Callable[[str, str], object]
    ) -> None:
        self._bus = bus
        self._company = company
        self._end_session = end_session
        self._rooms: dict[RoomId, tuple[str, Unsubscribe]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def began(self, room: RoomId, user: UserId, session: str) -> None:
        """Note that a host's media flows here; call it before anybody is told."""
        known = self._rooms.get(room)
        if known is None:
            self._rooms[room] = (session, self._bus.subscribe(room, _not_shown))
        else:
            self._rooms[room] = (session, known[1])
        await self._company.take(room, user, session)

    async def ended(self, room: RoomId, session: str) -> None:
        """Note that a host's media session is over."""
        known = self._rooms.get(room)
        if known is not None and known[0] == session:
            del self._rooms[room]
            known[1]()
            await self._company.release(room, session)

    def hear(self, publication: Publication) -> None:
        """Cut a host whose broadcast was ended; look where they are when a stage changes."""
        known = self._rooms.get(publication.room)
        facts = [event.fact for event in publication.events]
        has_ended = any(
            isinstance(fact, BroadcastChanged) and fact.phase == "ended" for fact in facts
        )
        if known is not None and has_ended:
            self._end_session(known[0], "ended")
        elif any(isinstance(fact, StageChanged) for fact in facts):
            task = asyncio.create_task(self._company.verify(publication.room), name="lease")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def lost(self, _room: RoomId, session: str) -> None:
        """Cut a host whom another process carries now."""
        self._end_session(session, "taken_over")
