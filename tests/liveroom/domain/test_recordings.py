"""Where an explanation was recorded: pure times."""

from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.ids import BroadcastId, ProductId, RoomId
from liveroom.domain.recordings import (
    SEGMENT_MS_MIN,
    SETTLE_MS,
    Part,
    Recording,
    RecordingId,
    Segment,
    SegmentId,
    parts_of,
)

LATER = 10**9


def take(name: str, started_at: int, ended_at: int | None) -> Recording:
    return Recording(
        id=RecordingId(name),
        room=RoomId("r"),
        broadcast=BroadcastId("b"),
        session=name,
        started_at=started_at,
        ended_at=ended_at,
    )


def segment(opened_at: int, closed_at: int | None) -> Segment:
    return Segment(
        id=SegmentId("s"),
        room=RoomId("r"),
        broadcast=BroadcastId("b"),
        product=ProductId("p"),
        opened_at=opened_at,
        closed_at=closed_at,
    )


def test_an_explanation_within_one_take() -> None:
    found = parts_of(segment(20_000, 50_000), [take("a", 5_000, 90_000)], now=LATER)
    assert found == (Part(RecordingId("a"), 15_000, 45_000),)


def test_a_host_who_dropped_out_leaves_two_parts_in_order() -> None:
    takes = [take("b", 40_000, 90_000), take("a", 0, 30_000)]
    found = parts_of(segment(20_000, 50_000), takes, now=LATER)
    assert found == (
        Part(RecordingId("a"), 20_000, 30_000),
        Part(RecordingId("b"), 0, 10_000),
    )


def test_what_goes_on_or_has_not_settled_is_not_offered() -> None:
    going = [take("a", 0, None)]
    assert parts_of(segment(10_000, None), going, now=LATER) == ()
    assert parts_of(segment(10_000, 20_000), going, now=20_000 + SETTLE_MS - 1) == ()
    assert parts_of(segment(10_000, 20_000), going, now=20_000 + SETTLE_MS) != ()
    assert parts_of(segment(10_000, 20_000), [take("a", 0, 20_000)], now=20_001) != ()


def test_slips_of_the_finger_are_not_offered() -> None:
    assert parts_of(segment(0, SEGMENT_MS_MIN - 1), [take("a", 0, LATER)], now=LATER) == ()


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=6),
)
def test_parts_lie_within_their_recording_and_their_segment(
    opened_at: int, length: int, spans: list[tuple[int, int]]
) -> None:
    takes = [take(f"t{n}", begin, begin + span) for n, (begin, span) in enumerate(spans)]
    found = parts_of(segment(opened_at, opened_at + length), takes, now=LATER)
    by_name = {each.id: each for each in takes}
    for part in found:
        recording = by_name[part.recording]
        assert recording.ended_at is not None
        assert 0 <= part.from_ms <= part.to_ms - SEGMENT_MS_MIN
        assert part.to_ms <= recording.ended_at - recording.started_at
        assert opened_at <= recording.started_at + part.from_ms
        assert recording.started_at + part.to_ms <= opened_at + length
