"""The stored ledger: posts bundles that the domain decides, and guards the floors again.

Accounts with a floor have a balance row, locked in order of names; the others are only
lines, so that two gifts to one host never wait for each other. Lots are read only where an
account has some. For whoever builds on it:

- `post_bundle` (or `post_bundles`, several at once) inside the command whose effect it is;
  the command's idempotency key (`store/keys`) is in the same transaction.
- Money in: `Transfer(issuer, wallet, amount, Terms(expires_at, funder, cost))` opens a lot.
- Money set aside: `store/holds`. Money undone: `store/reversing`.
- `balance_of` says what an account holds, `spendable_of` what of it has not expired.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update

from liveroom.domain.ids import TenantId, UserId
from liveroom.domain.ledger import NOTHING, Account, Balance, Bundle, Line, chart, lots, post
from liveroom.domain.ledger.chain import genesis
from liveroom.domain.refusals import Refused
from liveroom.store.dialect import insert_new_rows, write_rows
from liveroom.store.lots import Shelves, lots_of
from liveroom.store.port import Transaction
from liveroom.store.steps import reached
from liveroom.store.tables import accounts, bundles, ledger_lines, lot_moves

PAGE = 50
"""Lines of one page of somebody's ledger."""

_THIS = (accounts.c.tenant == bindparam("of_tenant"), accounts.c.id == bindparam("of_account"))
_BALANCE = select(accounts.c.balance, accounts.c.version, accounts.c.head).where(*_THIS)
_COINS = select(accounts.c.id, accounts.c.balance).where(
    accounts.c.tenant == bindparam("of_tenant"),
    accounts.c.id.in_(bindparam("of_accounts", expanding=True)),
)
_LOCKED_BALANCES = (
    select(accounts.c.id, accounts.c.balance, accounts.c.version)
    .add_columns(accounts.c.head, accounts.c.lotted)
    .where(accounts.c.tenant == bindparam("of_tenant"))
    .where(accounts.c.id.in_(bindparam("of_accounts", expanding=True)))
    .order_by(accounts.c.id)
    .with_for_update()
)
_FOLLOW_ON = (
    update(accounts)
    .where(*_THIS, accounts.c.version == bindparam("after_version"))
    .where(accounts.c.balance + bindparam("by") == bindparam("new_balance"))
    .values(
        balance=bindparam("new_balance"),
        version=bindparam("new_version"),
        head=bindparam("new_head"),
        lotted=bindparam("has_lots"),
    )
)
_NEW_BUNDLE = insert(bundles)
_NEW_LINES = insert(ledger_lines)


@dataclass(frozen=True, slots=True)
class Locked:
    """Guarded accounts under their locks: what they hold, and which of them have lots."""

    balances: dict[str, Balance]
    lotted: frozenset[str]


def balance_of(tx: Transaction, tenant: TenantId, account: Account) -> Balance:
    """Read what a guarded account holds."""
    row = tx.execute(_BALANCE, {"of_tenant": tenant, "of_account": account.id}).first()
    return Balance(row.balance, row.version, row.head) if row else NOTHING


def spendable_of(tx: Transaction, tenant: TenantId, account: Account, *, at: int) -> int:
    """Read how much of a guarded account can be spent: expired lots cannot."""
    balance = balance_of(tx, tenant, account).amount
    return lots.spendable(lots_of(tx, tenant, account), balance, at=at)


def coins_of(tx: Transaction, tenant: TenantId, users: Collection[UserId]) -> dict[UserId, int]:
    """Read what people's wallets hold."""
    wallets = {chart.wallet_of(user).id: user for user in users}
    these = {"of_tenant": tenant, "of_accounts": list(wallets)}
    held = {wallets[row.id]: int(row.balance) for row in tx.execute(_COINS, these)}
    return {user: held.get(user, 0) for user in users}


def total_of(tx: Transaction, tenant: TenantId, account: Account) -> int:
    """Sum up an account that is only lines."""
    line = ledger_lines.c
    total = select(func.coalesce(func.sum(line.amount), 0))
    mine = total.where(line.tenant == tenant, line.account == account.id)
    return int(tx.execute(mine).scalar_one())


