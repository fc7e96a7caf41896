"""Rates hold over any pattern of arrivals, and only lasting abuse is abuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.protocol.limits import Admission, Allowance, Kind, Rate, Rates, TokenBucket


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), max_size=60),
    st.integers(1, 20),
    st.integers(1, 40),
)
def test_never_more_than_rate_times_time_plus_burst(
    arrivals: list[tuple[float, int]], per_s: int, burst: int
) -> None:
    bucket = TokenBucket(Rate(per_s, burst), now=0)
    now, taken = 0.0, 0
    for pause, wanted in arrivals:
        now += pause
        taken += bucket.take(wanted, now=now)
        assert taken <= burst + per_s * now + 1e-6


@given(st.integers(1, 40), st.integers(1, 20))
def test_after_the_time_it_names_the_rest_fits(wanted: int, per_s: int) -> None:
    bucket = TokenBucket(Rate(per_s, 40), now=0)
    bucket.take(40, now=0)
    wait_s = bucket.wait_s(wanted, now=0)
    assert bucket.take(wanted, now=wait_s + 1e-6) == wanted


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    bucket = TokenBucket(Rate(1, 1), now=10)
    assert bucket.take(1, now=10) == 1
    assert bucket.take(1, now=5) == 0
    assert bucket.take(1, now=10.5) == 0


def test_kinds_are_counted_apart() -> None:
    allowance = Allowance(Rates(say=Rate(1, 1), gift=Rate(1, 1)))
    assert allowance.admit(Kind.SAY, now=0) == Admission(1)
    assert allowance.admit(Kind.GIFT, now=0) == Admission(1)
    assert allowance.admit(Kind.SAY, now=0) == Admission(0, retry_ms=1_000)


def attempts(per_s: float, seconds: float, *, gap_at: float | None = None) -> bool:
    """Whether so many attempts a second are found abusive within the time."""
    allowance = Allowance(Rates(say=Rate(2, 10)))
    for step in range(int(per_s * seconds)):
        now = step / per_s
        if gap_at is not None and gap_at <= now < gap_at + 1:
            continue
        if allowance.admit(Kind.SAY, now=now).abusive:
            return True
    return False


@pytest.mark.parametrize(
    ("per_s", "seconds", "gap_at", "abusive"),
    [(21, 13, None, True), (21, 9.9, None, False), (15, 60, None, False), (40, 13, 5, False)],
)
def test_ten_times_the_rate_for_ten_seconds_in_a_row_is_abuse(
    per_s: float, seconds: float, gap_at: float | None, abusive: bool
) -> None:
    assert attempts(per_s, seconds, gap_at=gap_at) is abusive
