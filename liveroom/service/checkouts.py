"""Buying in the room: reserve, pay at the provider, become an order exactly once.

The provider may answer twice, late or never: what is reserved either becomes an order or
goes back on the shelf, whichever is written first. What is reserved are holds in the ledger:
units of each product, and of a flash sale the buyer's allowance.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, insert, update

from liveroom.domain.actors import Actor
from liveroom.domain.basket import BasketLine, Wanted, reservations
from liveroom.domain.ids import OrderId, RoomId, UserId
from liveroom.domain.ledger import Bundle, Hold, HoldState, Transfer
from liveroom.domain.members import may_pay
from liveroom.domain.orders import (
    CHECKOUT_TTL_MS,
    LINES_MAX,
    Checkout,
    CheckoutState,
    OrderDraft,
    OrderReceipt,
    Product,
    check_amount,
    total_of,
)
from liveroom.domain.refusals import Refused
from liveroom.observe import logger
from liveroom.service import redeeming
from liveroom.service.access import CUSTOMERS, Access, Door, require, require_name
from liveroom.service.ordering import Ordering
from liveroom.service.paying import PaymentNotice, PaymentOutcome
from liveroom.service.ports import Ports
from liveroom.service.profiles import Profiles
from liveroom.service.quoting import BEST, Means, priced
from liveroom.store import holds, keys, members, posting, refunds, shop
from liveroom.store.port import Transaction
from liveroom.store.tables import checkouts

_log = logger(__name__)


class Checkouts:
    """Holds reservations while their buyers pay."""

    def __init__(
        self, ports: Ports, access: Access, profiles: Profiles, ordering: Ordering
    ) -> None:
        self._ports = ports
        self._access = access
        self._profiles = profiles
        self._ordering = ordering

    async def open(
        self,
        actor: Actor,
        room: RoomId,
        wanted: Sequence[Wanted],
        key: str,
        means: Means = BEST,
    ) -> Checkout:
        """Reserve stock at the server's price and open a payment.

        Raises:
            Refused: `forbidden`, `anonymous`, `age_unconfirmed`, `invalid`, `no_such_product`,
                `out_of_stock`, `limit_reached`, `idempotency_mismatch`, `unavailable` (nothing
                is reserved then).

        """
        require(actor, CUSTOMERS)
        actor, door = await self._access.enter(actor, room)
        require_name(actor)
        check_amount("lines", len(wanted), least=1, most=LINES_MAX)
        at = self._ports.now_ms()

        def effect(tx: Transaction) -> str:
            may_pay(actor, members.guest(tx, door.tenant, None, actor.user).member.age_band)
            return self._reserve(tx, actor, door, wanted, means, at)

        def command(tx: Transaction) -> keys.Outcome:
            scope = keys.Scope(tenant=door.tenant, command="checkout", subject=actor.user, key=key)
            asked = {"room": room, "wanted": list(wanted), "means": means}
            return keys.once(tx, scope, command=asked, at=at, answer_type=str, effect=effect)

        order = OrderId((await self._ports.store.run(command)).unwrap())
        return await self._with_payment(order)

    def _reserve(
        self,
        tx: Transaction,
        actor: Actor,
        door: Door,
        wanted: Sequence[Wanted],
        means: Means,
        at: int,
    ) -> str:
        found = priced(tx, door.tenant, actor.user, wanted, means, at=at)
        lines, amount = found.lines, total_of([line.ordered for line in found.lines])
        assert amount == found.quote.payable, "the quote is what is asked for"
        order = OrderId(self._ports.new_id())
        drafts = reservations(lines, found.known, order=order, user=actor.user, at=at)
        holds.reserve(tx, door.tenant, drafts, at=at)
        used = redeeming.used_by(found.quote)
        redeeming.set_aside(tx, door.tenant, order, actor.user, used, at=at)
        tx.execute(
            insert(checkouts).values(
                order_id=order,
                tenant=door.tenant,
                room=door.room,
                member=actor.user,
                lines=msgspec.json.encode(lines).decode(),
                used=used.encode(),
                amount=amount,
                state=CheckoutState.PENDING,
                created_at=at,
                expires_at=at + CHECKOUT_TTL_MS,
            )
        )
        return order

    async def _with_payment(self, order: OrderId) -> Checkout:
        """Open the payment unless it is open; the provider knows a repeated order."""
        row = await self._ports.store.run(lambda tx: shop.find_checkout(tx, order))
        if row is None:
            raise Refused("no_such_order")
        if row.payment is not None:
            return _checkout_of(row)
        if row.state != CheckoutState.PENDING:
            raise Refused("unavailable", "The payment could not be opened; buy again.")
        try:
            title = lines_of(row)[0].title
            payment = await self._ports.payments.create(order, row.amount, title)
        except Refused:
            await self._give_back(row, after=CheckoutState.CANCELLED)
            raise

        def keep(tx: Transaction) -> Row[Any]:
            mine = update(checkouts).where(checkouts.c.order_id == order)
            tx.execute(mine.values(payment=payment.id, pay_url=payment.pay_url))
            kept = shop.find_checkout(tx, order)
            assert kept is not None
            return kept

        return _checkout_of(await self._ports.store.run(keep))

    async def cancel(self, actor: Actor, order: OrderId) -> bool:
        """Give a pending checkout up; False when it was not pending any more."""
        require_name(actor)
        row = await self._ports.store.run(lambda tx: shop.find_checkout(tx, order))
        tenant = await self._access.tenant(actor)
        if row is None or row.member != actor.user or row.tenant != tenant:
            raise Refused("no_such_order")
        return await self._give_back(row, after=CheckoutState.CANCELLED)

    async def _give_back(self, row: Row[Any], *, after: CheckoutState) -> bool:
        at = self._ports.now_ms()
        return await self._ports.store.run(lambda tx: _give_back(tx, row, after=after, at=at))

    async def settled(self, notice: PaymentNotice) -> OrderReceipt | None:
        """Turn a paid checkout into an order, once; None when nothing was ordered.

        A payment that comes after its reservation ended is still honoured if there is stock,
        else the checkout is `late`, and its refund is due.
        """
        at = self._ports.now_ms()
        receipt, row = await self._ports.store.run(lambda tx: self._settle(tx, notice, at))
        self._profiles.forget(row.tenant, row.member)
        return receipt

    def _settle(
        self, tx: Transaction, notice: PaymentNotice, at: int
    ) -> tuple[OrderReceipt | None, Row[Any]]:
        row = shop.find_checkout(tx, notice.order, lock=True)
        if row is None or row.payment != notice.payment:
            raise Refused("no_such_order")
        if notice.amount != row.amount:
            raise Refused("invalid", "The amount paid is not the amount asked for.")
        if notice.outcome is PaymentOutcome.CHARGED_BACK:
            raise Refused("invalid", "A charge-back of goods is for the shop: refund the order.")
        state = CheckoutState(row.state)
        if state is CheckoutState.PAID:
            known = shop.find_order(tx, row.tenant, notice.order)
            assert known is not None, notice.order
            return shop.receipt_of(known), row
        if notice.outcome is PaymentOutcome.FAILED:
            _give_back(tx, row, after=CheckoutState.CANCELLED, at=at)
            return None, row
        if state is CheckoutState.LATE:  # the refund may be under way: repeated, it is no order
            return None, row
        if state is CheckoutState.PENDING and row.expires_at <= at:
            _give_back(tx, row, after=CheckoutState.EXPIRED, at=at)
            state = CheckoutState.EXPIRED
        if state is CheckoutState.PENDING:
            _hand_over(tx, row, at=at)
            redeeming.use(tx, row.tenant, *_redeemed(row), at=at)
        elif not self._take_again(tx, row, state, at):
            return None, row
        shop.move_checkout(tx, notice.order, before=state, after=CheckoutState.PAID)
        return self._order(tx, row, at), row

    @staticmethod
    def _take_again(tx: Transaction, row: Row[Any], state: CheckoutState, at: int) -> bool:
        """Take what was reserved once more; when it is gone, have the money sent back."""
        savepoint = tx.begin_nested()
        try:
            _take_anew(tx, row, at=at)
            redeeming.use_anew(tx, row.tenant, *_redeemed(row), at=at)
        except Refused:
            savepoint.rollback()
            shop.move_checkout(tx, row.order_id, before=state, after=CheckoutState.LATE)
            refunds.add(
                tx, row.tenant, f"{row.order_id}/late", row.order_id, row.amount,
                payment=row.payment, reason="sold out before it was paid", actor="", at=at,
            )  # fmt: skip
            _log.warning("paid after its stock was gone: refund due", order=row.order_id)
            return False
        savepoint.commit()
        return True

    def _order(self, tx: Transaction, row: Row[Any], at: int) -> OrderReceipt:
        lines = lines_of(row)
        draft = OrderDraft(
            id=row.order_id,
            user=row.member,
            lines=tuple(line.ordered for line in lines),
            paid_at=at,
            room=row.room,
        )
        bought = [
            Product(id=line.product, title=line.title, price=line.worth, category=line.category)
            for line in lines
        ]
        return self._ordering.record(tx, row.tenant, draft, bought, at=at, receipt_to_buyer=True)

    async def expire(self) -> int:
        """Return what nobody paid for in time to the shelf; returns how many checkouts."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> int:
            count = 0
            for order in shop.overdue(tx, at=at):
                row = shop.find_checkout(tx, order, lock=True)
                expired = CheckoutState.EXPIRED
                count += row is not None and _give_back(tx, row, after=expired, at=at)
            return count

        return await self._ports.store.run(command)


