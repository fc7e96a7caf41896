"""May they: which shop an actor acts for, which room they may be in, which role it takes.

Another shop's room does not exist for an actor (404); another room of their shop is
forbidden (403). What never changes about a room is remembered, so that a line of danmaku
costs no read.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from liveroom.domain.actors import ANY_ROOM, Actor, Role
from liveroom.domain.ids import DEFAULT_TENANT, RoomId, TenantId, UserId
from liveroom.domain.refusals import Refused
from liveroom.service.standing import Standing
from liveroom.store import rooms
from liveroom.store.port import Store

DOORS_MAX: Final = 10_000
"""Rooms remembered; the one unused longest is read again when needed."""

MERCHANTS: Final = frozenset({Role.MERCHANT, Role.ADMIN})
HOSTS: Final = frozenset({Role.HOST})
HOSTS_AND_MERCHANTS: Final = HOSTS | MERCHANTS
CUSTOMERS: Final = frozenset({Role.VIEWER, Role.GUEST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What never changes about a room."""

    room: RoomId
    tenant: TenantId
    host: UserId | None
    language: str
    anonymous: bool


def require(actor: Actor, roles: frozenset[Role]) -> None:
    """Refuse other roles."""
    if actor.role not in roles:
        raise Refused("forbidden")


def require_name(actor: Actor) -> None:
    """Refuse visitors who have no account."""
    if actor.anonymous:
        raise Refused("anonymous")


class Access:
    """Answers who may enter where."""

    def __init__(self, store: Store, standing: Standing) -> None:
        self._store = store
        self._standing = standing
        self._doors: OrderedDict[RoomId, Door] = OrderedDict()

    async def door(self, room: RoomId) -> Door:
        """Find a room."""
        known = self._doors.get(room)
        if known is None:
            found = await self._store.run(lambda tx: rooms.find(tx, room))
            if found is None:
                raise Refused("no_such_room")
            known = self._doors[room] = Door(
                room=room,
                tenant=found.tenant,
                host=found.host,
                language=found.language,
                anonymous=found.anonymous,
            )
            if len(self._doors) > DOORS_MAX:
                self._doors.popitem(last=False)
        self._doors.move_to_end(room)
        return known

    async def enter(self, actor: Actor, room: RoomId) -> tuple[Actor, Door]:
        """Let an actor into a room: their tenant is resolved in what is returned.

        Every command in a room comes through here, so who was kicked or banned can do nothing.
        """
        door = await self.door(room)
        if actor.tenant not in (None, door.tenant):
            raise Refused("no_such_room")
        if not actor.covers(room):
            raise Refused("other_room")
        if actor.anonymous and not door.anonymous:
            raise Refused("anonymous")
        await self._standing.admit(actor, door.tenant, room)
        return replace(actor, tenant=door.tenant), door

    async def tenant(self, actor: Actor) -> TenantId:
        """Say for which shop an actor acts outside any room."""
        if actor.tenant is not None:
            return actor.tenant
        if actor.room != ANY_ROOM and actor.role not in MERCHANTS:
            return (await self.door(actor.room)).tenant
        return DEFAULT_TENANT
