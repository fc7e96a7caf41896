"""Refunds: what goes back of an order, and the money that has to follow.

Goods, ordinals and the books change in one transaction; the money is due then, and sent by
`send_due` until the provider has it. A provider knows a refund by its id: sent twice is once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from liveroom.domain.actors import Actor
from liveroom.domain.ids import OrderId, RoomId, TenantId
from liveroom.domain.ledger import Bundle, Transfer, chart
from liveroom.domain.orders import LINES_MAX, check_amount
from liveroom.domain.receipts import RefundMade
from liveroom.domain.refunds import (
    ATTEMPTS_MAX,
    REASON_LENGTH_MAX,
    OrderRefunded,
    Refund,
    RefundState,
    Returned,
    refund,
    retry_at,
)
from liveroom.domain.refusals import Refused
from liveroom.observe import logger
from liveroom.service.access import MERCHANTS, Access, require
from liveroom.service.paying import RefundNotice
from liveroom.service.ports import Ports
from liveroom.service.profiles import Profiles
from liveroom.store import journal, keys, members, parcels, posting, refunds, shop
from liveroom.store.journal import Place
from liveroom.store.port import Transaction

_log = logger(__name__)

Undo = Callable[[Transaction, TenantId, OrderRefunded], None]
"""Undoes within the refund's transaction what the order set off: points, coupons, levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReceipt:
    """The answer to a refund; `state` tells where its money is."""

    id: str
    order: OrderId
    amount: int
    state: RefundState
    whole: bool


