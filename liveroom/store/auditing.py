"""Checks the whole ledger against itself: sums, balances, chains, lots, holds.

A fault is a sentence. It reads everything once, in order, and remembers one line of each
account.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Select, func, select

from liveroom.domain.ids import TenantId
from liveroom.domain.ledger import NOTHING, Balance, HoldState, account_of, chain
from liveroom.domain.ledger.holds import reserved_of
from liveroom.store.port import Transaction
from liveroom.store.tables import accounts, bundles, holds, ledger_lines, lot_moves, lots

ROWS_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check came to; `heads` are the last hashes of the accounts, by shop and name."""

    bundles: int
    lines: int
    faults: tuple[str, ...]
    heads: dict[tuple[str, str], str]


def audit(tx: Transaction, tenant: TenantId | None = None) -> list[str]:
    """Check the ledger of one shop, or of all; returns a sentence for each fault."""
    return list(verify(tx, tenant).faults)


def verify(tx: Transaction, tenant: TenantId | None = None) -> Verified:
    """Check the ledger of one shop, or of all, and say what was checked."""
    stated = {
        (row.tenant, row.id): Balance(row.balance, row.version, row.head)
        for row in tx.execute(_of(select(accounts), accounts, tenant))
    }
    counted: dict[tuple[str, str], Balance] = {}
    faults: list[str] = []
    total_bundles = total_lines = 0
    for head, lines in _bundles(tx, tenant):
        total_bundles += 1
        total_lines += len(lines)
        faults += _check_sums(head, lines)
        faults += _check_lines(head, lines, counted)
    for (shop, id), balance in stated.items():
        found = counted.get((shop, id), NOTHING)
        if (found.amount, found.version) != (balance.amount, balance.version):
            faults.append(f"{id} of {shop} states {balance.amount}, its lines say otherwise")
        elif found.head != balance.head:
            faults.append(f"{id} of {shop} states another last hash than its lines")
    faults += _check_lots(tx, tenant, stated)
    faults += _check_holds(tx, tenant, stated)
    heads = {key: balance.head for key, balance in counted.items() if balance.head}
    return Verified(total_bundles, total_lines, tuple(faults), heads)


def _of(query: Select[Any], table: Any, tenant: TenantId | None) -> Select[Any]:
    return query if tenant is None else query.where(table.c.tenant == tenant)


def _bundles(tx: Transaction, tenant: TenantId | None) -> Iterator[tuple[Any, list[Any]]]:
    """Read bundle after bundle with its lines, in the order in which their accounts saw them.

    Bundles that share a guarded account are written one after the other under its lock, so
    the order of their first lines is the order of that account's versions.
    """
    table = ledger_lines.c
    first = (
        select(table.tenant, table.bundle, func.min(table.seq).label("first"))
        .group_by(table.tenant, table.bundle)
        .subquery()
    )
    query = (
        select(ledger_lines)
        .add_columns(bundles.c.cause, bundles.c.ref, bundles.c.at, bundles.c.actor)
        .add_columns(bundles.c.reason, bundles.c.reverses)
        .join(bundles, (bundles.c.tenant == table.tenant) & (bundles.c.id == table.bundle))
        .join(first, (first.c.tenant == table.tenant) & (first.c.bundle == table.bundle))
        .order_by(first.c.first)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    rows = tx.execute(_of(query, ledger_lines, tenant))
    for _, lines in groupby(rows, key=lambda row: (row.tenant, row.bundle)):
        found = sorted(lines, key=lambda line: line.account)
        yield found[0], found


def _check_sums(head: Any, lines: list[Any]) -> Iterator[str]:
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.unit] = sums.get(line.unit, 0) + line.amount
    for unit, total in sums.items():
        if total:
            yield f"bundle {head.bundle} of {head.tenant} sums to {total} {unit}"


def _check_lines(
    head: Any, lines: list[Any], counted: dict[tuple[str, str], Balance]
) -> Iterator[str]:
    amounts = tuple((line.account, line.amount) for line in lines)
    digest = chain.digest(
        head.bundle, head.cause, head.ref, head.actor, head.reason, head.reverses, head.at, amounts
    )
    for line in lines:
        if line.version is None:
            continue
        key = (line.tenant, line.account)
        before = counted.get(key, NOTHING)
        if (line.version, line.balance) != (before.version + 1, before.amount + line.amount):
            yield f"{line.account} of {line.tenant} does not follow at {line.version}"
        if line.hash is not None:
            last = before.head or chain.genesis(*key)
            wanted = chain.link(last, digest, line.account, line.version, line.amount, line.balance)
            if line.hash != wanted:
                yield f"{line.account} of {line.tenant} breaks its chain at {line.version}"
        elif before.head:
            yield f"{line.account} of {line.tenant} lost its hash at {line.version}"
        counted[key] = Balance(line.balance, line.version, line.hash or "")


def _check_lots(
    tx: Transaction, tenant: TenantId | None, stated: dict[tuple[str, str], Balance]
) -> Iterator[str]:
    moved = select(lot_moves.c.tenant, lot_moves.c.lot, func.sum(lot_moves.c.amount).label("sum"))
    grouped = _of(moved, lot_moves, tenant).group_by(lot_moves.c.tenant, lot_moves.c.lot)
    sums = {(row.tenant, row.lot): int(row.sum) for row in tx.execute(grouped)}
    inside: dict[tuple[str, str], int] = {}
    for lot in tx.execute(_of(select(lots), lots, tenant)):
        if sums.get((lot.tenant, lot.id), 0) != lot.left:
            yield f"lot {lot.id} of {lot.tenant} states {lot.left}, its moves say otherwise"
        key = (lot.tenant, lot.account)
        inside[key] = inside.get(key, 0) + lot.left
    for key, amount in inside.items():
        if amount > stated.get(key, NOTHING).amount:
            yield f"{key[1]} of {key[0]} has more in lots than it holds"


def _check_holds(
    tx: Transaction, tenant: TenantId | None, stated: dict[tuple[str, str], Balance]
) -> Iterator[str]:
    held: dict[tuple[str, str], int] = {}
    for row in tx.execute(_of(select(holds), holds, tenant)):
        account = reserved_of(account_of(row.account, row.unit, floor=row.floor))
        key = (row.tenant, account.id)
        held.setdefault(key, 0)
        if row.state == HoldState.HELD:
            held[key] += row.amount
    for key, amount in held.items():
        if stated.get(key, NOTHING).amount != amount:
            yield f"{key[1]} of {key[0]} does not hold what its holds say"
