"""Undoing what is in the books: reversals, once each, and lots that have expired."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Row, select

from liveroom.domain.ids import NewId, TenantId
from liveroom.domain.ledger import Account, Bundle, Line, Transfer, account_of, lots
from liveroom.domain.ledger.chart import expired_of
from liveroom.domain.ledger.reversals import no_debt, undo
from liveroom.domain.refusals import Refused
from liveroom.store.lots import lots_of, opened_by
from liveroom.store.port import Transaction
from liveroom.store.posting import lock, post_bundle
from liveroom.store.tables import accounts, bundles, ledger_lines
from liveroom.store.tables import lots as lot_rows

EXPIRED_MAX: Final = 200
"""Lots expired by one sweep; the rest waits for the next."""


def itself(account: Account) -> Account:
    """Say that what an account got is still there."""
    return account


def reverse(
    tx: Transaction,
    tenant: TenantId,
    original: str,
    *,
    cause: str,
    ref: str,
    actor: str,
    reason: str,
    at: int,
    debtor: Callable[[Account], Account | None] = no_debt,
    lies_in: Callable[[Account], Account] = itself,
) -> dict[str, Line]:
    """Undo a bundle; again is the same reversal. Returns the reversal's lines by account id.

    What the bundle took from lots goes back to them; lots that it opened are drawn first.
    `debtor` names the account that owes what another cannot give any more, `lies_in` where
    what an account once got has moved on to.

    Raises:
        Refused: `not_found`, or the unit's code when somebody has spent what is to be taken
            back and may owe nothing.

    """
    touched = [(lies_in(account), by) for account, by in _amounts(tx, tenant, original)]
    if not touched:
        raise Refused("not_found", "There is no such posting.")
    owing = [debt for account, amount in touched if amount > 0 and (debt := debtor(account))]
    locked = lock(tx, tenant, [*(account for account, _ in touched), *owing])
    before = _reversal(tx, tenant, original)
    if before is not None:
        return before
    draws = tuple(sorted(lot.id for lot in opened_by(tx, tenant, original)))
    spendable: dict[str, int] = {}
    for account, _ in touched:
        if account.floor is not None:
            held = lots_of(tx, tenant, account) if account.id in locked.lotted else []
            ended = [lot for lot in held if lot.id not in draws]
            balance = locked.balances[account.id].amount
            spendable[account.id] = lots.spendable(ended, balance, at=at)
    bundle = Bundle(
        id=f"{original}/reversed",
        cause=cause,
        ref=ref,
        actor=actor,
        reason=reason,
        transfers=undo(touched, spendable=spendable, debtor=debtor),
        reverses=original,
        returns=original,
        draws=draws,
    )
    return post_bundle(tx, tenant, bundle, at=at)


def _amounts(tx: Transaction, tenant: TenantId, bundle: str) -> list[tuple[Account, int]]:
    """Read what a bundle did to each account."""
    table = ledger_lines.c
    guard = (accounts.c.tenant == table.tenant) & (accounts.c.id == table.account)
    found = (
        select(table.account, table.unit, table.amount, accounts.c.floor)
        .outerjoin(accounts, guard)
        .where(table.tenant == tenant, table.bundle == bundle)
    )
    return [
        (account_of(row.account, row.unit, floor=row.floor), row.amount)
        for row in tx.execute(found)
    ]


def _reversal(tx: Transaction, tenant: TenantId, original: str) -> dict[str, Line] | None:
    """Read the reversal that is in the books already."""
    mine = (bundles.c.tenant == tenant, bundles.c.reverses == original)
    id = tx.execute(select(bundles.c.id).where(*mine)).scalar()
    if id is None:
        return None
    table = ledger_lines.c
    query = select(ledger_lines).where(table.tenant == tenant, table.bundle == id)
    return {row.account: _line_of(row) for row in tx.execute(query)}


def _line_of(row: Row[Any]) -> Line:
    account = account_of(row.account, row.unit, floor=None)
    return Line(account, row.amount, row.balance or 0, row.version or 0, row.hash or "")


def expire_lots(tx: Transaction, *, new_id: NewId, at: int) -> int:
    """Take what has ended out of its accounts, in all shops; returns how many lots."""
    due = (
        select(lot_rows, accounts.c.floor, accounts.c.unit)
        .join(
            accounts,
            (accounts.c.tenant == lot_rows.c.tenant) & (accounts.c.id == lot_rows.c.account),
        )
        .where(lot_rows.c.expires_at <= at, lot_rows.c.left > 0)
        .order_by(lot_rows.c.tenant, lot_rows.c.account, lot_rows.c.id)
        .limit(EXPIRED_MAX)
    )
    count = 0
    for row in tx.execute(due).all():
        account = account_of(row.account, row.unit, floor=row.floor)
        lock(tx, row.tenant, [account])
        left = {lot.id: lot.left for lot in lots_of(tx, row.tenant, account)}.get(row.id, 0)
        if not left:
            continue
        transfer = Transfer(account, expired_of(row.unit), left)
        bundle = Bundle(
            id=new_id(), cause="expired", ref=row.id, transfers=(transfer,), draws=(row.id,)
        )
        post_bundle(tx, row.tenant, bundle, at=at)
        count += 1
    return count
