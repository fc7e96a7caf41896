"""The journal: durable events with their numbers, and the outbox that leads them to the bus.

A room's `n` is counted up in the transaction that commits the event, as its last step,
because that row is the one lock all of a room's writers share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import Row, bindparam, delete, func, insert, select, update

from liveroom.domain.delivery import Audience
from liveroom.domain.events import FACTS, Event, Fact
from liveroom.domain.ids import EventId, NewId, RoomId, TenantId, UserId
from liveroom.store.dialect import insert_new, write_rows
from liveroom.store.port import OUTBOX_WRITTEN, Transaction
from liveroom.store.tables import (
    events,
    outbox,
    personal_events,
    room_counters,
    room_members,
    rooms,
)

OUTBOX_PAGE: Final = 500
"""Events the relay takes at once."""

_NEW_EVENTS = insert(events)
_NEW_OUTBOX = insert(outbox)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The room something happens in, and when (UTC ms)."""

    tenant: TenantId
    room: RoomId
    at: int


@dataclass(frozen=True, slots=True)
class Pending:
    """A committed event that the bus has not seen yet."""

    seq: int
    event: Event


def append(
    tx: Transaction,
    place: Place,
    facts: Sequence[Fact],
    *,
    new_id: NewId,
    cids: Sequence[str] = (),
    add: Mapping[str, int] | None = None,
) -> list[Event]:
    """Number and keep facts for everybody, and raise the room's counters with them.

    `cids` are the commands behind the first facts, in their order.
    Call it last: from here to the commit the room's other writers wait.
    """
    if any(fact.AUDIENCE is not Audience.ALL for fact in facts):
        raise ValueError("only facts for everybody are numbered by the room")
    last = count_up(tx, place, len(facts), add=add)
    first = last - len(facts) + 1
    made = [
        Event(
            id=EventId(new_id()),
            room=place.room,
            at=place.at,
            fact=fact,
            n=first + index,
            cid=cids[index] if index < len(cids) else None,
        )
        for index, fact in enumerate(facts)
    ]
    if made:
        where = {"tenant": place.tenant, "room": place.room}
        kept = [{**where, "n": event.n, "cid": event.cid, **_row_of(event)} for event in made]
        write_rows(tx, _NEW_EVENTS, kept)
        write_rows(tx, _NEW_OUTBOX, [{**where, "number": event.n} for event in made])
        tx.info[OUTBOX_WRITTEN] = True
    return made


def count_up(
    tx: Transaction, place: Place, numbered: int = 0, *, add: Mapping[str, int] | None = None
) -> int:
    """Raise a room's counters; returns its last event number."""
    changes = {name: by for name, by in {**(add or {}), "n": numbered}.items() if by}
    given = {f"by_{name}": by for name, by in changes.items()}
    this = {"of_tenant": place.tenant, "of_room": place.room}
    return int(tx.execute(_counting(tuple(changes)), {**this, **given}).scalar_one())


@lru_cache(maxsize=64)
def _counting(names: tuple[str, ...]) -> Any:
    """Make the statement that raises these counters and returns `n`."""
    table = room_counters.c
    mine = (table.tenant == bindparam("of_tenant"), table.room == bindparam("of_room"))
    if not names:
        return select(table.n).where(*mine)
    raised = {name: table[name] + bindparam(f"by_{name}") for name in names}
    return update(room_counters).where(*mine).values(raised).returning(table.n)


def append_personal(
    tx: Transaction, place: Place, to: UserId, fact: Fact, *, new_id: NewId
) -> Event:
    """Number and keep a fact for one person in a room."""
    if fact.AUDIENCE is not Audience.ONE:
        raise ValueError("only facts for one person are numbered by the person")
    where = {"tenant": place.tenant, "room": place.room, "member": to}
    insert_new(tx, room_members, where)
    mine = [room_members.c[name] == value for name, value in where.items()]
    counted = update(room_members).where(*mine).values(pn=room_members.c.pn + 1)
    number = int(tx.execute(counted.returning(room_members.c.pn)).scalar_one())
    event = Event(id=EventId(new_id()), room=place.room, at=place.at, fact=fact, pn=number, to=to)
    tx.execute(insert(personal_events).values(**where, pn=number, **_row_of(event)))
    tx.execute(insert(outbox).values(**where, number=number))
    tx.info[OUTBOX_WRITTEN] = True
    return event


def since(
    tx: Transaction, tenant: TenantId, room: RoomId, offset: int, *, limit: int | None = None
) -> list[Event]:
    """List a room's events after an offset, in order."""
    rows = tx.execute(
        select(events)
        .where(events.c.tenant == tenant, events.c.room == room, events.c.n > offset)
        .order_by(events.c.n)
        .limit(limit)
    )
    return [_event_of(row, n=row.n, cid=row.cid) for row in rows]