class Refunding:
    """Takes orders back."""

    def __init__(
        self, ports: Ports, access: Access, profiles: Profiles, undo: Sequence[Undo] = ()
    ) -> None:
        self._ports = ports
        self._access = access
        self._profiles = profiles
        self._undo = tuple(undo)

    async def refund(
        self,
        actor: Actor,
        order: OrderId,
        asked: Sequence[Returned],
        *,
        reason: str,
        restock: bool,
        key: str,
    ) -> RefundReceipt:
        """Refund lines of an order, or all that is left of it.

        Raises:
            Refused: `forbidden`, `no_such_order`, `other_room`, `invalid`,
                `nothing_to_refund`, `idempotency_mismatch`.

        """
        require(actor, MERCHANTS)
        check_amount("lines", len(asked), least=0, most=LINES_MAX)
        if len(reason) > REASON_LENGTH_MAX:
            raise Refused("invalid", f"reason: at most {REASON_LENGTH_MAX} characters.")
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()
        touched: list[Row[Any]] = []

        def effect(tx: Transaction) -> RefundReceipt:
            head = refunds.lock_order(tx, tenant, order)
            if head is None:
                raise Refused("no_such_order")
            _check_room(actor, head)
            touched[:] = [head]
            plan = refund(refunds.sold_lines(tx, tenant, order), asked)
            return self._carry_out(tx, tenant, head, plan, actor, reason, restock, at)

        def command(tx: Transaction) -> keys.Outcome:
            scope = keys.Scope(tenant=tenant, command="refund", subject="", key=key)
            asked_for = {
                "order": order, "lines": list(asked), "reason": reason, "restock": restock,
            }  # fmt: skip
            return keys.once(
                tx, scope, command=asked_for, at=at, answer_type=RefundReceipt, effect=effect
            )

        receipt: RefundReceipt = (await self._ports.store.run(command)).unwrap()
        for head in touched:
            self._profiles.forget(tenant, head.member)
        return receipt

    def _carry_out(
        self,
        tx: Transaction,
        tenant: TenantId,
        head: Row[Any],
        plan: Refund,
        actor: Actor,
        reason: str,
        restock: bool,
        at: int,
    ) -> RefundReceipt:
        id, order = self._ports.new_id(), OrderId(head.id)
        whole = all(line.back == line.quantity for line in plan.lines)
        refunds.write_lines(tx, tenant, order, plan.lines)
        if restock and not head.imported:
            _restock(tx, tenant, id, plan, at=at)
        members.note_refund(tx, tenant, head.member, plan.amount, whole=whole)
        state = refunds.add(
            tx, tenant, id, order, plan.amount,
            payment=refunds.payment_of(tx, order), reason=reason, actor=actor.user, at=at,
        )  # fmt: skip
        if whole:
            parcels.cancel_unsent(tx, tenant, order, at=at)
        done = OrderRefunded(refund=id, order=order, amount=plan.amount, whole=whole)
        for undo in self._undo:
            undo(tx, tenant, done)
        if head.room is not None:
            self._tell(tx, tenant, head, done, at)
        return RefundReceipt(id=id, order=order, amount=plan.amount, state=state, whole=whole)

    def _tell(
        self, tx: Transaction, tenant: TenantId, head: Row[Any], done: OrderRefunded, at: int
    ) -> None:
        """Tell the buyer, and take the amount off the room's revenue."""
        place = Place(tenant=tenant, room=head.room, at=at)
        fact = RefundMade(
            refund=done.refund, order=done.order, amount=done.amount, whole=done.whole
        )
        journal.append_personal(tx, place, head.member, fact, new_id=self._ports.new_id)
        journal.count_up(tx, place, add={"revenue": -done.amount})

    async def send_due(self) -> int:
        """Send the money that is due; returns how many refunds the provider took."""
        at = self._ports.now_ms()
        sent = 0
        for row in await self._ports.store.run(lambda tx: refunds.due(tx, at=at)):
            try:
                await self._ports.payments.refund(refund_name(row), row.payment, row.amount)
            except Refused as refused:
                await self._put_off(row, refused)
            else:
                await self._settle(row.tenant, row.id, RefundState.DONE, row.attempts + 1)
                sent += 1
        return sent

    async def _put_off(self, row: Row[Any], refused: Refused) -> None:
        attempts = row.attempts + 1
        state = RefundState.DUE if attempts < ATTEMPTS_MAX else RefundState.FAILED
        _log.warning(
            "refund not sent", refund=row.id, attempts=attempts, state=state, why=refused.why
        )
        await self._settle(row.tenant, row.id, state, attempts)

    async def _settle(self, tenant: TenantId, id: str, state: RefundState, attempts: int) -> bool:
        next_at = retry_at(attempts, at=self._ports.now_ms())
        return await self._ports.store.run(
            lambda tx: refunds.tried(
                tx, tenant, id, state=state, attempts=attempts, next_at=next_at
            )
        )

    async def noticed(self, notice: RefundNotice) -> bool:
        """Take the provider's word on a refund; False when it was settled before."""
        tenant, _, id = notice.refund.partition("/")
        state = RefundState.DONE if notice.done else RefundState.FAILED
        return await self._settle(TenantId(tenant), id, state, 0)

    async def of_order(self, actor: Actor, order: OrderId) -> Sequence[Row[Any]]:
        """List the refunds of an order, oldest first."""
        require(actor, MERCHANTS)
        tenant = await self._access.tenant(actor)

        def command(tx: Transaction) -> Sequence[Row[Any]]:
            found = shop.find_order(tx, tenant, order)
            if found is None:
                raise Refused("no_such_order")
            _check_room(actor, found)
            return refunds.of_order(tx, tenant, order)

        return await self._ports.store.run(command)


def _check_room(actor: Actor, order: Row[Any]) -> None:
    """Refuse a token made for another room than the order was placed in."""
    if order.room is not None and not actor.covers(RoomId(order.room)):
        raise Refused("other_room")


def refund_name(row: Row[Any]) -> str:
    """Name a refund to the provider: shops may share one."""
    return f"{row.tenant}/{row.id}"


def _restock(tx: Transaction, tenant: TenantId, id: str, plan: Refund, *, at: int) -> None:
    """Put what comes back on the shelf again; a product without a limit has no shelf."""
    products = {line.line: line.product for line in plan.lines}
    amounts: dict[str, int] = {}
    for one in plan.returned:
        product = products[one.line]
        amounts[product] = amounts.get(product, 0) + one.quantity
    known = shop.find_products(tx, tenant, amounts)
    transfers = tuple(
        Transfer(chart.sold_of(id), chart.shelf_of(id), amounts[id])
        for id, product in sorted(known.items())
        if product.stock is not None
    )
    if transfers:
        bundle = Bundle(id=f"{id}/restock", cause="stock:returned", ref=id, transfers=transfers)
        posting.post_bundle(tx, tenant, bundle, at=at)
