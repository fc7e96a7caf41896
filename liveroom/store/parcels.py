"""Rows of parcels and of the addresses they go to."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Row, select, update

from liveroom.domain.ids import OrderId, TenantId, UserId
from liveroom.domain.parcels import UNSENT, Address, Parcel, ParcelState
from liveroom.store.dialect import insert_new, put
from liveroom.store.port import Transaction
from liveroom.store.tables import addresses, parcels

LISTED_MAX: Final = 200
"""Parcels of one listing; older ones are left out."""


def add(tx: Transaction, tenant: TenantId, parcel: Parcel) -> bool:
    """Write a parcel with the address its owner has now; False when its id is taken."""
    address = parcel.address or address_of(tx, tenant, parcel.member)
    values = {
        "tenant": tenant,
        "id": parcel.id,
        "member": parcel.member,
        "order_id": parcel.order,
        "title": parcel.title,
        "state": parcel.state,
        "first": parcel.first,
        "carrier": parcel.carrier,
        "tracking": parcel.tracking,
        "address": _encode(address),
        "promised_at": parcel.promised_at,
        "created_at": parcel.created_at,
        "changed_at": parcel.created_at,
    }
    return insert_new(tx, parcels, values)


def find(tx: Transaction, tenant: TenantId, id: str, *, lock: bool = False) -> Parcel | None:
    """Read a parcel; `lock` keeps others from moving it meanwhile."""
    query = select(parcels).where(parcels.c.tenant == tenant, parcels.c.id == id)
    row = tx.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _parcel_of(row)


def of_order(tx: Transaction, tenant: TenantId, order: OrderId) -> list[Parcel]:
    """List the parcels of an order, and keep others from moving them meanwhile."""
    query = select(parcels).where(parcels.c.tenant == tenant, parcels.c.order_id == order)
    rows = tx.execute(query.order_by(parcels.c.id).with_for_update())
    return [_parcel_of(row) for row in rows]


def listed(
    tx: Transaction,
    tenant: TenantId,
    *,
    member: UserId | None = None,
    late_at: int | None = None,
) -> list[Parcel]:
    """List a shop's parcels, newest first: somebody's, or those that are late at a time."""
    query = select(parcels).where(parcels.c.tenant == tenant)
    if member is not None:
        query = query.where(parcels.c.member == member)
    if late_at is not None:
        query = query.where(parcels.c.state.in_(UNSENT), parcels.c.promised_at <= late_at)
    newest = query.order_by(parcels.c.created_at.desc(), parcels.c.id).limit(LISTED_MAX)
    return [_parcel_of(row) for row in tx.execute(newest)]


def moved(
    tx: Transaction,
    tenant: TenantId,
    id: str,
    state: ParcelState,
    *,
    carrier: str | None,
    tracking: str | None,
    at: int,
) -> None:
    """Write where a parcel is now, and who carries it where that was said."""
    said = {"carrier": carrier, "tracking": tracking}
    known = {name: value for name, value in said.items() if value is not None}
    mine = update(parcels).where(parcels.c.tenant == tenant, parcels.c.id == id)
    tx.execute(mine.values(state=state, changed_at=at, **known))


def cancel_unsent(tx: Transaction, tenant: TenantId, order: OrderId, *, at: int) -> None:
    """Keep the parcels of an order back that are still with the shop."""
    mine = update(parcels).where(parcels.c.tenant == tenant, parcels.c.order_id == order)
    unsent = mine.where(parcels.c.state.in_(UNSENT))
    tx.execute(unsent.values(state=ParcelState.CANCELLED, changed_at=at))


def unguarded(tx: Transaction, *, at: int) -> Sequence[tuple[TenantId, Parcel]]:
    """List late first purchases, in all shops, about which nobody was alerted."""
    query = select(parcels).where(
        parcels.c.first, parcels.c.state.in_(UNSENT), parcels.c.promised_at <= at
    )
    open_ = query.where(parcels.c.alerted_at.is_(None)).order_by(parcels.c.promised_at)
    return [(row.tenant, _parcel_of(row)) for row in tx.execute(open_.limit(LISTED_MAX))]


def alerted(tx: Transaction, tenant: TenantId, id: str, *, at: int) -> bool:
    """Note that an alert was raised; False when it was before."""
    mine = update(parcels).where(parcels.c.tenant == tenant, parcels.c.id == id)
    return (
        tx.execute(mine.where(parcels.c.alerted_at.is_(None)).values(alerted_at=at)).rowcount == 1
    )


def put_address(
    tx: Transaction, tenant: TenantId, member: UserId, address: Address, *, at: int
) -> None:
    """Keep where somebody wants their parcels from now on, those not sent yet included."""
    encoded = _encode(address)
    values = {"tenant": tenant, "member": member, "address": encoded, "at": at}
    put(tx, addresses, [values], replace=("address", "at"))
    mine = update(parcels).where(parcels.c.tenant == tenant, parcels.c.member == member)
    tx.execute(mine.where(parcels.c.state == ParcelState.WAITING).values(address=encoded))


def address_of(tx: Transaction, tenant: TenantId, member: UserId) -> Address | None:
    """Read where somebody wants their parcels."""
    mine = (addresses.c.tenant == tenant, addresses.c.member == member)
    return _decode(tx.execute(select(addresses.c.address).where(*mine)).scalar())


def _encode(address: Address | None) -> str | None:
    return None if address is None else msgspec.json.encode(address).decode()


def _decode(text: str | None) -> Address | None:
    return None if text is None else msgspec.json.decode(text, type=Address)


def _parcel_of(row: Row[Any]) -> Parcel:
    return Parcel(
        id=row.id,
        member=row.member,
        title=row.title,
        state=ParcelState(row.state),
        promised_at=row.promised_at,
        created_at=row.created_at,
        order=row.order_id,
        first=row.first,
        carrier=row.carrier,
        tracking=row.tracking,
        changed_at=row.changed_at,
        alerted_at=row.alerted_at,
        address=_decode(row.address),
    )
