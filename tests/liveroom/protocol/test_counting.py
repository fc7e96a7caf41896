"""Counters are about right."""

from hypothesis import given
from hypothesis import strategies as st

from liveroom.protocol.counting import approximate


def test_small_counts_are_exact_and_large_ones_rounded_down() -> None:
    assert [approximate(n) for n in (0, 7, 999, 1_000, 1_009, 1_010, 12_345, 1_234_567)] == [
        *(0, 7, 999, 1_000, 1_000, 1_010, 12_300, 1_230_000)
    ]


@given(st.integers(0, 2**53), st.integers(0, 2**20))
def test_they_never_say_too_much_stay_within_a_hundredth_and_keep_their_order(
    count: int, more: int
) -> None:
    shown = approximate(count)
    assert shown <= count <= shown * 1.01
    assert approximate(count + more) >= shown
