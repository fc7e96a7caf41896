"""What hosts earn: pending until a gift can no longer be taken back, then theirs.

A host's earnings are locked by their `available` account; whoever moves them asks under that
lock up to when they have matured, so that no gift is taken back from where it no longer lies.
"""

from sqlalchemy import exists, func, select

from liveroom.domain.ids import NewId, TenantId
from liveroom.domain.ledger import Account, Bundle, Transfer, chart
from liveroom.domain.ledger.reversals import debt_of
from liveroom.store import posting
from liveroom.store.dialect import put
from liveroom.store.port import Transaction
from liveroom.store.tables import bundles, earnings, ledger_lines, rooms


def earner_of(host: str | None, room: str) -> str:
    """Name who earns in a room: its host, or the room itself while it has none."""
    return host or f"room:{room}"


def earners(tx: Transaction) -> list[tuple[TenantId, str]]:
    """List shops and who earns in their rooms."""
    name = func.coalesce(rooms.c.host, "room:" + rooms.c.id)
    query = select(rooms.c.tenant, name.label("earner")).distinct()
    return [(row.tenant, row.earner) for row in tx.execute(query)]


def matured_until(tx: Transaction, tenant: TenantId, host: str) -> int:
    """Read up to when (inclusive) a host's gifts are theirs; -1 = none yet."""
    query = select(earnings.c.matured_until)
    found = tx.execute(query.where(earnings.c.tenant == tenant, earnings.c.host == host)).scalar()
    return -1 if found is None else int(found)


def lies_in(tx: Transaction, tenant: TenantId, pending: Account, *, given_at: int) -> Account:
    """Say where the earnings of a gift are now; locks them there."""
    host = pending.owner.removeprefix("host:")
    available = chart.available_of(host)
    posting.lock(tx, tenant, [available])
    return available if given_at <= matured_until(tx, tenant, host) else pending


def mature(
    tx: Transaction, tenant: TenantId, host: str, *, until: int, new_id: NewId, at: int
) -> int:
    """Make a host's what they earned up to a time, less what they owe; returns how much."""
    available, pending = chart.available_of(host), chart.pending_of(host)
    owing = debt_of(available)
    locked = posting.lock(tx, tenant, [available, owing])
    since = matured_until(tx, tenant, host)
    if until <= since:
        return 0
    line, undone = ledger_lines.c, bundles.alias()
    reversed_ = exists().where(undone.c.tenant == line.tenant, undone.c.reverses == line.bundle)
    earned = (
        select(func.coalesce(func.sum(line.amount), 0))
        .join(bundles, (bundles.c.tenant == line.tenant) & (bundles.c.id == line.bundle))
        .where(line.tenant == tenant, line.account == pending.id, line.amount > 0)
        .where(bundles.c.at > since, bundles.c.at <= until, ~reversed_)
    )
    amount = int(tx.execute(earned).scalar_one())
    values = {"tenant": tenant, "host": host, "matured_until": until}
    put(tx, earnings, [values], replace=("matured_until",))
    if not amount:
        return 0
    owed = min(-locked.balances[owing.id].amount, amount)
    transfers = [Transfer(pending, owing, owed)] if owed else []
    if amount > owed:
        transfers.append(Transfer(pending, available, amount - owed))
    bundle = Bundle(
        id=new_id(), cause="earnings:matured", ref=str(until), transfers=tuple(transfers)
    )
    posting.post_bundle(tx, tenant, bundle, at=at)
    return amount
