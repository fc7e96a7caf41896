"""What a basket would cost somebody now: their prices, their coupons, their points, explained.

`priced` is the one way to a price: the quote shows what the checkout then asks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from liveroom.domain.actors import Actor
from liveroom.domain.basket import BasketLine, Wanted, basket_of
from liveroom.domain.coupons import offer_of
from liveroom.domain.ids import ProductId, RoomId, TenantId, UserId
from liveroom.domain.ledger import chart
from liveroom.domain.orders import Product
from liveroom.domain.pricing import CartLine, GiftLine, Offer, Quote, quote
from liveroom.domain.refusals import Refused
from liveroom.domain.shop_rules import ShopRules, day_offers
from liveroom.service.access import CUSTOMERS, Access, require
from liveroom.service.ports import Ports
from liveroom.service.rewarding import POINTS
from liveroom.store import coupons, levels, members, posting, rules, shop
from liveroom.store.port import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """How somebody wants to pay less: these coupons (None = the best), at most so many points."""

    coupons: tuple[str, ...] | None = None
    points: int = 0


BEST = Means()


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A basket with its prices fixed at a moment."""

    lines: tuple[BasketLine, ...]
    known: dict[ProductId, Product]
    quote: Quote


class Quoting:
    """Makes quotes."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access

    async def quote(
        self, actor: Actor, room: RoomId, wanted: Sequence[Wanted], means: Means
    ) -> Quote:
        """Say what a basket costs and why; reserves nothing.

        Raises:
            Refused: `invalid`, `no_such_product`, `no_such_coupon` (one that is not theirs).

        """
        require(actor, CUSTOMERS)
        actor, door = await self._access.enter(actor, room)
        user = None if actor.anonymous else actor.user
        at = self._ports.now_ms()
        found = await self._ports.store.run(
            lambda tx: priced(tx, door.tenant, user, wanted, means, at=at)
        )
        return found.quote


def priced(
    tx: Transaction,
    tenant: TenantId,
    user: UserId | None,
    wanted: Sequence[Wanted],
    means: Means,
    *,
    at: int,
) -> Priced:
    """Price a basket inside a command, each line with its share of what is taken off."""
    known = _products(tx, tenant, wanted)
    lines = basket_of(wanted, known, at=at)
    shop_rules = rules.in_force(tx, tenant)[1]
    points = 0
    if user is not None and means.points:
        wallet = chart.wallet_of(user, POINTS)
        points = min(means.points, posting.spendable_of(tx, tenant, wallet, at=at))
    found = quote(
        [_cart_line(place, line) for place, line in enumerate(lines) if line.gift_of is None],
        _offers_of(tx, tenant, user, shop_rules, means.coupons, at),
        stacking=shop_rules.stacking,
        gifts=[
            GiftLine(product=line.product, quantity=line.quantity, because_of=_id(line.gift_of))
            for line in lines
            if line.gift_of is not None
        ],
        points=points,
        points_rule=shop_rules.points,
    )
    off = {line.id: line.saved + line.paid_by_points for line in found.lines}
    reduced = tuple(
        replace(line, discount=off.get(_id(place), 0)) for place, line in enumerate(lines)
    )
    return Priced(lines=reduced, known=known, quote=found)


def _id(place: int) -> str:
    return f"{place:03}"


def _cart_line(place: int, line: BasketLine) -> CartLine:
    label = "flash" if line.flash is not None else "room" if line.unit_price < line.worth else ""
    return CartLine(
        id=_id(place),
        product=line.product,
        quantity=line.quantity,
        list_price=max(line.worth, line.unit_price),
        unit_price=line.unit_price,
        category=line.category,
        price_label=label,
    )


def _products(
    tx: Transaction, tenant: TenantId, wanted: Sequence[Wanted]
) -> dict[ProductId, Product]:
    """Read what is wanted, and what comes with it as a gift."""
    found = shop.find_products(tx, tenant, {one.product for one in wanted})
    given = {product.gift.product for product in found.values() if product.gift is not None}
    gifts = shop.find_products(tx, tenant, given - set(found)) if given else {}
    return {**found, **gifts}


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
