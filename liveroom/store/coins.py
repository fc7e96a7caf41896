"""Rows of bought coins."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update

from liveroom.domain.coins import Pack, PurchaseState
from liveroom.domain.ids import OrderId, RoomId, TenantId, UserId
from liveroom.store.port import Transaction
from liveroom.store.tables import coin_purchases


def add(
    tx: Transaction,
    tenant: TenantId,
    room: RoomId,
    member: UserId,
    pack: Pack,
    *,
    order: OrderId,
    at: int,
) -> None:
    """Write a purchase that waits for its payment."""
    tx.execute(
        insert(coin_purchases).values(
            order_id=order,
            tenant=tenant,
            room=room,
            member=member,
            pack=pack.id,
            coins=pack.coins,
            bonus=pack.bonus,
            amount=pack.price,
            state=PurchaseState.PENDING,
            created_at=at,
        )
    )


def find(tx: Transaction, order: OrderId, *, lock: bool = False) -> Row[Any] | None:
    """Read a purchase; `lock` keeps a twin of the same notice waiting."""
    query = select(coin_purchases).where(coin_purchases.c.order_id == order)
    return tx.execute(query.with_for_update() if lock else query).first()


def open_payment(tx: Transaction, order: OrderId, payment: str, pay_url: str) -> Row[Any]:
    """Note the payment of a purchase."""
    mine = update(coin_purchases).where(coin_purchases.c.order_id == order)
    changed = mine.values(payment=payment, pay_url=pay_url).returning(coin_purchases)
    return tx.execute(changed).one()


def move(
    tx: Transaction, order: OrderId, state: PurchaseState, *, paid_at: int | None = None
) -> None:
    """Change a purchase's state, under its lock."""
    values: dict[str, Any] = {"state": state}
    if paid_at is not None:
        values["paid_at"] = paid_at
    tx.execute(update(coin_purchases).where(coin_purchases.c.order_id == order).values(values))


def paid_between(
    tx: Transaction, tenant: TenantId, member: UserId, since: int, until: int
) -> Sequence[Row[Any]]:
    """List somebody's paid purchases of a time, and keep others from changing them."""
    table = coin_purchases.c
    mine = select(coin_purchases).where(table.tenant == tenant, table.member == member)
    paid = mine.where(table.state == PurchaseState.PAID, table.paid_at.between(since, until))
    return tx.execute(paid.order_by(table.order_id).with_for_update()).all()


def in_state(tx: Transaction, state: PurchaseState, limit: int) -> Sequence[Row[Any]]:
    """List purchases of all shops in a state, and keep others from working on them."""
    query = select(coin_purchases).where(coin_purchases.c.state == state)
    ordered = query.order_by(coin_purchases.c.order_id).limit(limit)
    return tx.execute(ordered.with_for_update(skip_locked=True)).all()
