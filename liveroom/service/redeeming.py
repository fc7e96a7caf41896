"""Coupons and points of an order: set aside while it is paid, used with it, given back with it.

What an order uses is written beside its checkout; everything else is in the ledger.
"""

from dataclasses import dataclass

import msgspec

from liveroom.domain import coupons
from liveroom.domain.ids import OrderId, TenantId, UserId
from liveroom.domain.ledger import Account, Bundle, HoldDraft, HoldState, Transfer, chart
from liveroom.domain.orders import CHECKOUT_TTL_MS
from liveroom.domain.pricing import Quote
from liveroom.domain.refunds import OrderRefunded
from liveroom.domain.shop_rules import DAY_GROUP
from liveroom.service.rewarding import POINTS
from liveroom.store import holds, posting, refunds, shop
from liveroom.store.port import Transaction

SPENT = Account("shop", POINTS, "spent")
"""Where points go that paid for something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """The coupons (kinds) and points of one order."""

    coupons: tuple[str, ...] = ()
    points: int = 0

    def encode(self) -> str:
        """Write it down."""
        return msgspec.json.encode(self).decode()


def used_of(written: str | None) -> Used:
    """Read what a checkout uses."""
    return msgspec.json.decode(written, type=Used) if written else Used()


def used_by(quote: Quote) -> Used:
    """Say what a quote uses of what somebody holds; a discount day is nobody's coupon."""
    chosen = sorted(saving.offer for saving in quote.savings if saving.group != DAY_GROUP)
    return Used(coupons=tuple(chosen), points=quote.points)


def set_aside(
    tx: Transaction, tenant: TenantId, order: OrderId, user: UserId, used: Used, *, at: int
) -> None:
    """Hold what an order uses while its buyer pays, all of it or none.

    Raises:
        Refused: `used_up`, `not_enough_points` when it is not in their hands any more.

    """
    drafts = [
        HoldDraft(
            id=id,
            account=account,
            amount=amount,
            expires_at=at + CHECKOUT_TTL_MS,
            cause="checkout",
            ref=order,
            actor=user,
        )
        for id, account, amount, _ in _parts(order, user, used)
    ]
    if drafts:
        holds.reserve(tx, tenant, drafts, at=at)


def use(
    tx: Transaction, tenant: TenantId, order: OrderId, user: UserId, used: Used, *, at: int
) -> None:
    """Use what was set aside for an order that is paid."""
    for id, _, amount, target in _parts(order, user, used):
        holds.capture(tx, tenant, id, [(target, amount)], cause="redeemed", ref=order, at=at)


def use_anew(
    tx: Transaction, tenant: TenantId, order: OrderId, user: UserId, used: Used, *, at: int
) -> None:
    """Use it although it was set free meanwhile, if it is still there.

    Raises:
        Refused: `used_up`, `not_enough_points` when it is not.

    """
    transfers = tuple(
        Transfer(account, target, amount)
        for _, account, amount, target in _parts(order, user, used)
    )
    if transfers:
        bundle = Bundle(id=f"{order}/redeemed", cause="redeemed", ref=order, transfers=transfers)
        posting.post_bundle(tx, tenant, bundle, at=at)


def set_free(
    tx: Transaction, tenant: TenantId, order: OrderId, user: UserId, used: Used, *, at: int
) -> None:
    """Give back what was set aside for an order that nobody pays."""
    for id, _, _, _ in _parts(order, user, used):
        hold = holds.find(tx, tenant, id)
        if hold is not None and hold.state is HoldState.HELD:
            holds.release(tx, tenant, id, ref=order, at=at)


def give_back(tx: Transaction, tenant: TenantId, done: OrderRefunded, *, at: int) -> None:
    """Return what a refunded order used: coupons with the whole of it, points in proportion."""
    checkout = shop.find_checkout(tx, done.order)
    if checkout is None:
        return
    used, user = used_of(checkout.used), UserId(checkout.member)
    order = OrderId(done.order)
    points = refunds.share_of(tx, tenant, done, used.points)
    for id, account, amount, target in _parts(order, user, used):
        due = points if account.unit == POINTS else amount if done.whole else 0
        if not due:
            continue
        hold = holds.find(tx, tenant, id)
        in_time = hold is not None and hold.state is HoldState.CAPTURED
        bundle = Bundle(
            id=f"{done.refund}/{account.unit}",
            cause="refund",
            ref=done.refund,
            transfers=(Transfer(target, account, due),),
            returns=hold.draft.opening if hold and in_time else f"{order}/redeemed",
        )
        posting.post_bundle(tx, tenant, bundle, at=at)


def _parts(order: OrderId, user: UserId, used: Used) -> list[tuple[str, Account, int, Account]]:
    """List holds as (id, account it is taken from, amount, where it goes)."""
    parts = [
        (
            f"{order}/coupon/{template}",
            coupons.wallet(user, template),
            1,
            coupons.redeemed(template),
        )
        for template in used.coupons
    ]
    if used.points:
        parts.append((f"{order}/points", chart.wallet_of(user, POINTS), used.points, SPENT))
    return parts
