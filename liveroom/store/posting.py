"""The stored ledger: posts a bundle that the domain decided, and guards the floors again.

Accounts with a floor have a balance row, locked in order of names; the others are only
lines, so that two gifts to one host never wait for each other.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update

from liveroom.domain.ids import TenantId, UserId
from liveroom.domain.ledger import (
    NOTHING,
    Account,
    Balance,
    Bundle,
    Line,
    post,
)
from liveroom.domain.refusals import Refused
from liveroom.store.dialect import insert_new_rows, write_rows
from liveroom.store.port import Transaction
from liveroom.store.tables import accounts, bundles, ledger_lines

PAGE = 50
"""Lines of one page of somebody's ledger."""


def wallet_of(user: UserId) -> Account:
    """Name somebody's coin wallet: it never goes below zero."""
    return Account(f"user:{user}", "coins", "wallet", floor=0)


def earnings_of(host: str) -> Account:
    """Name what a host earns from gifts."""
    return Account(f"host:{host}", "coins", "earned")


PLATFORM = Account("platform", "coins", "fee")
ISSUER = Account("issuer", "coins", "issued")


_THIS = (accounts.c.tenant == bindparam("of_tenant"), accounts.c.id == bindparam("of_account"))
_BALANCE = select(accounts.c.balance, accounts.c.version).where(*_THIS)
_COINS = select(accounts.c.id, accounts.c.balance).where(
    accounts.c.tenant == bindparam("of_tenant"),
    accounts.c.id.in_(bindparam("of_accounts", expanding=True)),
)
_LOCKED_BALANCES = (
    select(accounts.c.id, accounts.c.balance, accounts.c.version)
    .where(accounts.c.tenant == bindparam("of_tenant"))
    .where(accounts.c.id.in_(bindparam("of_accounts", expanding=True)))
    .order_by(accounts.c.id)
    .with_for_update()
)
_FOLLOW_ON = (
    update(accounts)
    .where(*_THIS, accounts.c.version == bindparam("after_version"))
    .where(accounts.c.balance + bindparam("by") == bindparam("new_balance"))
    .values(balance=bindparam("new_balance"), version=bindparam("new_version"))
)
_NEW_BUNDLE = insert(bundles)
_NEW_LINES = insert(ledger_lines)


def _this(tenant: TenantId, account: Account) -> dict[str, Any]:
    return {"of_tenant": tenant, "of_account": account.id}


def balance_of(tx: Transaction, tenant: TenantId, account: Account) -> Balance:
    """Read what a guarded account holds."""
    row = tx.execute(_BALANCE, _this(tenant, account)).first()
    return Balance(row.balance, row.version) if row else NOTHING


def coins_of(tx: Transaction, tenant: TenantId, users: Collection[UserId]) -> dict[UserId, int]:
    """Read what people's wallets hold."""
    wallets = {wallet_of(user).id: user for user in users}
    these = {"of_tenant": tenant, "of_accounts": list(wallets)}
    held = {wallets[row.id]: int(row.balance) for row in tx.execute(_COINS, these)}
    return {user: held.get(user, 0) for user in users}


def post_bundle(tx: Transaction, tenant: TenantId, bundle: Bundle, *, at: int) -> dict[str, Line]:
    """Post a bundle; returns its lines by account id.

    Raises:
        Refused: the unit's code when a guarded account would fall below its floor.

    """
    (posted,) = post_bundles(tx, tenant, [bundle], at=at)
    if isinstance(posted, Refused):
        raise posted
    return posted


def post_bundles(
    tx: Transaction, tenant: TenantId, posting: Sequence[Bundle], *, at: int
) -> list[dict[str, Line] | Refused]:
    """Post bundles one after another; returns for each its lines by account id, or its refusal.

    A refused bundle writes nothing; those after it go on from where it found the accounts.
    """
    ends = (end for bundle in posting for t in bundle.transfers for end in (t.debit, t.credit))
    guarded = {end.id: end for end in ends if end.floor is not None}
    before = _lock(tx, tenant, guarded)
    balances = dict(before)
    posted: list[dict[str, Line] | Refused] = []
    heads: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for bundle in posting:
        try:
            lines = post(balances, bundle)
        except Refused as refused:
            posted.append(refused)
            continue
        for line in lines:
            if line.account.floor is not None:
                balances[line.account.id] = Balance(line.balance, line.version)
            rows.append(_row_of(tenant, bundle, line))
        heads.append(
            {"tenant": tenant, "id": bundle.id, "cause": bundle.cause, "ref": bundle.ref, "at": at}
        )
        posted.append({line.account.id: line for line in lines})
    if heads:
        _write_balances(tx, tenant, before, balances)
        write_rows(tx, _NEW_BUNDLE, heads)
        write_rows(tx, _NEW_LINES, rows)
    return posted


