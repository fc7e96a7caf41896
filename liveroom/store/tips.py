"""Rows of what people tip: by day, by what it is for, and towards a room's goal."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.domain.tipping import Tipped
from liveroom.store.dialect import add_up, put
from liveroom.store.port import Transaction
from liveroom.store.tables import goals, tip_contexts, tips

_TIPPED = select(tips.c.member, tips.c.day, tips.c.coins, tips.c.pause_until).where(
    tips.c.tenant == bindparam("of_tenant"),
    tips.c.member.in_(bindparam("of_members", expanding=True)),
)
_GOAL = (
    select(goals)
    .where(goals.c.tenant == bindparam("of_tenant"), goals.c.room == bindparam("of_room"))
    .where(goals.c.state == "open")
)


def tipped(tx: Transaction, tenant: TenantId, members: Collection[UserId]) -> dict[UserId, Tipped]:
    """Read what people tipped last; write it only while their wallets are locked."""
    rows = tx.execute(_TIPPED, {"of_tenant": tenant, "of_members": sorted(members)}).all()
    return {
        member: Tipped(day=day, coins=coins, pause_until=pause_until)
        for member, day, coins, pause_until in rows
    }


def write_tipped(tx: Transaction, tenant: TenantId, now: Mapping[UserId, Tipped]) -> None:
    """Write what people have tipped."""
    rows = [
        {
            "tenant": tenant,
            "member": member,
            "day": one.day,
            "coins": one.coins,
            "pause_until": one.pause_until,
        }
        for member, one in sorted(now.items())
    ]
    put(tx, tips, rows, replace=("day", "coins", "pause_until"))


def add_contexts(
    tx: Transaction, tenant: TenantId, room: RoomId, totals: Mapping[str, tuple[int, int]]
) -> None:
    """Add coins and gifts to what they were for."""
    where = {"tenant": tenant, "room": room}
    rows = [
        {**where, "context": context, "coins": coins, "gifts": gifts}
        for context, (coins, gifts) in sorted(totals.items())
    ]
    add_up(tx, tip_contexts, rows, add=("coins", "gifts"))


def by_context(tx: Transaction, tenant: TenantId, room: RoomId) -> dict[str, int]:
    """Read how many coins were tipped for what in a room."""
    mine = (tip_contexts.c.tenant == tenant, tip_contexts.c.room == room)
    rows = tx.execute(select(tip_contexts.c.context, tip_contexts.c.coins).where(*mine))
    return {row.context: row.coins for row in rows}


def open_goal(tx: Transaction, tenant: TenantId, room: RoomId) -> Row[Any] | None:
    """Read the goal a room is collecting for."""
    return tx.execute(_GOAL, {"of_tenant": tenant, "of_room": room}).first()


def add_goal(tx: Transaction, values: Mapping[str, Any]) -> None:
    """Write a new goal."""
    tx.execute(insert(goals).values(**values))


def push_goal(
    tx: Transaction, tenant: TenantId, goal: str, coins: int, *, at: int
) -> Row[Any] | None:
    """Add coins to a goal while it is open; of all who push, one finds it reached."""
    mine = update(goals).where(goals.c.tenant == tenant, goals.c.id == goal)
    still = mine.where(goals.c.state == "open", goals.c.ends_at > at)
    pushed = still.values(coins=goals.c.coins + coins).returning(goals)
    row = tx.execute(pushed).first()
    if row is not None and row.coins >= row.target:
        close_goal(tx, tenant, goal, "reached", at=at)
    return row


def close_goal(tx: Transaction, tenant: TenantId, goal: str, state: str, *, at: int) -> bool:
    """End a goal; False when it had ended before."""
    mine = update(goals).where(goals.c.tenant == tenant, goals.c.id == goal)
    ended = mine.where(goals.c.state == "open").values(state=state, ended_at=at)
    return tx.execute(ended).rowcount == 1