def personal_since(
    tx: Transaction, tenant: TenantId, room: RoomId, user: UserId, offset: int
) -> list[Event]:
    """List a person's events in a room after an offset, in order."""
    table = personal_events.c
    rows = tx.execute(
        select(personal_events)
        .where(table.tenant == tenant, table.room == room, table.member == user)
        .where(table.pn > offset)
        .order_by(table.pn)
    )
    return [_event_of(row, pn=row.pn, to=user) for row in rows]


def positions(tx: Transaction, wanted: Sequence[RoomId]) -> list[tuple[RoomId, str, int]]:
    """Tell the epochs and last event numbers of rooms."""
    found = tx.execute(_POSITIONS, {"of_rooms": list(wanted)}).all()
    return [(RoomId(row.id), row.epoch, row.n) for row in found]


def page_since(tx: Transaction, room: RoomId, offset: int) -> list[Event]:
    """List the first events of any shop's room after an offset, in order."""
    found = tx.execute(
        select(events)
        .join(rooms, (rooms.c.id == events.c.room) & (rooms.c.tenant == events.c.tenant))
        .where(rooms.c.id == room, events.c.n > offset)
        .order_by(events.c.n)
        .limit(OUTBOX_PAGE)
    )
    return [_event_of(row, n=row.n, cid=row.cid) for row in found]


def personal_events_since(tx: Transaction, places: Sequence[RoomId], at: int) -> list[Event]:
    """List the personal events in some rooms from a time on, each person's in order."""
    table = personal_events.c
    found = tx.execute(
        select(personal_events)
        .where(table.room.in_(places), table.at >= at)
        .order_by(table.room, table.member, table.pn)
    )
    return [_event_of(row, pn=row.pn, to=row.member) for row in found]


def unpublished(tx: Transaction, limit: int = OUTBOX_PAGE) -> list[Pending]:
    """List the oldest events the bus has not seen, in order."""
    return [_pending_of(row) for row in tx.execute(_UNPUBLISHED, {"at_most": limit}).all()]


def published(tx: Transaction, seqs: Sequence[int]) -> None:
    """Take events out of the outbox."""
    tx.execute(_PUBLISHED, {"seqs": seqs})


def advance(tx: Transaction, seqs: Sequence[int]) -> list[Pending]:
    """Take out what the bus has seen, and list what comes next."""
    if seqs:
        published(tx, seqs)
    return unpublished(tx)


def _public_or_personal(name: str) -> Any:
    return func.coalesce(events.c[name], personal_events.c[name]).label(name)


_UNPUBLISHED = (
    select(outbox.c.seq, outbox.c.room, outbox.c.member, outbox.c.number, events.c.cid)
    .add_columns(*(_public_or_personal(name) for name in ("id", "at", "kind", "fact")))
    .outerjoin(
        events,
        (events.c.tenant == outbox.c.tenant)
        & (events.c.room == outbox.c.room)
        & (events.c.n == outbox.c.number)
        & outbox.c.member.is_(None),
    )
    .outerjoin(
        personal_events,
        (personal_events.c.tenant == outbox.c.tenant)
        & (personal_events.c.room == outbox.c.room)
        & (personal_events.c.member == outbox.c.member)
        & (personal_events.c.pn == outbox.c.number),
    )
    .order_by(outbox.c.seq)
    .limit(bindparam("at_most"))
)
_POSITIONS = (
    select(rooms.c.id, rooms.c.epoch, room_counters.c.n)
    .join(
        room_counters,
        (room_counters.c.tenant == rooms.c.tenant) & (room_counters.c.room == rooms.c.id),
    )
    .where(rooms.c.id.in_(bindparam("of_rooms", expanding=True)))
)
_PUBLISHED = delete(outbox).where(outbox.c.seq.in_(bindparam("seqs", expanding=True)))


def _pending_of(row: Row[Any]) -> Pending:
    if row.member is None:
        return Pending(row.seq, _event_of(row, n=row.number, cid=row.cid))
    return Pending(row.seq, _event_of(row, pn=row.number, to=row.member))


def _row_of(event: Event) -> dict[str, Any]:
    fact = msgspec.json.encode(event.fact).decode()
    return {"id": event.id, "at": event.at, "kind": event.fact.KIND, "fact": fact}


def _event_of(
    row: Row[Any],
    *,
    n: int | None = None,
    pn: int | None = None,
    cid: str | None = None,
    to: UserId | None = None,
) -> Event:
    fact = msgspec.json.decode(row.fact, type=FACTS[row.kind])
    return Event(id=row.id, room=row.room, at=row.at, fact=fact, n=n, pn=pn, cid=cid, to=to)
