"""The ring of recent packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.media.history import AUDIO_PACKETS, VIDEO_PACKETS, History, Stored


def packet(sequence):
    return Stored(sequence, 0, False, 96, b"p", b"\0\0\0", 0.0)


@given(st.integers(-10, 2**40), st.integers(1, 300))
def test_it_holds_exactly_the_newest_packets(start, count):
    history = History(64)
    for n in range(start, start + count):
        history.put(packet(n))
    for n in range(start - 5, start + count + 5):
        kept = history.get(n)
        if max(start, start + count - 64) <= n < start + count:
            assert kept is not None
            assert kept.sequence == n
        else:
            assert kept is None


def test_both_kinds_keep_two_seconds_and_a_thousand_packets():
    assert AUDIO_PACKETS >= 1000
    assert VIDEO_PACKETS >= 2 * 2000
    assert VIDEO_PACKETS * 1500 <= 8 * 2**20


@pytest.mark.parametrize("capacity", [0, -4, 3, 1000])
def test_its_size_is_a_power_of_two(capacity):
    with pytest.raises(AssertionError):
        History(capacity)
