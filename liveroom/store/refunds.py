"""Rows of refunds: what went back of an order, and the money that is on its way."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Row, func, select, update

from liveroom.domain.ids import OrderId, TenantId
from liveroom.domain.refunds import OrderRefunded, RefundState, SoldLine
from liveroom.store.dialect import insert_new
from liveroom.store.port import Transaction
from liveroom.store.tables import checkouts, order_lines, orders, refunds

DUE_MAX: Final = 100
"""Refunds sent by one sweep; the rest waits for the next."""


def lock_order(tx: Transaction, tenant: TenantId, order: OrderId) -> Row[Any] | None:
    """Read an order's head and keep other refunds of it waiting."""
    mine = select(orders).where(orders.c.tenant == tenant, orders.c.id == order)
    return tx.execute(mine.with_for_update()).first()


def sold_lines(tx: Transaction, tenant: TenantId, order: OrderId) -> list[SoldLine]:
    """Read the lines of an order as they stand."""
    table = order_lines.c
    mine = select(order_lines).where(table.tenant == tenant, table.order_id == order)
    return [
        SoldLine(
            line=row.line,
            product=row.product,
            quantity=row.quantity,
            paid=row.paid,
            back=row.back,
            gift_of=row.gift_of,
            worth=row.worth,
            docked=row.docked,
        )
        for row in tx.execute(mine.order_by(table.line))
    ]


def write_lines(
    tx: Transaction, tenant: TenantId, order: OrderId, lines: Iterable[SoldLine]
) -> None:
    """Write what came back of an order's lines."""
    table = order_lines.c
    for line in lines:
        this = (table.tenant == tenant, table.order_id == order, table.line == line.line)
        tx.execute(update(order_lines).where(*this).values(back=line.back, docked=line.docked))


def payment_of(tx: Transaction, order: OrderId) -> str | None:
    """Name the provider's payment of an order, None when the shop took it itself."""
    query = select(checkouts.c.payment).where(checkouts.c.order_id == order)
    return tx.execute(query).scalar()


def share_of(tx: Transaction, tenant: TenantId, done: OrderRefunded, amount: int) -> int:
    """Say how much of something that came with an order goes back with this refund of it.

    In proportion to the money, rounded so that all refunds of an order sum to the whole.
    """
    total = tx.execute(
        select(orders.c.total).where(orders.c.tenant == tenant, orders.c.id == done.order)
    ).scalar_one()
    mine = [refunds.c.tenant == tenant, refunds.c.order_id == done.order]
    so_far = tx.execute(select(func.sum(refunds.c.amount)).where(*mine)).scalar() or 0
    before = amount * (int(so_far) - done.amount) // total
    return int(amount if done.whole else amount * int(so_far) // total) - int(before)


def add(
    tx: Transaction,
    tenant: TenantId,
    id: str,
    order: OrderId,
    amount: int,
    *,
    payment: str | None,
    reason: str,
    actor: str,
    at: int,
) -> RefundState:
    """Write a refund; money that we took is due to go back, of other money we only know."""
    state = RefundState.OUTSIDE if payment is None else RefundState.DUE
    if not amount:
        state = RefundState.DONE
    values = {
        "tenant": tenant,
        "id": id,
        "order_id": order,
        "amount": amount,
        "payment": payment,
        "reason": reason,
        "actor": actor,
        "state": state,
        "next_at": at,
        "at": at,
    }
    insert_new(tx, refunds, values)
    return state


def of_order(tx: Transaction, tenant: TenantId, order: OrderId) -> Sequence[Row[Any]]:
    """List the refunds of an order, oldest first."""
    mine = select(refunds).where(refunds.c.tenant == tenant, refunds.c.order_id == order)
    return tx.execute(mine.order_by(refunds.c.at, refunds.c.id)).all()


def refunded(tx: Transaction, tenant: TenantId, order: OrderId) -> int:
    """Sum up what was refunded of an order."""
    total = select(func.coalesce(func.sum(refunds.c.amount), 0))
    mine = total.where(refunds.c.tenant == tenant, refunds.c.order_id == order)
    return int(tx.execute(mine).scalar_one())


def due(tx: Transaction, *, at: int) -> Sequence[Row[Any]]:
    """List refunds whose money is to be sent now."""
    query = select(refunds).where(refunds.c.state == RefundState.DUE, refunds.c.next_at <= at)
    return tx.execute(query.order_by(refunds.c.next_at).limit(DUE_MAX)).all()


def tried(
    tx: Transaction,
    tenant: TenantId,
    id: str,
    *,
    state: RefundState,
    attempts: int,
    next_at: int,
) -> bool:
    """Note how a try to send money went; False when it was settled meanwhile."""
    mine = update(refunds).where(refunds.c.tenant == tenant, refunds.c.id == id)
    still = mine.where(refunds.c.state == RefundState.DUE)
    changed = still.values(state=state, attempts=attempts, next_at=next_at)
    return tx.execute(changed).rowcount == 1
