"""Rows of rooms and broadcasts, read and written inside a command."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Row, bindparam, func, insert, select, update

from liveroom.domain.events import Asked, Slot
from liveroom.domain.ids import BroadcastId, RoomId, TenantId
from liveroom.domain.orders import Product
from liveroom.domain.rooms import Broadcast, Counters, Phase, Report, Room
from liveroom.domain.seats import Call, Stage
from liveroom.store import shop
from liveroom.store.dialect import insert_new
from liveroom.store.port import Transaction
from liveroom.store.tables import broadcasts, members, room_counters, room_members, rooms

ROOMS_LISTED_MAX: Final = 500
"""Rooms of one listing; older ones that are not on air are left out."""
UNFINISHED_MAX: Final = 100
"""Broadcasts closed by one sweep; the rest waits for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomState:
    """A room with everything current in it, read at one moment."""

    room: Room
    epoch: str
    n: int
    stage: Stage
    pinned: Product | None
    counters: Counters


def create(tx: Transaction, room: Room, *, epoch: str) -> bool:
    """Write a new room with its counters at zero; False when the id is taken."""
    values = {
        "id": room.id,
        "tenant": room.tenant,
        "title": room.title,
        "host": room.host,
        "cover": room.cover,
        "language": room.language,
        "planned_at": room.planned_at,
        "anonymous": room.anonymous,
        "created_at": room.created_at,
        "epoch": epoch,
    }
    if not insert_new(tx, rooms, values):
        return False
    tx.execute(insert(room_counters).values(tenant=room.tenant, room=room.id))
    return True


def find(tx: Transaction, room: RoomId) -> Room | None:
    """Read a room's public fields."""
    row = tx.execute(_shown().where(rooms.c.id == room)).first()
    return _room_of(row) if row else None


def all_rooms(tx: Transaction) -> list[Room]:
    """List rooms: on air first, then the newest."""
    on_air = func.coalesce(broadcasts.c.phase == Phase.LIVE, False)
    ordered = _shown().order_by(on_air.desc(), rooms.c.created_at.desc())
    return [_room_of(row) for row in tx.execute(ordered.limit(ROOMS_LISTED_MAX))]


def state(tx: Transaction, room: RoomId, *, lock: bool = False) -> RoomState | None:
    """Read a room with all that is current; `lock` keeps other writers of it out."""
    if lock:
        tx.execute(select(rooms.c.id).where(rooms.c.id == room).with_for_update())
    row = tx.execute(_STATE, {"of_room": room}).first()
    if row is None:
        return None
    return RoomState(
        room=_room_of(row),
        epoch=row.epoch,
        n=row.n,
        stage=_stage_of(row),
        pinned=shop.find_product(tx, row.tenant, row.pin) if row.pin else None,
        counters=_counters_of(row),
    )


def set_stage(tx: Transaction, room: RoomId, stage: Stage) -> None:
    """Keep who stands on stage, who waits for the mic, and who is called."""
    call = None if stage.call is None else msgspec.json.encode(stage.call).decode()
    kept = {
        "stage": msgspec.json.encode(stage.slots).decode(),
        "stage_session": stage.session,
        "mic_queue": msgspec.json.encode(stage.queue).decode(),
        "seats": stage.seats,
        "call": call,
    }
    tx.execute(update(rooms).where(rooms.c.id == room).values(kept))


def set_pin(tx: Transaction, room: RoomId, product: str | None) -> None:
    """Keep which product is explained."""
    tx.execute(update(rooms).where(rooms.c.id == room).values(pin=product))


def broadcast_of(tx: Transaction, room: RoomId) -> BroadcastId | None:
    """Read which broadcast is going on."""
    return tx.execute(select(rooms.c.broadcast).where(rooms.c.id == room)).scalar_one_or_none()


def open_broadcast(tx: Transaction, tenant: TenantId, broadcast: Broadcast, at: Counters) -> None:
    """Begin a broadcast; the counters are its zero mark."""
    tx.execute(
        insert(broadcasts).values(
            tenant=tenant,
            id=broadcast.id,
            room=broadcast.room,
            title=broadcast.title,
            cover=broadcast.cover,
            phase=broadcast.phase,
            planned_at=broadcast.planned_at,
            started_at=broadcast.started_at,
            opening=msgspec.json.encode(at).decode(),
        )
    )
    tx.execute(
        update(rooms)
        .where(rooms.c.id == broadcast.room)
        .values(broadcast=broadcast.id, planned_at=None)
    )


def set_phase(
    tx: Transaction, tenant: TenantId, broadcast: BroadcastId, phase: Phase, *, at: int
) -> None:
    """Note that the host came back or went away."""
    away_since = at if phase is Phase.AWAY else None
    tx.execute(
        update(broadcasts)
        .where(broadcasts.c.tenant == tenant, broadcasts.c.id == broadcast)
        .values(phase=phase, away_since=away_since)
    )


