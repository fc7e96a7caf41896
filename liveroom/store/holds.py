"""Stored holds: set aside, then captured, released or expired, exactly once.

A hold's row is locked before the accounts, so that of two ends one waits and finds the
other. What is set aside together stands or falls together.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, bindparam, select, update

from liveroom.domain.ids import TenantId
from liveroom.domain.ledger import Account, Bundle, Hold, HoldDraft, HoldState, Line, account_of
from liveroom.domain.ledger import holds as rules
from liveroom.domain.refusals import Refused
from liveroom.store.dialect import insert_new
from liveroom.store.port import Transaction
from liveroom.store.posting import post_bundle, post_bundles
from liveroom.store.tables import holds

EXPIRED_MAX: Final = 200
"""Holds expired by one sweep; the rest waits for the next."""

_THIS = (holds.c.tenant == bindparam("of_tenant"), holds.c.id == bindparam("of_hold"))
_LOCKED = select(holds).where(*_THIS).with_for_update()


def reserve(
    tx: Transaction, tenant: TenantId, drafts: Sequence[HoldDraft], *, at: int
) -> list[Hold]:
    """Set amounts aside, all or none; the same draft again is the same hold.

    Raises:
        Refused: the unit's code when an account cannot spare it, `idempotency_mismatch`
            when a hold of that id has other content. The caller's transaction must fail
            with it, or roll back to a savepoint.

    """
    new = [draft for draft in drafts if insert_new(tx, holds, _row_of(tenant, draft))]
    for posted in post_bundles(tx, tenant, [rules.opening(draft) for draft in new], at=at):
        if isinstance(posted, Refused):
            raise posted
    made = set(new)
    return [Hold(draft=one) if one in made else _known(tx, tenant, one) for one in drafts]


def _known(tx: Transaction, tenant: TenantId, draft: HoldDraft) -> Hold:
    found = find(tx, tenant, draft.id)
    assert found is not None, draft.id
    if found.draft != draft:
        raise Refused("idempotency_mismatch")
    return found


def find(tx: Transaction, tenant: TenantId, id: str) -> Hold | None:
    """Read a hold, and keep whoever wants to end it waiting."""
    row = tx.execute(_LOCKED, {"of_tenant": tenant, "of_hold": id}).first()
    return None if row is None else _hold_of(row)


def capture(
    tx: Transaction,
    tenant: TenantId,
    id: str,
    to: Sequence[tuple[Account, int]],
    *,
    cause: str,
    ref: str,
    at: int,
) -> dict[str, Line]:
    """Hand over what was held, at most all of it; the rest goes back to its lots.

    Raises:
        Refused: `hold_ended` when it ended before or its time has passed, `invalid` when
            more is captured than held.

    """
    hold, bundle = rules.capture(_held(tx, tenant, id), to, cause=cause, ref=ref, at=at)
    return _end(tx, tenant, hold, bundle, at=at)


def release(tx: Transaction, tenant: TenantId, id: str, *, ref: str, at: int) -> dict[str, Line]:
    """Give back what nobody needs any more.

    Raises:
        Refused: `hold_ended` when it ended before.

    """
    hold, bundle = rules.let_go(_held(tx, tenant, id), state=HoldState.RELEASED, ref=ref)
    return _end(tx, tenant, hold, bundle, at=at)


def expire_due(tx: Transaction, *, at: int) -> int:
    """Give back what was held too long, in all shops; returns how many holds."""
    due = (
        select(holds)
        .where(holds.c.state == HoldState.HELD, holds.c.expires_at <= at)
        .order_by(holds.c.expires_at, holds.c.id)
        .limit(EXPIRED_MAX)
        .with_for_update(skip_locked=True)
    )
    rows = tx.execute(due).all()
    for row in rows:
        hold, bundle = rules.let_go(_hold_of(row), state=HoldState.EXPIRED, ref=row.ref)
        _end(tx, row.tenant, hold, bundle, at=at)
    return len(rows)


def _held(tx: Transaction, tenant: TenantId, id: str) -> Hold:
    found = find(tx, tenant, id)
    if found is None:
        raise Refused("not_found", "There is no such hold.")
    return found


def _end(
    tx: Transaction, tenant: TenantId, hold: Hold, bundle: Bundle, *, at: int
) -> dict[str, Line]:
    ended = update(holds).where(holds.c.tenant == tenant, holds.c.id == hold.draft.id)
    still = ended.where(holds.c.state == HoldState.HELD)
    changed = tx.execute(still.values(state=hold.state, captured=hold.captured)).rowcount
    assert changed == 1, f"{hold.draft.id} ended under its lock"
    return post_bundle(tx, tenant, bundle, at=at)


def _row_of(tenant: TenantId, draft: HoldDraft) -> dict[str, Any]:
    if draft.account.floor is None:
        raise ValueError("what is held comes from a guarded account")
    return {
        "tenant": tenant,
        "id": draft.id,
        "account": draft.account.id,
        "unit": draft.account.unit,
        "floor": draft.account.floor,
        "amount": draft.amount,
        "captured": 0,
        "state": HoldState.HELD,
        "cause": draft.cause,
        "ref": draft.ref,
        "actor": draft.actor,
        "expires_at": draft.expires_at,
    }


def _hold_of(row: Row[Any]) -> Hold:
    draft = HoldDraft(
        id=row.id,
        account=account_of(row.account, row.unit, floor=row.floor),
        amount=row.amount,
        expires_at=row.expires_at,
        cause=row.cause,
        ref=row.ref,
        actor=row.actor,
    )
    return Hold(draft=draft, state=HoldState(row.state), captured=row.captured)
