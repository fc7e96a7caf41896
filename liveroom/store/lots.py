"""Stored lots: laid out for the domain under their accounts' locks, and written back.

An account's lots change only while its balance row is locked; each change also leaves a
move, so that `left` is the sum of a lot's moves, and a bundle's takings can be given back.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, insert, or_, select, update

from liveroom.domain.ids import TenantId
from liveroom.domain.ledger import Account, Bundle, Lot, Move, Taken, Terms
from liveroom.domain.ledger.bundles import BARE, Shelf
from liveroom.store.dialect import write_rows
from liveroom.store.port import Transaction
from liveroom.store.tables import lot_moves, lots

_HELD = (
    select(lots)
    .where(lots.c.tenant == bindparam("of_tenant"), lots.c.left > 0)
    .where(lots.c.account.in_(bindparam("of_accounts", expanding=True)))
)
_BY_ID = (
    select(lots)
    .where(lots.c.tenant == bindparam("of_tenant"))
    .where(lots.c.id.in_(bindparam("of_lots", expanding=True)))
)
_MOVED = and_(lot_moves.c.bundle == bindparam("of_bundle"), lot_moves.c.of.is_(None))
_TAKEN = (
    select(lot_moves.c.lot, func.sum(lot_moves.c.amount).label("moved"))
    .where(lot_moves.c.tenant == bindparam("of_tenant"))
    .where(or_(_MOVED, lot_moves.c.of == bindparam("of_bundle")))
    .group_by(lot_moves.c.lot)
)
_NEW_LOTS = insert(lots)
_NEW_MOVES = insert(lot_moves)
_CHANGED = (
    update(lots)
    .where(lots.c.tenant == bindparam("of_tenant"), lots.c.id == bindparam("of_lot"))
    .where(lots.c.left == bindparam("before"))
    .values(left=bindparam("after"))
)


class Shelves:
    """The lots that bundles posted together may touch, and what becomes of them.

    Args:
        tx: where.
        tenant: whose.
        lotted: locked accounts in which lots were opened before.
        posting: the bundles.

    """

    def __init__(
        self,
        tx: Transaction,
        tenant: TenantId,
        lotted: Collection[str],
        posting: Iterable[Bundle],
    ) -> None:
        self._tx = tx
        self._tenant = tenant
        self._before: dict[str, Lot] = {}
        self._lots: dict[str, Lot] = {}
        self._taken: dict[str, dict[str, int]] = {}
        self._new: set[str] = set()
        self._moves: list[dict[str, Any]] = []
        if lotted:
            where = {"of_tenant": tenant, "of_accounts": sorted(lotted)}
            self._know(tx.execute(_HELD, where))
            for bundle in {one.returns for one in posting if one.returns is not None}:
                self._load_taken(bundle)

    def _know(self, rows: Iterable[Row[Any]]) -> None:
        for row in rows:
            self._before[row.id] = self._lots[row.id] = lot_of(row)

    def _load_taken(self, bundle: str) -> None:
        where = {"of_tenant": self._tenant, "of_bundle": bundle}
        taken = {row.lot: -int(row.moved) for row in self._tx.execute(_TAKEN, where)}
        self._taken[bundle] = {lot: amount for lot, amount in taken.items() if amount > 0}
        unknown = sorted(set(self._taken[bundle]) - set(self._lots))
        if unknown:
            self._know(self._tx.execute(_BY_ID, {"of_tenant": self._tenant, "of_lots": unknown}))

    def of(self, bundle: Bundle) -> Shelf:
        """Lay out what one bundle may touch."""
        if not self._lots:
            return BARE
        accounts = {end.id for one in bundle.transfers for end in (one.debit, one.credit)}
        held: dict[str, list[Lot]] = {}
        for lot in self._lots.values():
            if lot.left and lot.account in accounts:
                held.setdefault(lot.account, []).append(lot)
        taken: dict[str, list[Taken]] = {}
        for id, amount in self._taken.get(bundle.returns or "", {}).items():
            lot = self._lots[id]
            taken.setdefault(lot.account, []).append(Taken(lot=lot, amount=amount))
        return Shelf(lots=held, taken=taken)

    def apply(self, bundle: Bundle, moves: Sequence[Move]) -> set[str]:
        """Take up what a bundle does to the lots; returns the accounts that got new ones."""
        opened: set[str] = set()
        for move in moves:
            if move.opens is not None:
                self._lots[move.lot] = move.opens
                self._new.add(move.lot)
                opened.add(move.opens.account)
            else:
                lot = self._lots[move.lot]
                self._lots[move.lot] = replace(lot, left=lot.left + move.amount)
            if move.of is not None:
                self._taken[move.of][move.lot] -= move.amount
            self._moves.append(
                {
                    "tenant": self._tenant,
                    "bundle": bundle.id,
                    "lot": move.lot,
                    "amount": move.amount,
                    "of": move.of,
                }
            )
        return opened

    def write(self) -> None:
        """Write new lots, changed ones and all moves; the bundles must be there already."""
        new = [_row_of(self._tenant, self._lots[id]) for id in sorted(self._new)]
        changed = [
            {"of_tenant": self._tenant, "of_lot": id, "before": lot.left, "after": now.left}
            for id, lot in self._before.items()
            if (now := self._lots[id]) != lot
        ]
        for statement, rows in ((_NEW_LOTS, new), (_CHANGED, changed), (_NEW_MOVES, self._moves)):
            if rows:
                write_rows(self._tx, statement, rows)


def lots_of(tx: Transaction, tenant: TenantId, account: Account) -> list[Lot]:
    """List the lots in an account that hold something, the earliest end first."""
    rows = tx.execute(_HELD, {"of_tenant": tenant, "of_accounts": [account.id]})
    return sorted(map(lot_of, rows), key=lambda lot: (lot.ends_at, lot.opened_at, lot.id))


def opened_by(tx: Transaction, tenant: TenantId, bundle: str) -> list[Lot]:
    """List the lots that a bundle opened, empty ones too."""
    mine = select(lots).where(lots.c.tenant == tenant, lots.c.bundle == bundle)
    return [lot_of(row) for row in tx.execute(mine.order_by(lots.c.id))]


def lot_of(row: Row[Any]) -> Lot:
    """Read a lot from its row."""
    return Lot(
        id=row.id,
        account=row.account,
        bundle=row.bundle,
        amount=row.amount,
        left=row.left,
        opened_at=row.opened_at,
        terms=Terms(expires_at=row.expires_at, funder=row.funder, cost=row.cost),
    )


def _row_of(tenant: TenantId, lot: Lot) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "id": lot.id,
        "account": lot.account,
        "bundle": lot.bundle,
        "amount": lot.amount,
        "left": lot.left,
        "opened_at": lot.opened_at,
        "expires_at": lot.terms.expires_at,
        "funder": lot.terms.funder,
        "cost": lot.terms.cost,
    }