def lines_of(row: Row[Any]) -> list[BasketLine]:
    """Read what a checkout is for."""
    return msgspec.json.decode(row.lines, type=list[BasketLine])


def _holds_of(tx: Transaction, row: Row[Any]) -> list[Hold]:
    """Find the holds of a checkout that have not ended."""
    ids = sorted({id for line in lines_of(row) for id in line.holds(row.order_id)})
    found = [holds.find(tx, row.tenant, id) for id in ids]
    return [hold for hold in found if hold is not None and hold.state is HoldState.HELD]


def _hand_over(tx: Transaction, row: Row[Any], *, at: int) -> None:
    for hold in _holds_of(tx, row):
        draft = hold.draft
        to = [(line.goes_to(draft.account), draft.amount) for line in lines_of(row)
              if draft.id in line.holds(row.order_id)][:1]  # fmt: skip
        holds.capture(tx, row.tenant, draft.id, to, cause="sold", ref=row.order_id, at=at)


def _take_anew(tx: Transaction, row: Row[Any], *, at: int) -> None:
    lines = lines_of(row)
    ordered = [line.ordered for line in lines]
    bought = shop.bought_of(tx, row.tenant, ordered)
    shop.take_stock(tx, row.tenant, ordered, bought, order=row.order_id, at=at)
    allowances = [
        Transfer(allowance, line.goes_to(allowance), line.quantity)
        for line in lines
        if (allowance := line.allowance(row.member)) is not None
    ]
    if allowances:
        bundle = Bundle(
            id=f"{row.order_id}/allowed", cause="sold", ref=row.order_id,
            transfers=tuple(allowances),
        )  # fmt: skip
        posting.post_bundle(tx, row.tenant, bundle, at=at)


def _give_back(tx: Transaction, row: Row[Any], *, after: CheckoutState, at: int) -> bool:
    moved = shop.move_checkout(tx, row.order_id, before=CheckoutState.PENDING, after=after)
    if moved:
        for hold in _holds_of(tx, row):
            holds.release(tx, row.tenant, hold.draft.id, ref=row.order_id, at=at)
        redeeming.set_free(tx, row.tenant, *_redeemed(row), at=at)
    return moved


def _redeemed(row: Row[Any]) -> tuple[OrderId, UserId, redeeming.Used]:
    return OrderId(row.order_id), UserId(row.member), redeeming.used_of(row.used)


def _checkout_of(row: Row[Any]) -> Checkout:
    return Checkout(
        order=row.order_id,
        amount=row.amount,
        payment=row.payment,
        pay_url=row.pay_url,
        expires_at=row.expires_at,
    )
