"""Buying in the room: reserve, pay at the provider, become an order exactly once.

The provider may answer twice, late or never: what is reserved either becomes an order or
goes back on the shelf, whichever is written first.
"""

from typing import Any

from sqlalchemy import Row, insert, update

from liveroom.domain.actors import Actor
from liveroom.domain.ids import OrderId, ProductId, RoomId
from liveroom.domain.members import may_pay
from liveroom.domain.orders import (
    CHECKOUT_TTL_MS,
    QUANTITY_MAX,
    Checkout,
    CheckoutState,
    OrderDraft,
    OrderLine,
    OrderReceipt,
    Product,
    check_amount,
    total_of,
)
from liveroom.domain.refusals import Refused
from liveroom.observe import logger
from liveroom.service.access import CUSTOMERS, Access, Door, require, require_name
from liveroom.service.ordering import Ordering
from liveroom.service.paying import PaymentNotice, PaymentOutcome
from liveroom.service.ports import Ports
from liveroom.service.profiles import Profiles
from liveroom.store import keys, members, shop
from liveroom.store.port import Transaction
from liveroom.store.tables import checkouts

_log = logger(__name__)


def _line_of(row: Row[Any]) -> OrderLine:
    return OrderLine(product=row.product, quantity=row.quantity, unit_price=row.unit_price)


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
        self, actor: Actor, room: RoomId, product: ProductId, quantity: int, key: str
    ) -> Checkout:
        """Reserve stock at the server's price and open a payment.

        Raises:
            Refused: `forbidden`, `anonymous`, `age_unconfirmed`, `invalid`, `no_such_product`,
                `out_of_stock`, `idempotency_mismatch`, `unavailable` (nothing is reserved then).

        """
        require(actor, CUSTOMERS)
        actor, door = await self._access.enter(actor, room)
        require_name(actor)
        check_amount("quantity", quantity, least=1, most=QUANTITY_MAX)
        at = self._ports.now_ms()

        def effect(tx: Transaction) -> str:
            return self._reserve(tx, actor, door, product, quantity, at)

        def command(tx: Transaction) -> keys.Outcome:
            scope = keys.Scope(tenant=door.tenant, command="checkout", subject=actor.user, key=key)
            asked = {"room": room, "product": product, "quantity": quantity}
            return keys.once(tx, scope, command=asked, at=at, answer_type=str, effect=effect)

        order = OrderId((await self._ports.store.run(command)).unwrap())
        return await self._with_payment(order)

    def _reserve(
        self,
        tx: Transaction,
        actor: Actor,
        door: Door,
        product: ProductId,
        quantity: int,
        at: int,
    ) -> str:
        may_pay(actor, members.guest(tx, door.tenant, None, actor.user).member.age_band)
        found = shop.find_product(tx, door.tenant, product)
        if found is None:
            raise Refused("no_such_product")
        line = OrderLine(product=product, quantity=quantity, unit_price=found.price)
        amount = total_of([line])
        shop.take_stock(tx, door.tenant, [line])
        order = self._ports.new_id()
        tx.execute(
            insert(checkouts).values(
                order_id=order,
                tenant=door.tenant,
                room=door.room,
                member=actor.user,
                product=product,
                title=found.title,
                quantity=quantity,
                unit_price=found.price,
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
            payment = await self._ports.payments.create(order, row.amount, row.title)
        except Refused:
            await self._ports.store.run(
                lambda tx: _give_back(tx, row, after=CheckoutState.CANCELLED)
            )
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
        return await self._ports.store.run(
            lambda tx: _give_back(tx, row, after=CheckoutState.CANCELLED)
        )

    async def settled(self, notice: PaymentNotice) -> OrderReceipt | None:
        """Turn a paid checkout into an order, once; None when nothing was ordered.

        A payment that comes after its reservation ended is still honoured if there is stock,
        else the checkout is `late`: the money is to be given back, and stays so.
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
        state = CheckoutState(row.state)
        if state is CheckoutState.PAID:
            known = shop.find_order(tx, row.tenant, notice.order)
            assert known is not None, notice.order
            return shop.receipt_of(known), row
        if notice.outcome is PaymentOutcome.FAILED:
            _give_back(tx, row, after=CheckoutState.CANCELLED)
            return None, row
        if state is CheckoutState.LATE:  # the refund may be under way: repeated, it is no order
            return None, row
        if state is not CheckoutState.PENDING and not self._take_again(tx, row, state):
            return None, row
        shop.move_checkout(tx, notice.order, before=state, after=CheckoutState.PAID)
        return self._order(tx, row, at), row

    @staticmethod
    def _take_again(tx: Transaction, row: Row[Any], state: CheckoutState) -> bool:
        savepoint = tx.begin_nested()
        try:
            shop.take_stock(tx, row.tenant, [_line_of(row)])
        except Refused:
            savepoint.rollback()
            shop.move_checkout(tx, row.order_id, before=state, after=CheckoutState.LATE)
            _log.warning("paid after its stock was gone: refund due", order=row.order_id)
            return False
        savepoint.commit()
        return True

    def _order(self, tx: Transaction, row: Row[Any], at: int) -> OrderReceipt:
        draft = OrderDraft(
            id=row.order_id,
            user=row.member,
            lines=(_line_of(row),),
            paid_at=at,
            room=row.room,
        )
        current = shop.find_product(tx, row.tenant, row.product)
        bought = Product(
            id=row.product,
            title=row.title,
            price=row.unit_price,
            category=current.category if current else None,
        )
        return self._ordering.record(tx, row.tenant, draft, [bought], at=at, receipt_to_buyer=True)

    async def expire(self) -> int:
        """Return what nobody paid for in time to the shelf; returns how many checkouts."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> int:
            count = 0
            for order in shop.overdue(tx, at=at):
                row = shop.find_checkout(tx, order, lock=True)
                count += row is not None and _give_back(tx, row, after=CheckoutState.EXPIRED)
            return count

        return await self._ports.store.run(command)


def _give_back(tx: Transaction, row: Row[Any], *, after: CheckoutState) -> bool:
    moved = shop.move_checkout(tx, row.order_id, before=CheckoutState.PENDING, after=after)
    if moved:
        shop.return_stock(tx, row.tenant, row.product, row.quantity)
    return moved


def _checkout_of(row: Row[Any]) -> Checkout:
    return Checkout(
        order=row.order_id,
        amount=row.amount,
        payment=row.payment,
        pay_url=row.pay_url,
        expires_at=row.expires_at,
    )