def credited_by(tx: Transaction, tenant: TenantId, bundle: str) -> int:
    """Add up what a bundle credited; 0 where there is none of that id."""
    mine = [ledger_lines.c.tenant == tenant, ledger_lines.c.bundle == bundle]
    credited = select(func.sum(ledger_lines.c.amount)).where(*mine, ledger_lines.c.amount > 0)
    return int(tx.execute(credited).scalar() or 0)


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
    tx: Transaction,
    tenant: TenantId,
    posting: Sequence[Bundle],
    *,
    at: int,
    locked: Locked | None = None,
) -> list[dict[str, Line] | Refused]:
    """Post bundles one after another; returns for each its lines by account id, or its refusal.

    A refused bundle writes nothing; those after it go on from where it found the accounts.
    `locked` are all the guarded accounts that the bundles touch, where the caller has them.
    """
    if locked is None:
        transfers = [transfer for bundle in posting for transfer in bundle.transfers]
        locked = lock(tx, tenant, (end for one in transfers for end in (one.debit, one.credit)))
    shelves = Shelves(tx, tenant, locked.lotted, posting)
    balances, lotted = dict(locked.balances), set(locked.lotted)
    answers: list[dict[str, Line] | Refused] = []
    heads: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for bundle in posting:
        try:
            posted = post(balances, bundle, at=at, shelf=shelves.of(bundle))
        except Refused as refused:
            answers.append(refused)
            continue
        for line in posted.lines:
            if line.account.floor is not None:
                balances[line.account.id] = line.after
            rows.append(_row_of(tenant, bundle, line))
        lotted |= shelves.apply(bundle, posted.moves)
        heads.append(_head_of(tenant, bundle, at))
        answers.append({line.account.id: line for line in posted.lines})
    if heads:
        reached("before_insert")
        _write_balances(tx, tenant, locked, balances, lotted)
        write_rows(tx, _NEW_BUNDLE, heads)
        write_rows(tx, _NEW_LINES, rows)
        shelves.write()
        reached("after_insert")
    return answers


def lock(tx: Transaction, tenant: TenantId, touched: Iterable[Account]) -> Locked:
    """Lock guarded accounts in order of their names, and open those that are missing."""
    guarded = {account.id: account for account in touched if account.floor is not None}
    if not guarded:
        return Locked({}, frozenset())
    this = {"of_tenant": tenant, "of_accounts": sorted(guarded)}
    rows = list(tx.execute(_LOCKED_BALANCES, this))
    known = {row.id for row in rows}
    missing = [guarded[id] for id in sorted(guarded) if id not in known]
    if missing:
        insert_new_rows(tx, accounts, [_opened(tenant, account) for account in missing])
        this["of_accounts"] = [account.id for account in missing]
        rows += tx.execute(_LOCKED_BALANCES, this)
    balances = {
        row.id: Balance(row.balance, row.version, row.head or genesis(tenant, row.id))
        for row in rows
    }
    return Locked(balances, frozenset(row.id for row in rows if row.lotted))


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
    locked: Locked,
    after: Mapping[str, Balance],
    lotted: set[str],
) -> None:
    """Write what the accounts hold now, each only if it is as it was read.

    PostgreSQL's driver does not count the rows of many updates; there, as everywhere, a
    version that somebody else took fails at the lines, where it is unique.
    """
    before = locked.balances
    changes = [
        {
            "of_tenant": tenant,
            "of_account": id,
            "after_version": before[id].version,
            "new_version": now.version,
            "by": now.amount - before[id].amount,
            "new_balance": now.amount,
            "new_head": now.head,
            "has_lots": id in lotted,
        }
        for id, now in after.items()
        if id in before and now.version != before[id].version
    ]
    if not changes:
        return
    written = write_rows(tx, _FOLLOW_ON, changes)
    counts = len(changes) == 1 or tx.dialect.supports_sane_multi_rowcount
    assert not counts or written.rowcount == len(changes), "an account changed under its lock"


def _head_of(tenant: TenantId, bundle: Bundle, at: int) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "id": bundle.id,
        "cause": bundle.cause,
        "ref": bundle.ref,
        "at": at,
        "actor": bundle.actor,
        "reason": bundle.reason,
        "reverses": bundle.reverses,
    }


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
        "hash": line.head if guarded else None,
    }


def moved_by(tx: Transaction, tenant: TenantId, cause: str, ref: str) -> dict[str, int]:
    """Sum up, by lot, what the bundles of a cause and command took."""
    mine = (bundles.c.tenant == lot_moves.c.tenant) & (bundles.c.id == lot_moves.c.bundle)
    taken = select(lot_moves.c.lot, func.sum(-lot_moves.c.amount).label("taken"))
    query = taken.join(bundles, mine).group_by(lot_moves.c.lot)
    found = query.where(bundles.c.tenant == tenant, bundles.c.cause == cause, bundles.c.ref == ref)
    return {row.lot: int(row.taken) for row in tx.execute(found)}


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
