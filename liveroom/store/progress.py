"""Rows of what members have done towards points, and of points that are not final yet."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from sqlalchemy import Row, delete, select

from liveroom.domain.ids import OrderId, TenantId, UserId
from liveroom.domain.points import CheckIn, Talking, Watching
from liveroom.store.dialect import insert_new, put
from liveroom.store.port import Transaction
from liveroom.store.tables import pending_points, progress

SETTLED_MAX: Final = 200
"""Pending points made final by one sweep; the rest waits for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far somebody is with everything that earns points by the day."""

    check_in: CheckIn = field(default_factory=CheckIn)
    watching: Watching = field(default_factory=Watching)
    talking: Talking = field(default_factory=Talking)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingPoints:
    """Points of an order, and when they become somebody's own (UTC ms)."""

    tenant: TenantId
    order: OrderId
    member: UserId
    points: int
    final_at: int


_DECODE = msgspec.json.Decoder(Progress)
NOTHING_YET: Final = Progress()


def progress_of(tx: Transaction, tenant: TenantId, user: UserId) -> Progress:
    """Read somebody's progress; on PostgreSQL whoever else wants to change it waits."""
    insert_new(tx, progress, {"tenant": tenant, "member": user, "state": "{}"})
    mine = [progress.c.tenant == tenant, progress.c.member == user]
    found = tx.execute(select(progress.c.state).where(*mine).with_for_update()).scalar_one()
    return _DECODE.decode(found)


def write_progress(tx: Transaction, tenant: TenantId, user: UserId, state: Progress) -> None:
    """Write somebody's progress."""
    encoded = msgspec.json.encode(state).decode()
    put(
        tx,
        progress,
        [{"tenant": tenant, "member": user, "state": encoded}],
        replace=("state",),
    )


def add_pending(tx: Transaction, pending: PendingPoints) -> None:
    """Remember points that become final later."""
    insert_new(
        tx,
        pending_points,
        {
            "tenant": pending.tenant,
            "order_id": pending.order,
            "member": pending.member,
            "points": pending.points,
            "final_at": pending.final_at,
        },
    )


def take_pending(tx: Transaction, tenant: TenantId, order: OrderId) -> PendingPoints | None:
    """Take one order's pending points out of the list; None when they are final or were none."""
    this = [pending_points.c.tenant == tenant, pending_points.c.order_id == order]
    row = tx.execute(delete(pending_points).where(*this).returning(pending_points)).first()
    return None if row is None else _pending_of(row)


def take_final(tx: Transaction, *, at: int) -> list[PendingPoints]:
    """Take what becomes final now out of the list, in all shops."""
    due = (
        select(pending_points.c.tenant, pending_points.c.order_id)
        .where(pending_points.c.final_at <= at)
        .order_by(pending_points.c.final_at)
        .limit(SETTLED_MAX)
    )
    taken = [
        take_pending(tx, TenantId(row.tenant), OrderId(row.order_id))
        for row in tx.execute(due).all()
    ]
    return [one for one in taken if one is not None]


def _pending_of(row: Row[Any]) -> PendingPoints:
    return PendingPoints(
        tenant=TenantId(row.tenant),
        order=OrderId(row.order_id),
        member=UserId(row.member),
        points=row.points,
        final_at=row.final_at,
    )
