"""What of a broadcast can be seen again: recordings, explanations of products, their parts.

A recording is one take: one file from one media session of the host. A segment (讲解) lies
between the pinning of a product and the next pin, unpin or end. Pure times in, parts out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NewType

from liveroom.domain.ids import BroadcastId, ProductId, RoomId

RecordingId = NewType("RecordingId", str)
"""Also the file's name: made here, never anything that somebody typed."""
SegmentId = NewType("SegmentId", str)

SEGMENT_MS_MIN: Final = 3_000
"""A shorter explanation, or part of one, is a slip of the finger: nobody is offered it."""
SETTLE_MS: Final = 15_000
"""The recorder may lag so far behind: what is younger is not offered yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One take; `started_at` is the first packet's arrival, `ended_at` None while it goes on.

    `reason` says why it ended: `finished`, `disk_full`, `disk_error`, `recorder_died`,
    `restart` (the next take follows), `codec`, `cut_off` (the server died).
    """

    id: RecordingId
    room: RoomId
    broadcast: BroadcastId
    session: str
    started_at: int
    ended_at: int | None = None
    reason: str | None = None
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One explanation of a product; `closed_at` None while it goes on."""

    id: SegmentId
    room: RoomId
    broadcast: BroadcastId
    product: ProductId
    opened_at: int
    closed_at: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of one recording, in milliseconds from its beginning."""

    recording: RecordingId
    from_ms: int
    to_ms: int


def parts_of(segment: Segment, recordings: Sequence[Recording], *, now: int) -> tuple[Part, ...]:
    """Find where a closed segment was recorded, in order; nothing while it may still settle."""
    if segment.closed_at is None:
        return ()
    found: list[Part] = []
    for recording in sorted(recordings, key=lambda each: each.started_at):
        if recording.ended_at is None and now - segment.closed_at < SETTLE_MS:
            return ()
        ended_at = now if recording.ended_at is None else recording.ended_at
        begin = max(segment.opened_at, recording.started_at)
        end = min(segment.closed_at, ended_at)
        if end - begin >= SEGMENT_MS_MIN:
            start = recording.started_at
            found.append(Part(recording.id, begin - start, end - start))
    return tuple(found)
