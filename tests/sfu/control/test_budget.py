"""A budget: bursts pass, the long run is held, only lasting abuse is abuse."""

from hypothesis import given
from hypothesis import strategies as st

from sfu.control.budget import BURST_S, OVER_S_MAX, PAUSE_S, Budget


def test_a_burst_passes_and_the_rest_is_dropped() -> None:
    budget = Budget(100, 1_000_000, now=0)
    assert sum(budget.take(100, now=0) for _ in range(1000)) == 100 * BURST_S


def test_bytes_count_as_well_as_packets() -> None:
    budget = Budget(1_000_000, 1_000, now=0)
    assert sum(budget.take(100, now=0) for _ in range(1000)) == 10 * BURST_S


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 1500)), max_size=200))
def test_the_long_run_is_never_over_the_rate(steps: list[tuple[float, int]]) -> None:
    budget = Budget(10, 5_000, now=0)
    now = 0.0
    packets = size = 0
    for elapsed, wanted in steps:
        now += elapsed
        if budget.take(wanted, now=now):
            packets += 1
            size += wanted
    assert packets <= 10 * (now + BURST_S) + 1e-6
    assert size <= 5_000 * (now + BURST_S) + 1e-6


def abuse(budget: Budget, start: float, end: float) -> bool:
    """Send ten times too much; say whether that ever counted as abuse."""
    return any(
        not budget.take(10, now=step / 100) and budget.is_abused(now=step / 100)
        for step in range(int(start * 100), int(end * 100))
    )


def test_only_lasting_abuse_is_abuse() -> None:
    budget = Budget(10, 1_000_000, now=0)
    assert not abuse(budget, 0, OVER_S_MAX - 1)
    quiet = OVER_S_MAX + PAUSE_S + 1
    assert not abuse(budget, quiet, quiet + OVER_S_MAX - 1)
    assert abuse(Budget(10, 1_000_000, now=0), 0, OVER_S_MAX + BURST_S + 1)
