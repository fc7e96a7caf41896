"""Rows of PKs and of who supported which room, read and written inside a command."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Row, case, func, insert, or_, select, update

from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.domain.pk import Phase, Pk, PkId, Side, Support
from liveroom.store.dialect import add_up
from liveroom.store.port import Transaction
from liveroom.store.tables import pk_supporters, pks, room_counters

CURRENT: Final = (Phase.INVITED, Phase.RUNNING)
LISTED_MAX: Final = 1_000
"""PKs looked at by one sweep."""


def add(tx: Transaction, tenant: TenantId, pk: Pk) -> None:
    """Write a new PK."""
    tx.execute(insert(pks).values(tenant=tenant, id=pk.id, **_values(pk)))


def save(tx: Transaction, tenant: TenantId, pk: Pk) -> None:
    """Write what has changed."""
    mine = (pks.c.tenant == tenant, pks.c.id == pk.id)
    tx.execute(update(pks).where(*mine).values(**_values(pk)))


def of_room(tx: Transaction, tenant: TenantId, room: RoomId) -> Pk | None:
    """Find the PK a room is in or asked for, if any."""
    query = select(pks).where(
        pks.c.tenant == tenant,
        pks.c.phase.in_(CURRENT),
        or_(pks.c.first_room == room, pks.c.second_room == room),
    )
    row = tx.execute(query.order_by(pks.c.at.desc()).limit(1)).first()
    return _pk_of(row) if row else None


def find(tx: Transaction, tenant: TenantId, pk: PkId) -> Pk | None:
    """Read one."""
    query = select(pks).where(pks.c.tenant == tenant, pks.c.id == pk)
    row = tx.execute(query).first()
    return _pk_of(row) if row else None


def unfinished(tx: Transaction) -> list[tuple[TenantId, Pk]]:
    """List what waits for its time: invitations, running ones, results still shown."""
    query = select(pks).where(pks.c.shown).order_by(pks.c.at).limit(LISTED_MAX)
    return [(row.tenant, _pk_of(row)) for row in tx.execute(query)]


def hide(tx: Transaction, tenant: TenantId, pk: PkId) -> None:
    """Note that a result is on nobody's screen any more."""
    tx.execute(update(pks).where(pks.c.tenant == tenant, pks.c.id == pk).values(shown=False))


def open_coins(tx: Transaction, tenant: TenantId, pk: Pk) -> None:
    """Keep both rooms' coins as the zero mark."""
    coins = [_coins(tx, tenant, side.room) for side in pk.sides]
    mine = (pks.c.tenant == tenant, pks.c.id == pk.id)
    tx.execute(update(pks).where(*mine).values(first_coins=coins[0], second_coins=coins[1]))


def add_support(
    tx: Transaction, tenant: TenantId, pk: PkId, room: RoomId, likes: Mapping[UserId, int]
) -> None:
    """Add people's likes for a room; no likes make a supporter too."""
    where = {"tenant": tenant, "pk": pk, "room": room}
    rows = [{**where, "member": user, "likes": likes[user]} for user in sorted(likes)]
    add_up(tx, pk_supporters, rows, add=("likes",))


def support(
    tx: Transaction, tenant: TenantId, pk: Pk, *, likes_each_max: int
) -> dict[RoomId, Support]:
    """Total what was done for each room."""
    table = pk_supporters.c
    counted = func.sum(case((table.likes > likes_each_max, likes_each_max), else_=table.likes))
    query = (
        select(table.room, func.count().label("people"), counted.label("likes"))
        .where(table.tenant == tenant, table.pk == pk.id)
        .group_by(table.room)
    )
    rows = {row.room: row for row in tx.execute(query)}
    opening = tx.execute(
        select(pks.c.first_coins, pks.c.second_coins).where(
            pks.c.tenant == tenant, pks.c.id == pk.id
        )
    ).one()
    totals: dict[RoomId, Support] = {}
    for side, before in zip(pk.sides, opening, strict=True):
        row = rows.get(side.room)
        totals[side.room] = Support(
            supporters=int(row.people) if row else 0,
            likes=int(row.likes) if row else 0,
            coins=_coins(tx, tenant, side.room) - before,
        )
    return totals


def _coins(tx: Transaction, tenant: TenantId, room: RoomId) -> int:
    table = room_counters.c
    query = select(table.gift_coins).where(table.tenant == tenant, table.room == room)
    return int(tx.execute(query).scalar_one())


def _values(pk: Pk) -> dict[str, Any]:
    first, second = pk.sides
    return {
        "phase": pk.phase,
        "seconds": pk.seconds,
        "at": pk.at,
        "deadline": pk.deadline,
        "winner": pk.winner,
        "shown": pk.phase is not Phase.VOID,
        **{f"first_{key}": value for key, value in _side_values(first).items()},
        **{f"second_{key}": value for key, value in _side_values(second).items()},
    }


def _side_values(side: Side) -> dict[str, Any]:
    return {
        "room": side.room,
        "user": side.user,
        "name": side.name,
        "slot": side.slot,
        "supporters": side.support.supporters,
        "likes": side.support.likes,
        "support_coins": side.support.coins,
    }


def _pk_of(row: Row[Any]) -> Pk:
    first, second = (_side_of(row, name) for name in ("first", "second"))
    return Pk(
        id=PkId(row.id),
        sides=(first, second),
        phase=Phase(row.phase),
        seconds=row.seconds,
        at=row.at,
        deadline=row.deadline,
        winner=row.winner,
    )


def _side_of(row: Row[Any], name: str) -> Side:
    return Side(
        room=row._mapping[f"{name}_room"],
        user=row._mapping[f"{name}_user"],
        name=row._mapping[f"{name}_name"],
        slot=row._mapping[f"{name}_slot"],
        support=Support(
            supporters=row._mapping[f"{name}_supporters"],
            likes=row._mapping[f"{name}_likes"],
            coins=row._mapping[f"{name}_support_coins"],
        ),
    )
