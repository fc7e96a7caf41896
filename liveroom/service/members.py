"""Members of a shop: import, age, follow, own card, own ledger."""

from collections.abc import Callable
from typing import Any

from liveroom.domain.actors import ANY_ROOM, Actor, AgeBand
from liveroom.domain.ids import RoomId, TenantId
from liveroom.domain.ledger import Bundle, Transfer, chart
from liveroom.domain.members import (
    COINS_MAX,
    FollowState,
    LedgerLine,
    LedgerPage,
    Member,
    MemberDraft,
)
from liveroom.domain.orders import check_amount
from liveroom.domain.refusals import Refused
from liveroom.observe import LEDGER_TRANSFERS
from liveroom.service.access import MERCHANTS, Access, require, require_name
from liveroom.service.cards import read_cards
from liveroom.service.entry import Me
from liveroom.service.ports import Ports
from liveroom.service.profiles import Profiles
from liveroom.store import journal, keys, members, posting, rooms
from liveroom.store.journal import Place
from liveroom.store.port import Transaction


def _changes(draft: MemberDraft) -> dict[str, Any]:
    """List the fields that an import says something about."""
    said = {
        "name": draft.name,
        "age_band": draft.age_band,
        "public_orders": draft.public_orders,
        "ritual": draft.ritual,
    }
    return {name: value for name, value in said.items() if value is not None}


class Members:
    """Keeps the shop's members."""

    def __init__(self, ports: Ports, access: Access, profiles: Profiles) -> None:
        self._ports = ports
        self._access = access
        self._profiles = profiles

    async def import_one(self, actor: Actor, draft: MemberDraft, key: str | None) -> Member:
        """Import a member; coins need a key and a new member.

        Raises:
            Refused: `forbidden`, `invalid`, `key_required`, `exists`, `idempotency_mismatch`.

        """
        require(actor, MERCHANTS)
        check_amount("coins", draft.coins, least=0, most=COINS_MAX)
        if draft.coins and not key:
            raise Refused("key_required")
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def effect(tx: Transaction) -> Member:
            return self.write(tx, tenant, draft, key or "", at)

        def command(tx: Transaction) -> keys.Outcome:
            if not key:
                return keys.Outcome(effect(tx))
            scope = keys.Scope(tenant=tenant, command="member", subject="", key=key)
            return keys.once(tx, scope, command=draft, at=at, answer_type=Member, effect=effect)

        outcome = await self._ports.store.run(command)
        member: Member = outcome.unwrap()
        LEDGER_TRANSFERS.inc(1 if draft.coins and not outcome.again else 0)
        self._profiles.forget(tenant, draft.id)
        return member

    def write(
        self, tx: Transaction, tenant: TenantId, draft: MemberDraft, key: str, at: int
    ) -> Member:
        """Write a member inside a command, with the opening balance of a new one."""
        is_new = members.ensure(tx, tenant, draft.id, at=at)
        if draft.coins:
            if not is_new:
                raise Refused("exists", "Coins are an opening balance: only for a new member.")
            wallet = chart.wallet_of(draft.id)
            opening = Transfer(chart.ISSUER, wallet, draft.coins)
            bundle = Bundle(id=self._ports.new_id(), cause="opening", ref=key, transfers=(opening,))
            posting.post_bundle(tx, tenant, bundle, at=at)
        members.change(tx, tenant, draft.id, _changes(draft))
        member = members.find(tx, tenant, draft.id)
        assert member is not None
        return member

    async def confirm_age(self, actor: Actor, key: str | None = None) -> Me:
        """Let somebody confirm with one tap that they are an adult.

        What the token or the shop says about a minor is not theirs to change.
        """

        def confirm(tx: Transaction, tenant: TenantId) -> None:
            known = members.find(tx, tenant, actor.user)
            record = known.age_band if known else None
            if AgeBand.MINOR in (actor.age_band, record):
                raise Refused("age_unconfirmed", "The shop knows you as a minor; ask the shop.")
            members.change(tx, tenant, actor.user, {"age_band": AgeBand.ADULT})

        return await self._change(actor, confirm)

    async def set_ritual(self, actor: Actor, *, on: bool) -> Me:
        """Let somebody choose whether their nth order is thanked in public."""
        return await self._change(
            actor, lambda tx, tenant: members.change(tx, tenant, actor.user, {"ritual": on})
        )

    async def set_public_orders(self, actor: Actor, *, on: bool) -> Me:
        """Let somebody choose whether they are named when they buy."""
        return await self._change(
            actor, lambda tx, tenant: members.change(tx, tenant, actor.user, {"public_orders": on})
        )

    async def _change(self, actor: Actor, change: Callable[[Transaction, TenantId], None]) -> Me:
        require_name(actor)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def command(tx: Transaction) -> None:
            members.ensure(tx, tenant, actor.user, at=at)
            change(tx, tenant)

        await self._ports.store.run(command)
        self._profiles.forget(tenant, actor.user)
        return await self.me(actor, None)

    async def follow(self, actor: Actor, room: RoomId) -> FollowState:
        """Follow a room; twice is once."""
        return await self._set_follow(actor, room, on=True)

    async def unfollow(self, actor: Actor, room: RoomId) -> FollowState:
        """Stop following a room."""
        return await self._set_follow(actor, room, on=False)

    async def _set_follow(self, actor: Actor, room: RoomId, *, on: bool) -> FollowState:
        actor, door = await self._access.enter(actor, room)
        require_name(actor)
        place = Place(tenant=door.tenant, room=room, at=self._ports.now_ms())

        def command(tx: Transaction) -> FollowState:
            by = members.set_follow(tx, door.tenant, room, actor.user, on=on, at=place.at)
            journal.count_up(tx, place, add={"followers": by})
            state = rooms.state(tx, room)
            assert state is not None
            return FollowState(following=on, followers=state.counters.followers)

        return await self._ports.store.run(command)

    async def me(self, actor: Actor, room: RoomId | None) -> Me:
        """Show somebody their own card, and their relation to a room."""
        if room is None and actor.room != ANY_ROOM:
            room = actor.room
        if room is None:
            tenant = await self._access.tenant(actor)
        else:
            actor, door = await self._access.enter(actor, room)
            tenant = door.tenant

        def command(tx: Transaction) -> Me:
            ((card, _),) = read_cards(tx, [actor], tenant, room)
            state = rooms.state(tx, room) if room else None
            follow = None
            if state is not None:
                follow = FollowState(following=card.following, followers=state.counters.followers)
            return Me(card=card, follow=follow)

        return await self._ports.store.run(command)

    async def ledger(self, actor: Actor, cursor: str | None) -> LedgerPage:
        """Show somebody their own ledger, newest first."""
        require_name(actor)
        tenant = await self._access.tenant(actor)
        before = _version_of(cursor)
        wallet = chart.wallet_of(actor.user)
        rows = await self._ports.store.run(
            lambda tx: posting.lines_of(tx, tenant, wallet, before=before)
        )
        page, more = rows[: posting.PAGE], len(rows) > posting.PAGE
        lines = tuple(
            LedgerLine(
                id=row.id,
                at=row.at,
                unit=row.unit,
                amount=row.amount,
                balance=row.balance,
                cause=row.cause,
                ref=row.ref,
            )
            for row in page
        )
        return LedgerPage(lines=lines, next=str(page[-1].version) if more else None)


def _version_of(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise Refused("invalid", "The cursor is not one of ours; start without it.")
    return int(cursor)
