"""Rows of members and of their relation to a room, read and written inside a command."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, func, select, update

from liveroom.domain.actors import AgeBand
from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.domain.members import Member, public_name
from liveroom.domain.recognition import PREFERS_MAX, Profile, Purchase
from liveroom.domain.tiers import Tier
from liveroom.store import levels
from liveroom.store.dialect import add_up, insert_new, insert_new_rows
from liveroom.store.port import Transaction
from liveroom.store.tables import follows, members, order_lines, orders, room_members, visits

COUNTED_ORDERS_MAX: Final = 200
"""Preferences are read from this many of somebody's latest orders."""


_MEMBERS = select(members).where(
    members.c.tenant == bindparam("of_tenant"),
    members.c.id.in_(bindparam("of_members", expanding=True)),
)
_RELATIONS = select(room_members).where(
    room_members.c.tenant == bindparam("of_tenant"),
    room_members.c.room == bindparam("of_room"),
    room_members.c.member.in_(bindparam("of_members", expanding=True)),
)
_FOLLOWERS = select(follows.c.member).where(
    follows.c.tenant == bindparam("of_tenant"),
    follows.c.room == bindparam("of_room"),
    follows.c.member.in_(bindparam("of_members", expanding=True)),
)
_THEIR_ORDERS = (
    orders.c.tenant == bindparam("of_tenant"),
    orders.c.member == bindparam("of_member"),
)
_LAST_PURCHASE = (
    select(order_lines.c.product, order_lines.c.title, orders.c.paid_at)
    .join(
        orders,
        (orders.c.tenant == order_lines.c.tenant) & (orders.c.id == order_lines.c.order_id),
    )
    .where(*_THEIR_ORDERS)
    .order_by(orders.c.paid_at.desc(), orders.c.placed_at.desc(), order_lines.c.line)
    .limit(1)
)
_LATEST_ORDERS = (
    select(orders.c.id)
    .where(*_THEIR_ORDERS)
    .order_by(orders.c.paid_at.desc())
    .limit(COUNTED_ORDERS_MAX)
)
_BOUGHT = func.coalesce(order_lines.c.category, order_lines.c.title)
_PREFERS = (
    select(_BOUGHT)
    .where(
        order_lines.c.tenant == bindparam("of_tenant"), order_lines.c.order_id.in_(_LATEST_ORDERS)
    )
    .group_by(_BOUGHT)
    .order_by(func.sum(order_lines.c.quantity).desc(), _BOUGHT)
    .limit(PREFERS_MAX)
)
_MEMBER_OF_VISIT: Final = list(visits.primary_key.columns).index(visits.c.member)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody in one room: the record (a blank one for a stranger) and the relation."""

    member: Member
    known: bool
    nickname: str | None
    visits: int
    room_orders: int
    pn: int

    def name(self, claim: str | None = None) -> str:
        """Name them as others see them."""
        return public_name(
            user=self.member.id, claim=claim or self.nickname, record=self.member.name
        )


def find(tx: Transaction, tenant: TenantId, user: UserId) -> Member | None:
    """Read a member record."""
    row = tx.execute(_MEMBERS, {"of_tenant": tenant, "of_members": [user]}).first()
    return _member_of(row) if row else None


def guest(tx: Transaction, tenant: TenantId, room: RoomId | None, user: UserId) -> Guest:
    """Read somebody and their relation to a room."""
    return guests(tx, tenant, room, [user])[user]


def guests(
    tx: Transaction, tenant: TenantId, room: RoomId | None, users: Collection[UserId]
) -> dict[UserId, Guest]:
    """Read people and their relation to a room."""
    these = {"of_tenant": tenant, "of_members": list(users)}
    known = {row.id: _member_of(row) for row in tx.execute(_MEMBERS, these).all()}
    relations: dict[str, Row[Any]] = {}
    if room is not None:
        found = tx.execute(_RELATIONS, {**these, "of_room": room}).all()
        relations = {row.member: row for row in found}
    return {user: _guest_of(user, known.get(user), relations.get(user)) for user in users}


def _guest_of(user: UserId, member: Member | None, relation: Row[Any] | None) -> Guest:
    return Guest(
        member=member or Member(id=user),
        known=member is not None,
        nickname=relation.nickname if relation else None,
        visits=relation.visits if relation else 0,
        room_orders=relation.orders if relation else 0,
        pn=relation.pn if relation else 0,
    )


def ensure(tx: Transaction, tenant: TenantId, user: UserId, *, at: int) -> bool:
    """Make a stranger a member; False when they are one already."""
    return insert_new(tx, members, {"tenant": tenant, "id": user, "created_at": at})


def change(tx: Transaction, tenant: TenantId, user: UserId, values: Mapping[str, Any]) -> None:
    """Change fields of a member record."""
    if values:
        mine = update(members).where(members.c.tenant == tenant, members.c.id == user)
        tx.execute(mine.values(**values))


def note_purchase(tx: Transaction, tenant: TenantId, user: UserId, total: int) -> tuple[int, int]:
    """Add a paid order to a member's lifetime; returns what they spent and how many orders."""
    counted = (
        update(members)
        .where(members.c.tenant == tenant, members.c.id == user)
        .values(spent=members.c.spent + total, orders=members.c.orders + 1)
    )
    spent, orders = tx.execute(counted.returning(members.c.spent, members.c.orders)).one()
    return spent, orders


