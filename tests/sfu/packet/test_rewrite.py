"""One unbroken stream out of changing sources."""

from hypothesis import given
from hypothesis import strategies as st

from sfu.packet.rewrite import (
    SQUEEZE_BITS_MAX,
    SQUEEZE_BITS_MIN,
    begin,
    follow,
    squeeze,
    timestamp_ahead,
    unwrap,
)

starts = st.integers(0, 65535)


@given(st.integers(0, 2**40), st.integers(-32768, 32767))
def test_unwrapping_undoes_wrapping_within_half_a_turn(near, step):
    number = near + step
    assert unwrap(number & 0xFFFF, near) == number


@given(starts, st.lists(st.integers(1, 1000), max_size=200))
def test_a_stream_unwraps_without_a_break_over_any_wrap_and_loss(start, steps):
    number = unwrapped = start
    for step in steps:
        number += step
        unwrapped = unwrap(number & 0xFFFF, unwrapped)
        assert unwrapped == number


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1))
def test_timestamps_compare_across_a_wrap(base, step):
    assert timestamp_ahead((base + step) & 0xFFFFFFFF, base) == step


sources = st.lists(
    st.tuples(
        starts,  # where its numbering begins
        st.integers(0, 2**32 - 1),  # and its timestamps
        st.lists(st.sampled_from([1, 1, 1, 2, 5, 900]), max_size=30),  # 1 = next, more = loss
        st.floats(0, 30),  # seconds until the next source
    ),
    min_size=1,
    max_size=6,
)


@given(sources, st.integers(0, 32767), st.integers(0, 2**32 - 1))
def test_switches_leave_no_hole_and_losses_keep_theirs(plan, first, timestamp):
    """Holes in the output are those of the sources, one to one; numbers only rise."""
    last = last_timestamp = None
    expected = first
    for start, source_timestamp, steps, elapsed_s in plan:
        if last is None:
            splice = begin(
                source=start,
                source_timestamp=source_timestamp,
                sequence=first,
                timestamp=timestamp,
            )
        else:
            splice = follow(
                source=start,
                source_timestamp=source_timestamp,
                last_sequence=last,
                last_timestamp=last_timestamp,
                elapsed_s=elapsed_s,
                clock_rate=90_000,
            )
            passed = timestamp_ahead(splice.timestamp(source_timestamp), last_timestamp)
            assert passed == max(1, round(elapsed_s * 90_000))
        number = start
        assert splice.sequence(number) == expected
        for step in steps:
            number += step
            source_timestamp += 3000 * step
            expected += step
            assert splice.sequence(number) == expected
        last = expected
        last_timestamp = splice.timestamp(source_timestamp)
        expected += 1


def test_time_that_seems_to_run_back_still_moves_the_media_on():
    splice = follow(
        source=7,
        source_timestamp=0,
        last_sequence=9,
        last_timestamp=2**32 - 1,
        elapsed_s=-4.0,
        clock_rate=90_000,
    )
    assert (splice.sequence(7), splice.timestamp(0)) == (10, 0)


@given(
    anchor=st.integers(0, 2**32 - 1),
    behind=st.integers(0, 12 * 90_000),
    room=st.integers(-10, 40_000),
    steps=st.lists(st.integers(1 << SQUEEZE_BITS_MAX, 9000), max_size=50),
)
def test_fast_motion_keeps_the_order_and_ends_at_the_anchor(anchor, behind, room, steps):
    motion = squeeze(source_timestamp=anchor - behind & 0xFFFFFFFF, anchor=anchor, room=room)
    at = -behind
    shown = timestamp_ahead(motion.timestamp(anchor + at & 0xFFFFFFFF), anchor)
    assert -shown <= max(room, (behind >> SQUEEZE_BITS_MAX) + 1, (behind >> SQUEEZE_BITS_MIN) + 1)
    if behind >> SQUEEZE_BITS_MAX < room:
        assert -shown <= room
    for step in steps:
        at, before = at + step, shown
        shown = timestamp_ahead(motion.timestamp(anchor + at & 0xFFFFFFFF), anchor)
        assert shown > before
        if at >= 0:
            assert shown == at
        else:
            assert at < shown < 0


def test_fast_motion_is_no_faster_than_it_must_be():
    ten_seconds = 10 * 90_000
    for room, bits in ((90_000, 5), (28_126, 5), (28_125, 6), (2970, 9), (0, 9)):
        assert squeeze(source_timestamp=0, anchor=ten_seconds, room=room).bits == bits
