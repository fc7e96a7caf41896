"""Members of a shop: import, age, follow, own card, own ledger."""

from liveroom.domain.actors import Actor
from liveroom.domain.ids import RoomId
from liveroom.domain.members import FollowState, LedgerPage, Member, MemberDraft
from liveroom.domain.refusals import Refused
from liveroom.service.entry import Me
from liveroom.service.ports import Ports


class Members:
    """Keeps the shop's members."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def import_one(self, actor: Actor, draft: MemberDraft, key: str | None) -> Member:
        """Import a member; coins need a key and a new member."""
        raise Refused("unavailable")

    async def confirm_age(self, actor: Actor, key: str | None = None) -> Me:
        """Let somebody confirm with one tap that they are an adult."""
        raise Refused("unavailable")

    async def follow(self, actor: Actor, room: RoomId) -> FollowState:
        """Follow a room; twice is once."""
        raise Refused("unavailable")

    async def unfollow(self, actor: Actor, room: RoomId) -> FollowState:
        """Stop following a room."""
        raise Refused("unavailable")

    async def set_ritual(self, actor: Actor, *, on: bool) -> Me:
        """Let somebody choose whether their nth order is thanked in public."""
        raise Refused("unavailable")

    async def set_public_orders(self, actor: Actor, *, on: bool) -> Me:
        """Let somebody choose whether they are named when they buy."""
        raise Refused("unavailable")

    async def me(self, actor: Actor, room: RoomId | None) -> Me:
        """Show somebody their own card."""
        raise Refused("unavailable")

    async def ledger(self, actor: Actor, cursor: str | None) -> LedgerPage:
        """Show somebody their own ledger, newest first."""
        raise Refused("unavailable")
