"""Recognition: who came in, shown to the host; welcome back, shown to them.

Runs after the welcome was written, so nobody waits for it.
"""

from liveroom.domain.actors import Actor
from liveroom.domain.events import Event
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.refusals import Refused
from liveroom.service.entry import Entry
from liveroom.service.ports import Ports


class Recognising:
    """Keeps the host's queue of returning customers."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def arrived(self, entry: Entry) -> None:
        """Count the visit, tell the host, welcome the person, announce the entry."""
        raise Refused("unavailable")

    def left(self, room: RoomId, user: UserId) -> None:
        """Note that a connection of somebody closed."""
        raise Refused("unavailable")

    def current(self, room: RoomId) -> tuple[Event, ...]:
        """List the cards that are current, most valuable first: the host's snapshot."""
        raise Refused("unavailable")

    async def thank(self, actor: Actor, room: RoomId, user: UserId) -> None:
        """Let the host thank a recognised customer in public; their card is done then."""
        raise Refused("unavailable")
