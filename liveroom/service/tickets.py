"""Tickets: short single-use links instead of tokens; only their hash is kept."""

from dataclasses import dataclass

from liveroom.domain.actors import Actor, Role
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.refusals import Refused
from liveroom.service.ports import Ports

TICKET_TTL_S = 15 * 60
"""How long a ticket lives when nothing is said."""
TICKET_TTL_S_MAX = 30 * 24 * 60 * 60
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

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def issue(self, actor: Actor, draft: TicketDraft) -> str:
        """Make a ticket for a room of the actor's shop."""
        raise Refused("unavailable")

    async def trade(self, ticket: str) -> Actor:
        """Use a ticket: the claims to sign a token for (`expires_at` is left 0)."""
        raise Refused("unavailable")
