"""What a cart would cost somebody now: their prices, their coupons, their points, explained."""

from collections.abc import Sequence
from dataclasses import dataclass

from liveroom.domain.actors import Actor
from liveroom.domain.coupons import offer_of
from liveroom.domain.ids import ProductId, RoomId, TenantId, UserId
from liveroom.domain.ledger import chart
from liveroom.domain.pricing import CartLine, Offer, Quote, quote
from liveroom.domain.refusals import Refused
from liveroom.domain.shop_rules import ShopRules, day_offers
from liveroom.service.access import CUSTOMERS, Access, require
from liveroom.service.ports import Ports
from liveroom.service.rewarding import POINTS
from liveroom.store import coupons, levels, members, posting, rules, shop
from liveroom.store.port import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """So many of a product."""

    product: ProductId
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """What somebody wants to buy: with which coupons (None = the best), how many points."""

    lines: tuple[Wanted, ...]
    coupons: tuple[str, ...] | None = None
    points: int = 0


class Quoting:
    """Makes quotes; the checkout makes its own by the same function, in its transaction."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access

    async def quote(self, actor: Actor, room: RoomId, basket: Basket) -> Quote:
        """Say what a basket costs and why.

        Raises:
            Refused: `invalid`, `no_such_product`, `no_such_coupon` (one that is not theirs).

        """
        require(actor, CUSTOMERS)
        actor, door = await self._access.enter(actor, room)
        user = None if actor.anonymous else actor.user
        at = self._ports.now_ms()
        return await self._ports.store.run(
            lambda tx: quote_in(tx, door.tenant, user, basket, at=at)
        )


def quote_in(
    tx: Transaction, tenant: TenantId, user: UserId | None, basket: Basket, *, at: int
) -> Quote:
    """Make a quote inside a command."""
    shop_rules = rules.in_force(tx, tenant)[1]
    lines = [_line_of(tx, tenant, f"{number:03}", one) for number, one in enumerate(basket.lines)]
    offers = _offers_of(tx, tenant, user, shop_rules, basket.coupons, at)
    points = 0
    if user is not None and basket.points:
        wallet = chart.wallet_of(user, POINTS)
        points = min(basket.points, posting.spendable_of(tx, tenant, wallet, at=at))
    return quote(
        lines,
        offers,
        stacking=shop_rules.stacking,
        points=points,
        points_rule=shop_rules.points,
    )


def _line_of(tx: Transaction, tenant: TenantId, id: str, wanted: Wanted) -> CartLine:
    found = shop.find_product(tx, tenant, wanted.product)
    if found is None:
        raise Refused("no_such_product")
    return CartLine(
        id=id,
        product=found.id,
        quantity=wanted.quantity,
        list_price=found.price,
        unit_price=found.price,
        category=found.category,
    )


def _offers_of(
    tx: Transaction,
    tenant: TenantId,
    user: UserId | None,
    shop_rules: ShopRules,
    chosen: Sequence[str] | None,
    at: int,
) -> list[Offer]:
    """List what somebody may use; of their coupons all, or the chosen ones."""
    if user is None:
        return []
    member = members.guest(tx, tenant, None, user).member
    tier = levels.tiers_of(tx, tenant, {user: member.spent})[user]
    offers = list(day_offers(shop_rules, tier, member.orders, at=at))
    held = {one.template.id: offer_of(one) for one in coupons.held_by(tx, tenant, user, at=at)}
    if chosen is None:
        return [*offers, *held.values()]
    if unknown := sorted(set(chosen) - set(held)):
        raise Refused("no_such_coupon", f"You hold no coupon {unknown[0]}; leave it out.")
    return [*offers, *(held[id] for id in sorted(set(chosen)))]