def _lock(tx: Transaction, tenant: TenantId, guarded: Mapping[str, Account]) -> dict[str, Balance]:
    """Lock guarded accounts in order of their names, and open those that are missing."""
    if not guarded:
        return {}
    this = {"of_tenant": tenant, "of_accounts": sorted(guarded)}
    found = {
        row.id: Balance(row.balance, row.version) for row in tx.execute(_LOCKED_BALANCES, this)
    }
    missing = [guarded[id] for id in sorted(guarded) if id not in found]
    if missing:
        insert_new_rows(tx, accounts, [_opened(tenant, account) for account in missing])
        this["of_accounts"] = [account.id for account in missing]
        found |= {id: Balance(*held) for id, *held in tx.execute(_LOCKED_BALANCES, this).all()}
    return found


def _opened(tenant: TenantId, account: Account) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "id": account.id,
        "owner": account.owner,
        "unit": account.unit,
        "purpose": account.purpose,
        "floor": account.floor,
    }


def _write_balances(
    tx: Transaction,
    tenant: TenantId,
    before: Mapping[str, Balance],
    after: Mapping[str, Balance],
) -> None:
    """Write what the accounts hold now, each only if it is as it was read.

    PostgreSQL's driver does not count the rows of many updates; there, as everywhere, a
    version that somebody else took fails at the lines, where it is unique.
    """
    changes = [
        {
            "of_tenant": tenant,
            "of_account": id,
            "after_version": before[id].version,
            "new_version": now.version,
            "by": now.amount - before[id].amount,
            "new_balance": now.amount,
        }
        for id, now in after.items()
        if id in before and now != before[id]
    ]
    if not changes:
        return
    written = write_rows(tx, _FOLLOW_ON, changes)
    counts = len(changes) == 1 or tx.dialect.supports_sane_multi_rowcount
    assert not counts or written.rowcount == len(changes), "an account changed under its lock"


def _row_of(tenant: TenantId, bundle: Bundle, line: Line) -> dict[str, Any]:
    guarded = line.account.floor is not None
    return {
        "tenant": tenant,
        "bundle": bundle.id,
        "account": line.account.id,
        "unit": line.account.unit,
        "amount": line.amount,
        "balance": line.balance if guarded else None,
        "version": line.version if guarded else None,
    }


def lines_of(
    tx: Transaction, tenant: TenantId, account: Account, *, before: int | None
) -> Sequence[Row[Any]]:
    """List an account's lines, newest first, with their bundle's cause, ref and time."""
    table = ledger_lines.c
    query = (
        select(table.seq, table.amount, table.unit, table.balance, table.version)
        .add_columns(bundles.c.id, bundles.c.cause, bundles.c.ref, bundles.c.at)
        .join(bundles, (bundles.c.tenant == table.tenant) & (bundles.c.id == table.bundle))
        .where(table.tenant == tenant, table.account == account.id)
        .order_by(table.version.desc())
        .limit(PAGE + 1)
    )
    if before is not None:
        query = query.where(table.version < before)
    return tx.execute(query).all()


def audit(tx: Transaction) -> list[str]:
    """Check the whole ledger; returns a sentence for each fault."""
    table = ledger_lines.c
    sums = select(table.tenant, table.bundle, table.unit, func.sum(table.amount).label("total"))
    grouped = sums.group_by(table.tenant, table.bundle, table.unit)
    faults = [
        f"bundle {row.bundle} of {row.tenant} sums to {row.total} {row.unit}"
        for row in tx.execute(grouped.having(func.sum(table.amount) != 0))
    ]
    stated = {
        (row.tenant, row.id): Balance(row.balance, row.version)
        for row in tx.execute(select(accounts))
    }
    counted: dict[tuple[str, str], Balance] = {}
    guarded = select(ledger_lines).where(table.version.is_not(None))
    for row in tx.execute(guarded.order_by(table.tenant, table.account, table.version)):
        key = (row.tenant, row.account)
        before = counted.get(key, NOTHING)
        if (row.version, row.balance) != (before.version + 1, before.amount + row.amount):
            faults.append(f"{row.account} of {row.tenant} does not follow at {row.version}")
        counted[key] = Balance(row.balance, row.version)
    for key, balance in stated.items():
        if counted.get(key, NOTHING) != balance:
            faults.append(f"{key[1]} of {key[0]} states {balance.amount}, its lines say otherwise")
    return faults
