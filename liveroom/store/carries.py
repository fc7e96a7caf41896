"""What each side of a repeated split is still owed, kept from one split to the next."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, select, update

from liveroom.domain.ids import TenantId
from liveroom.store.dialect import insert_new
from liveroom.store.port import Transaction
from liveroom.store.tables import carries

_THIS = (carries.c.tenant == bindparam("of_tenant"), carries.c.id == bindparam("of_split"))
_LOCKED = select(carries.c.weights, carries.c.carry).where(*_THIS).with_for_update()
_KEPT = (
    update(carries).where(*_THIS).values(weights=bindparam("by_weights"), carry=bindparam("left"))
)


def read(tx: Transaction, tenant: TenantId, split: str, weights: Sequence[int]) -> tuple[int, ...]:
    """Lock and read a carry; with other weights than last time it begins anew at zero.

    Ask after the accounts are locked, so that two splits wait for each other in one order.
    """
    this = {"of_tenant": tenant, "of_split": split}
    row = tx.execute(_LOCKED, this).first()
    none = (0,) * len(weights)
    if row is None:
        encoded = _encode(weights)
        values = {"tenant": tenant, "id": split, "weights": encoded, "carry": _encode(none)}
        insert_new(tx, carries, values)
        row = tx.execute(_LOCKED, this).one()
    if row.weights != _encode(weights):
        return none
    return msgspec.json.decode(row.carry, type=tuple[int, ...])


def write(
    tx: Transaction, tenant: TenantId, split: str, weights: Sequence[int], carry: Sequence[int]
) -> None:
    """Keep a carry for the next split."""
    this = {"of_tenant": tenant, "of_split": split}
    tx.execute(_KEPT, {**this, "by_weights": _encode(weights), "left": _encode(carry)})


def _encode(numbers: Sequence[int]) -> str:
    return msgspec.json.encode(list(numbers)).decode()
