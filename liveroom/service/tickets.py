"""Tickets: short single-use links instead of tokens; only their digest is kept."""

from dataclasses import dataclass
from typing import Final

from liveroom.domain.actors import Actor, Role
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.orders import check_amount
from liveroom.domain.refusals import Refused
from liveroom.service.access import MERCHANTS, Access, require
from liveroom.service.ports import Ports
from liveroom.store import tickets

TICKET_TTL_S: Final = 15 * 60
"""How long a ticket lives when nothing is said."""
TICKET_TTL_S_MAX: Final = 30 * 24 * 60 * 60
"""A longer life is refused as invalid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDraft:
    """What a link shall let its first user be."""

    user: UserId
    role: Role
    room: RoomId
    name: str | None = None
    ttl_s: int = TICKET_TTL_S
    reusable: bool = False


class Tickets:
    """Issues tickets and trades them for claims."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access

    async def issue(self, actor: Actor, draft: TicketDraft) -> str:
        """Make a ticket for a room of the actor's shop; nobody can give away more than they are."""
        require(actor, MERCHANTS)
        if draft.role is Role.ADMIN and actor.role is not Role.ADMIN:
            raise Refused("forbidden")
        check_amount("ttl", draft.ttl_s, least=1, most=TICKET_TTL_S_MAX)
        actor, door = await self._access.enter(actor, draft.room)
        ticket = self._ports.new_secret()
        expires_at = self._ports.now_ms() + draft.ttl_s * 1_000
        await self._ports.store.run(
            lambda tx: tickets.add(
                tx,
                door.tenant,
                ticket,
                member=draft.user,
                role=draft.role.value,
                room=draft.room,
                name=draft.name,
                reusable=draft.reusable,
                expires_at=expires_at,
            )
        )
        return ticket

    async def trade(self, ticket: str) -> Actor:
        """Use a ticket: the claims to sign a token for (`expires_at` is left 0)."""
        at = self._ports.now_ms()
        row = await self._ports.store.run(lambda tx: tickets.use(tx, ticket, at=at))
        if row is None:
            raise Refused("bad_ticket")
        return Actor(
            user=row.member,
            role=Role(row.role),
            room=row.room,
            tenant=row.tenant,
            name=row.name,
        )