def note_refund(
    tx: Transaction, tenant: TenantId, user: UserId, amount: int, *, whole: bool
) -> None:
    """Take a refund off a member's lifetime; ordinals in rooms are never given again."""
    mine = update(members).where(members.c.tenant == tenant, members.c.id == user)
    tx.execute(mine.values(spent=members.c.spent - amount, orders=members.c.orders - int(whole)))


def nth_order(tx: Transaction, tenant: TenantId, room: RoomId, user: UserId) -> int:
    """Take the next ordinal of somebody's orders in a room; it is never given again."""
    relate(tx, tenant, room, user)
    counted = update(room_members).where(*_related(tenant, room, user))
    taken = counted.values(orders=room_members.c.orders + 1).returning(room_members.c.orders)
    return int(tx.execute(taken).scalar_one())


def relate(tx: Transaction, tenant: TenantId, room: RoomId, user: UserId) -> None:
    """Make sure that somebody has a row in a room."""
    insert_new(tx, room_members, {"tenant": tenant, "room": room, "member": user})


def remember_nickname(
    tx: Transaction, tenant: TenantId, room: RoomId, user: UserId, nickname: str
) -> None:
    """Keep the name the room has seen, for what happens while its bearer is away."""
    relate(tx, tenant, room, user)
    tx.execute(update(room_members).where(*_related(tenant, room, user)).values(nickname=nickname))


def count_visits(
    tx: Transaction,
    tenant: TenantId,
    room: RoomId,
    users: Collection[UserId],
    *,
    occasion: str,
    at: int,
) -> set[UserId]:
    """Count people's visits once per occasion; returns whose were not counted before."""
    where = {"tenant": tenant, "room": room}
    of_occasion = {"occasion": occasion, "at": at}
    rows = [{**where, "member": user, **of_occasion} for user in sorted(users)]
    new = {UserId(key[_MEMBER_OF_VISIT]) for key in insert_new_rows(tx, visits, rows)}
    if new:
        counted = [{**where, "member": user, "visits": 1} for user in sorted(new)]
        add_up(tx, room_members, counted, add=("visits",))
    return new


def profile(tx: Transaction, tenant: TenantId, room: RoomId, user: UserId) -> Profile:
    """Project what recognition needs from the truth."""
    return profiles(tx, tenant, room, [user])[user]


def profiles(
    tx: Transaction, tenant: TenantId, room: RoomId, users: Collection[UserId]
) -> dict[UserId, Profile]:
    """Project what recognition needs from the truth, for several people."""
    found = guests(tx, tenant, room, users)
    spent = {user: somebody.member.spent for user, somebody in found.items()}
    tiers = levels.tiers_of(tx, tenant, spent)
    return {user: _profile_of(tx, tenant, found[user], tiers[user]) for user in found}


def _profile_of(tx: Transaction, tenant: TenantId, somebody: Guest, tier: Tier) -> Profile:
    member = somebody.member
    return Profile(
        user=member.id,
        name=somebody.name(),
        tier=tier,
        orders=member.orders,
        room_orders=somebody.room_orders,
        visits=somebody.visits,
        last=_last_purchase(tx, tenant, member.id) if member.orders else None,
        prefers=_prefers(tx, tenant, member.id) if member.orders else (),
    )


def set_follow(
    tx: Transaction, tenant: TenantId, room: RoomId, user: UserId, *, on: bool, at: int
) -> int:
    """Follow or stop; returns how the number of followers changes."""
    key = {"tenant": tenant, "room": room, "member": user}
    if on:
        return int(insert_new(tx, follows, {**key, "at": at}))
    gone = delete(follows).where(*(follows.c[name] == value for name, value in key.items()))
    return -tx.execute(gone).rowcount


def followers_among(
    tx: Transaction, tenant: TenantId, room: RoomId, users: Collection[UserId]
) -> set[UserId]:
    """Tell which of some people follow a room."""
    these = {"of_tenant": tenant, "of_room": room, "of_members": list(users)}
    return set(tx.execute(_FOLLOWERS, these).scalars())


def _related(tenant: TenantId, room: RoomId, user: UserId) -> list[Any]:
    table = room_members.c
    return [table.tenant == tenant, table.room == room, table.member == user]


def _last_purchase(tx: Transaction, tenant: TenantId, user: UserId) -> Purchase | None:
    row = tx.execute(_LAST_PURCHASE, {"of_tenant": tenant, "of_member": user}).first()
    return Purchase(product=row.product, title=row.title, at=row.paid_at) if row else None


def _prefers(tx: Transaction, tenant: TenantId, user: UserId) -> tuple[str, ...]:
    return tuple(tx.execute(_PREFERS, {"of_tenant": tenant, "of_member": user}).scalars())


def _member_of(row: Row[Any]) -> Member:
    return Member(
        id=row.id,
        name=row.name,
        age_band=AgeBand(row.age_band) if row.age_band else None,
        public_orders=row.public_orders,
        ritual=row.ritual,
        spent=row.spent,
        orders=row.orders,
        created_at=row.created_at,
    )
