"""Rows of recordings and segments, read and written inside a command."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Row, insert, select, update

from liveroom.domain.ids import BroadcastId, ProductId, RoomId, TenantId
from liveroom.domain.recordings import Recording, RecordingId, Segment, SegmentId
from liveroom.store.port import Transaction
from liveroom.store.tables import broadcasts, recordings, segments

SEGMENTS_READ_MAX: Final = 500
"""Closed segments looked at for one listing, newest first; older ones are not offered."""
RECORDINGS_READ_MAX: Final = 1_000


def add(tx: Transaction, tenant: TenantId, recording: Recording, *, node: str) -> None:
    """Note that a recording goes on, on this node."""
    tx.execute(
        insert(recordings).values(
            tenant=tenant,
            id=recording.id,
            room=recording.room,
            broadcast=recording.broadcast,
            session=recording.session,
            node=node,
            started_at=recording.started_at,
        )
    )


def finish(
    tx: Transaction, recording: RecordingId, *, ended_at: int, reason: str, size: int
) -> None:
    """Note how a recording ended."""
    tx.execute(
        update(recordings)
        .where(recordings.c.id == recording, recordings.c.ended_at.is_(None))
        .values(ended_at=ended_at, reason=reason, bytes=size)
    )


def unfinished(tx: Transaction, *, node: str) -> list[Recording]:
    """List what a node was recording when it died."""
    query = select(recordings).where(recordings.c.node == node, recordings.c.ended_at.is_(None))
    return [_recording_of(row) for row in tx.execute(query.limit(RECORDINGS_READ_MAX))]


def find(tx: Transaction, room: RoomId, recording: str) -> Recording | None:
    """Read one recording of a room."""
    query = select(recordings).where(recordings.c.room == room, recordings.c.id == recording)
    row = tx.execute(query).first()
    return None if row is None else _recording_of(row)


def of_broadcasts(
    tx: Transaction, tenant: TenantId, wanted: Iterable[BroadcastId]
) -> list[Recording]:
    """List the recordings of broadcasts, oldest first."""
    query = select(recordings).where(
        recordings.c.tenant == tenant, recordings.c.broadcast.in_(sorted(set(wanted)))
    )
    ordered = query.order_by(recordings.c.started_at).limit(RECORDINGS_READ_MAX)
    return [_recording_of(row) for row in tx.execute(ordered)]


def turn(
    tx: Transaction,
    tenant: TenantId,
    room: RoomId,
    opening: Segment | None,
    *,
    at: int,
) -> None:
    """Close a room's open segment; open the next one, if there is one."""
    tx.execute(
        update(segments)
        .where(segments.c.tenant == tenant, segments.c.room == room, segments.c.closed_at.is_(None))
        .values(closed_at=at)
    )
    if opening is not None:
        tx.execute(
            insert(segments).values(
                tenant=tenant,
                id=opening.id,
                room=room,
                broadcast=opening.broadcast,
                product=opening.product,
                opened_at=at,
            )
        )


def find_segment(tx: Transaction, room: RoomId, segment: str) -> Segment | None:
    """Read one segment of a room."""
    query = select(segments).where(segments.c.room == room, segments.c.id == segment)
    row = tx.execute(query).first()
    return None if row is None else _segment_of(row)


def closed_segments(tx: Transaction, tenant: TenantId, room: RoomId) -> list[Segment]:
    """List a room's closed segments, newest first."""
    query = select(segments).where(
        segments.c.tenant == tenant, segments.c.room == room, segments.c.closed_at.is_not(None)
    )
    ordered = query.order_by(segments.c.opened_at.desc()).limit(SEGMENTS_READ_MAX)
    return [_segment_of(row) for row in tx.execute(ordered)]


def last_recorded_broadcast(tx: Transaction, tenant: TenantId, room: RoomId) -> BroadcastId | None:
    """Find the newest ended broadcast of which something was recorded."""
    query = (
        select(broadcasts.c.id)
        .join(
            recordings,
            (recordings.c.tenant == broadcasts.c.tenant)
            & (recordings.c.broadcast == broadcasts.c.id),
        )
        .where(
            broadcasts.c.tenant == tenant,
            broadcasts.c.room == room,
            broadcasts.c.ended_at.is_not(None),
            recordings.c.ended_at.is_not(None),
        )
        .order_by(broadcasts.c.started_at.desc())
        .limit(1)
    )
    found = tx.execute(query).scalar_one_or_none()
    return None if found is None else BroadcastId(found)


def _recording_of(row: Row[Any]) -> Recording:
    return Recording(
        id=RecordingId(row.id),
        room=RoomId(row.room),
        broadcast=BroadcastId(row.broadcast),
        session=row.session,
        started_at=row.started_at,
        ended_at=row.ended_at,
        reason=row.reason,
        bytes=row.bytes,
    )


def _segment_of(row: Row[Any]) -> Segment:
    return Segment(
        id=SegmentId(row.id),
        room=RoomId(row.room),
        broadcast=BroadcastId(row.broadcast),
        product=ProductId(row.product),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
    )
