"""Coupons: templates made by the shop, taken or given, counted from the books."""

from dataclasses import dataclass

from liveroom.domain.actors import Actor
from liveroom.domain.coupons import (
    CouponTemplate,
    CouponUsage,
    HeldCoupon,
    check_claim,
    check_template,
)
from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.domain.loyalty import CouponGiven
from liveroom.domain.refusals import Refused
from liveroom.domain.tiers import Tier
from liveroom.service.access import CUSTOMERS, MERCHANTS, Access, require, require_name
from liveroom.service.ports import Ports
from liveroom.store import coupons, journal, keys, levels, members
from liveroom.store.journal import Place
from liveroom.store.port import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateStanding:
    """A template beside what became of its coupons."""

    template: CouponTemplate
    usage: CouponUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCoupon:
    """A coupon that somebody could take in a room; `taken`: they have as many as one may."""

    template: CouponTemplate
    taken: bool


class Couponing:
    """Keeps coupons."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access

    async def create(self, actor: Actor, template: CouponTemplate) -> CouponTemplate:
        """Make a kind of coupon; the same again is the same, another of its id is refused.

        Raises:
            Refused: `forbidden`, `invalid`, `exists`, `used_up`.

        """
        require(actor, MERCHANTS)
        check_template(template)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def command(tx: Transaction) -> CouponTemplate:
            if not coupons.add(tx, tenant, template, at=at) and (
                coupons.find(tx, tenant, template.id) != template
            ):
                raise Refused("exists")
            return template

        return await self._ports.store.run(command)

    async def all(self, actor: Actor) -> list[TemplateStanding]:
        """List the shop's kinds of coupons and what became of them."""
        require(actor, MERCHANTS)
        tenant = await self._access.tenant(actor)

        def command(tx: Transaction) -> list[TemplateStanding]:
            return [
                TemplateStanding(template=one, usage=coupons.usage(tx, tenant, one))
                for one in coupons.all_templates(tx, tenant)
            ]

        return await self._ports.store.run(command)

    async def give(self, actor: Actor, template: str, user: UserId, key: str) -> HeldCoupon:
        """Give somebody a coupon on the shop's behalf.

        Raises:
            Refused: `forbidden`, `no_such_coupon`, `not_claimable`, `claimed`, `used_up`,
                `idempotency_mismatch`.

        """
        require(actor, MERCHANTS)
        tenant = await self._access.tenant(actor)
        scope = keys.Scope(tenant=tenant, command="coupon.give", subject="", key=key)
        return await self._issue(scope, template, user, None, actor=actor.user, why="gift")

    async def claim(self, actor: Actor, room: RoomId, template: str, key: str) -> HeldCoupon:
        """Take a coupon that is open to all.

        Raises:
            Refused: `anonymous`, `no_such_coupon`, `not_claimable`, `claimed`, `used_up`,
                `idempotency_mismatch`.

        """
        require(actor, CUSTOMERS)
        actor, door = await self._access.enter(actor, room)
        require_name(actor)
        scope = keys.Scope(tenant=door.tenant, command="coupon.claim", subject=actor.user, key=key)
        return await self._issue(scope, template, actor.user, room, actor=actor.user, why="claim")

    async def open_in(self, actor: Actor, room: RoomId) -> list[OpenCoupon]:
        """List what somebody may take now."""
        actor, door = await self._access.enter(actor, room)
        at = self._ports.now_ms()

        def command(tx: Transaction) -> list[OpenCoupon]:
            tier = _tier(tx, door.tenant, actor.user)
            got = coupons.issued_to(tx, door.tenant, actor.user)
            return [
                OpenCoupon(template=one, taken=got.get(one.id, 0) >= one.per_member)
                for one in coupons.all_templates(tx, door.tenant)
                if _is_open(one, tier, at)
            ]

        return await self._ports.store.run(command)

    async def held(self, actor: Actor) -> list[HeldCoupon]:
        """List one's own coupons, the soonest end first."""
        require_name(actor)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()
        return await self._ports.store.run(
            lambda tx: coupons.held_by(tx, tenant, actor.user, at=at)
        )

    async def _issue(
        self,
        scope: keys.Scope,
        template: str,
        user: UserId,
        room: RoomId | None,
        *,
        actor: str,
        why: str,
    ) -> HeldCoupon:
        at, id = self._ports.now_ms(), self._ports.new_id()
        tenant = scope.tenant

        def effect(tx: Transaction) -> HeldCoupon:
            found = coupons.find(tx, tenant, template)
            check_claim(found, _tier(tx, tenant, user), at=at, claimed=why == "claim")
            members.ensure(tx, tenant, user, at=at)
            held = coupons.issue(
                tx,
                tenant,
                found,
                user,
                id=id,
                cause=f"coupon:{why}",
                ref=scope.key,
                actor=actor,
                at=at,
            )
            if room is not None:
                self._tell(tx, Place(tenant=tenant, room=room, at=at), user, held, id, why)
            return held

        def command(tx: Transaction) -> keys.Outcome:
            asked = {"template": template, "user": user, "room": room}
            return keys.once(tx, scope, command=asked, at=at, answer_type=HeldCoupon, effect=effect)

        given: HeldCoupon = (await self._ports.store.run(command)).unwrap()
        return given

    def _tell(
        self, tx: Transaction, place: Place, user: UserId, held: HeldCoupon, id: str, why: str
    ) -> None:
        fact = CouponGiven(
            coupon=id,
            template=held.template.id,
            title=held.template.title,
            expires_at=held.expires_at,
            why=why,
        )
        journal.append_personal(tx, place, user, fact, new_id=self._ports.new_id)


def _tier(tx: Transaction, tenant: TenantId, user: UserId) -> Tier:
    level = levels.find(tx, tenant, user)
    return level.tier if level else Tier.BASIC


def _is_open(template: CouponTemplate, tier: Tier, at: int) -> bool:
    try:
        check_claim(template, tier, at=at, claimed=True)
    except Refused:
        return False
    return True
