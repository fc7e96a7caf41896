"""The ring of recent packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.edge.udp import DATAGRAM_BYTES_MAX
from sfu.media.history import AUDIO_PACKETS, HISTORY_BYTES_MAX, VIDEO_PACKETS, History, Stored


def packet(sequence, payload=b"p"):
    return Stored(sequence, 0, False, 96, payload, b"\0\0\0", 0.0)


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
    assert HISTORY_BYTES_MAX // DATAGRAM_BYTES_MAX >= 1000


@pytest.mark.parametrize("capacity", [0, -4, 3, 1000])
def test_its_size_is_a_power_of_two(capacity):
    with pytest.raises(AssertionError):
        History(capacity)


@given(st.integers(0, 2**40), st.lists(st.integers(1, 40), max_size=300))
def test_it_holds_the_newest_packets_within_its_bytes_and_knows_how_far_it_reaches(start, sizes):
    history = History(64, bytes_max=1000)
    for n, size in enumerate(sizes, start):
        history.put(packet(n, bytes(size)))
    last = start + len(sizes) - 1
    kept = [n for n in range(start, last + 1) if history.get(n) is not None]
    assert kept == list(range(last + 1 - len(kept), last + 1))
    assert sum(sizes[n - start] for n in kept) <= 1000
    assert len(kept) == min(len(sizes), 64) or sum(sizes[-len(kept) - 1 :]) > 1000
    for n in kept:
        assert history.reaches(n, last)
    if kept and kept[0] > start:
        assert not history.reaches(kept[0] - 1, last)


def test_after_a_new_numbering_the_bytes_of_the_old_one_make_room():
    history = History(64, bytes_max=1000)
    for n in (*range(100, 140), *range(1 << 17, (1 << 17) + 40)):
        history.put(packet(n, bytes(50)))
    newest = [n for n in range(1 << 17, (1 << 17) + 40) if history.get(n) is not None]
    assert newest == list(range((1 << 17) + 20, (1 << 17) + 40))


def test_it_names_its_holes():
    history = History(64)
    for n in (5, 6, 8, 11):
        history.put(packet(n))
    assert history.holes(5, 11) == [7, 9, 10]
