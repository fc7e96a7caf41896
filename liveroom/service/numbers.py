"""The numbers of a room: what the board shows."""

from liveroom.domain.actors import Actor
from liveroom.domain.ids import RoomId
from liveroom.domain.refusals import Refused
from liveroom.service.ports import Ports


class Numbers:
    """Reads a room's numbers."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def of(self, actor: Actor, room: RoomId) -> dict[str, int | float]:
        """Read the numbers: host, merchant and admin only."""
        raise Refused("unavailable")
