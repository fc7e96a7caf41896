"""Danmaku and likes: heard by everybody who listens now, kept by nobody."""

from dataclasses import dataclass

from liveroom.domain.actors import Actor
from liveroom.domain.ids import EventId, RoomId
from liveroom.domain.refusals import Refused
from liveroom.service.ports import Ports

LIKES_PER_COMMAND_MAX = 100
"""Likes one command may carry; more are refused as invalid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A published line of danmaku: its event id and the text as others see it."""

    id: EventId
    text: str


class Talking:
    """Publishes what people say and like."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def say(self, actor: Actor, room: RoomId, text: str, cid: str | None) -> Said:
        """Publish a line that was cleaned already."""
        raise Refused("unavailable")

    async def like(self, actor: Actor, room: RoomId, count: int) -> int:
        """Add likes and return the room's total."""
        raise Refused("unavailable")
