"""Rooms and their broadcasts: create, enter, resume, go live, end."""

from liveroom.domain.actors import Actor
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.refusals import Refused
from liveroom.domain.rooms import Broadcast, Room, RoomDraft
from liveroom.service.entry import Entry, Missed
from liveroom.service.ports import Ports

MISSED_MAX = 500
"""A resume that missed more durable events than this gets a snapshot instead."""


class Rooms:
    """Creates rooms, lets people in, follows the host on and off the air."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def create(self, actor: Actor, draft: RoomDraft) -> Room:
        """Create a room of the actor's shop; the same content again returns the room."""
        raise Refused("unavailable")

    async def get(self, room: RoomId) -> Room:
        """Show a room's public fields."""
        raise Refused("unavailable")

    async def list(self) -> list[Room]:
        """List rooms, those on air first."""
        raise Refused("unavailable")

    async def end(self, actor: Actor, room: RoomId) -> Broadcast | None:
        """Close the broadcast with its report; None when there is none."""
        raise Refused("unavailable")

    async def enter(self, actor: Actor, room: RoomId) -> Entry:
        """Let somebody in: everything current, read in one transaction."""
        raise Refused("unavailable")

    async def missed(
        self, actor: Actor, room: RoomId, epoch: str, offset: int, personal: int
    ) -> Missed | None:
        """Return what happened since a position; None = take a snapshot instead."""
        raise Refused("unavailable")

    async def host_live(self, room: RoomId, user: UserId, session: str) -> None:
        """Note that the host's media flows: stage and broadcast events follow."""
        raise Refused("unavailable")

    async def host_gone(self, room: RoomId, user: UserId, session: str) -> None:
        """Note that the host's media stopped; a session taken over meanwhile changes nothing."""
        raise Refused("unavailable")