def opening_of(tx: Transaction, tenant: TenantId, broadcast: BroadcastId) -> Counters:
    """Read a broadcast's zero mark."""
    query = select(broadcasts.c.opening).where(
        broadcasts.c.tenant == tenant, broadcasts.c.id == broadcast
    )
    return msgspec.json.decode(tx.execute(query).scalar_one(), type=Counters)


def close_broadcast(tx: Transaction, tenant: TenantId, broadcast: Broadcast) -> None:
    """End a broadcast with its report."""
    report = msgspec.json.encode(broadcast.report).decode()
    tx.execute(
        update(broadcasts)
        .where(broadcasts.c.tenant == tenant, broadcasts.c.id == broadcast.id)
        .values(phase=Phase.ENDED, ended_at=broadcast.ended_at, report=report)
    )
    tx.execute(update(rooms).where(rooms.c.id == broadcast.room).values(broadcast=None))


def broadcasts_of(tx: Transaction, room: RoomId, *, limit: int) -> list[Broadcast]:
    """List a room's broadcasts, newest first."""
    query = select(broadcasts).where(broadcasts.c.room == room)
    ordered = query.order_by(broadcasts.c.started_at.desc()).limit(limit)
    return [_broadcast_of(row) for row in tx.execute(ordered)]


def rooms_in(tx: Transaction, phase: Phase, *, away_before: int | None = None) -> list[RoomId]:
    """List rooms whose broadcast is in a phase, or has been away since before a time."""
    query = select(broadcasts.c.room).where(broadcasts.c.phase == phase)
    if away_before is not None:
        query = query.where(broadcasts.c.away_since < away_before)
    return list(tx.execute(query.limit(UNFINISHED_MAX)).scalars())


def _shown() -> Any:
    return select(
        rooms.c.id,
        rooms.c.tenant,
        rooms.c.title,
        rooms.c.host,
        rooms.c.cover,
        rooms.c.language,
        rooms.c.planned_at,
        rooms.c.created_at,
        rooms.c.anonymous,
        broadcasts.c.id.label("broadcast_id"),
        broadcasts.c.title.label("broadcast_title"),
        broadcasts.c.cover.label("broadcast_cover"),
        broadcasts.c.phase.label("broadcast_phase"),
        broadcasts.c.planned_at.label("broadcast_planned_at"),
        broadcasts.c.started_at.label("broadcast_started_at"),
        func.coalesce(room_members.c.nickname, members.c.name).label("host_name"),
        room_counters.c.followers.label("follower_count"),
    ).select_from(
        rooms.join(
            room_counters,
            (room_counters.c.tenant == rooms.c.tenant) & (room_counters.c.room == rooms.c.id),
        )
        .outerjoin(
            broadcasts,
            (broadcasts.c.tenant == rooms.c.tenant) & (broadcasts.c.id == rooms.c.broadcast),
        )
        .outerjoin(
            room_members,
            (room_members.c.tenant == rooms.c.tenant)
            & (room_members.c.room == rooms.c.id)
            & (room_members.c.member == rooms.c.host),
        )
        .outerjoin(members, (members.c.tenant == rooms.c.tenant) & (members.c.id == rooms.c.host))
    )


_STATE = (
    _shown()
    .add_columns(rooms.c.epoch, rooms.c.stage, rooms.c.stage_session, rooms.c.pin, room_counters)
    .add_columns(rooms.c.mic_queue, rooms.c.seats, rooms.c.call)
    .where(rooms.c.id == bindparam("of_room"))
)


def _stage_of(row: Row[Any]) -> Stage:
    return Stage(
        slots=msgspec.json.decode(row.stage, type=tuple[Slot, ...]),
        session=row.stage_session,
        queue=msgspec.json.decode(row.mic_queue, type=tuple[Asked, ...]),
        seats=row.seats,
        call=msgspec.json.decode(row.call, type=Call) if row.call else None,
    )


def _room_of(row: Row[Any]) -> Room:
    broadcast = None
    if row.broadcast_id is not None:
        broadcast = Broadcast(
            id=row.broadcast_id,
            room=row.id,
            title=row.broadcast_title,
            cover=row.broadcast_cover,
            phase=Phase(row.broadcast_phase),
            planned_at=row.broadcast_planned_at,
            started_at=row.broadcast_started_at,
        )
    return Room(
        id=row.id,
        tenant=row.tenant,
        title=row.title,
        host=row.host,
        cover=row.cover,
        language=row.language,
        planned_at=row.planned_at,
        created_at=row.created_at,
        anonymous=row.anonymous,
        host_name=row.host_name,
        followers=row.follower_count,
        broadcast=broadcast,
    )


def _broadcast_of(row: Row[Any]) -> Broadcast:
    return Broadcast(
        id=row.id,
        room=row.room,
        title=row.title,
        cover=row.cover,
        phase=Phase(row.phase),
        planned_at=row.planned_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        report=msgspec.json.decode(row.report, type=Report) if row.report else None,
    )


def _counters_of(row: Row[Any]) -> Counters:
    return Counters(
        gifts=row.gifts,
        gift_coins=row.gift_coins,
        orders=row.orders,
        revenue=row.revenue,
        likes=row.likes,
        followers=row.followers,
        visits=row.visits,
    )
