"""Rows of cases: a guardian, or a court, asks for a minor's money back."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, exists, insert, select, update

from liveroom.domain.ids import TenantId, UserId
from liveroom.domain.ledger import chart
from liveroom.store.port import Transaction
from liveroom.store.tables import bundles, cases, ledger_lines, lot_moves


def add(tx: Transaction, values: Mapping[str, Any]) -> None:
    """Write a new case."""
    tx.execute(insert(cases).values(**values))


def find(tx: Transaction, tenant: TenantId, id: str, *, lock: bool = False) -> Row[Any] | None:
    """Read a case; `lock` keeps others from deciding it meanwhile."""
    query = select(cases).where(cases.c.tenant == tenant, cases.c.id == id)
    return tx.execute(query.with_for_update() if lock else query).first()


def listed(tx: Transaction, tenant: TenantId, limit: int) -> Sequence[Row[Any]]:
    """List a shop's cases, newest first."""
    mine = select(cases).where(cases.c.tenant == tenant)
    return tx.execute(mine.order_by(cases.c.opened_at.desc(), cases.c.id).limit(limit)).all()


def in_state(tx: Transaction, state: str, limit: int) -> Sequence[Row[Any]]:
    """List cases of all shops in a state, and keep others from working on them."""
    query = select(cases).where(cases.c.state == state).order_by(cases.c.decided_at)
    return tx.execute(query.limit(limit).with_for_update(skip_locked=True)).all()


def change(tx: Transaction, tenant: TenantId, id: str, **values: Any) -> None:
    """Change a case, under its lock."""
    tx.execute(update(cases).where(cases.c.tenant == tenant, cases.c.id == id).values(**values))


def _gifts() -> Any:
    undone = bundles.alias()
    reversed_ = exists().where(
        undone.c.tenant == bundles.c.tenant, undone.c.reverses == bundles.c.id
    )
    standing = select(bundles.c.id, bundles.c.at).where(bundles.c.cause.like("gift:%"), ~reversed_)
    return standing.order_by(bundles.c.at, bundles.c.id)


def gifts_of(
    tx: Transaction, tenant: TenantId, member: UserId, *, since: int, until: int, limit: int
) -> Sequence[Row[Any]]:
    """List somebody's gifts of a time that were not taken back."""
    line = ledger_lines.c
    mine = (line.tenant == bundles.c.tenant) & (line.bundle == bundles.c.id)
    query = _gifts().join(ledger_lines, mine)
    query = query.where(line.tenant == tenant, line.account == chart.wallet_of(member).id)
    return tx.execute(query.where(bundles.c.at.between(since, until)).limit(limit)).all()


def gifts_from(
    tx: Transaction, tenant: TenantId, lots: Sequence[str], *, limit: int
) -> Sequence[Row[Any]]:
    """List gifts that were paid from some lots and were not taken back."""
    taken = select(lot_moves.c.bundle).where(
        lot_moves.c.tenant == tenant, lot_moves.c.lot.in_(lots), lot_moves.c.amount < 0
    )
    query = _gifts().where(bundles.c.tenant == tenant, bundles.c.id.in_(taken))
    return tx.execute(query.limit(limit)).all()
