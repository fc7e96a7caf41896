"""Earning points: once where it says once, by local days, never twice by two devices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.points import (
    BEAT_GAP_MS_MAX,
    CheckIn,
    Earning,
    Talking,
    Watching,
    check_in,
    talk,
    watch,
)

RULES = Earning()


@pytest.mark.parametrize(("fen", "points"), [(19_990, 199), (99, 0), (100, 1), (0, 0), (-5, 0)])
def test_an_order_earns_on_what_was_paid_rounded_down(fen: int, points: int) -> None:
    assert RULES.for_order(fen) == points


@pytest.mark.parametrize("field", ["fen_per_point", "watch_ms", "lines", "expire_days"])
def test_rules_that_give_points_for_nothing_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Earning(**{field: 0})


def test_a_streak_grows_for_a_week_and_a_missed_day_begins_anew() -> None:
    state, earned = CheckIn(), []
    for day in [*range(100, 109), 110]:
        state, points = check_in(state, day, RULES)
        earned.append(points)

    assert earned == [5, 6, 7, 8, 9, 10, 11, 11, 11, 5]
    assert state == CheckIn(day=110, streak=1)


def test_checking_in_again_or_on_an_earlier_day_earns_nothing() -> None:
    state, _ = check_in(CheckIn(), 100, RULES)

    assert check_in(state, 100, RULES) == (state, 0)
    assert check_in(state, 99, RULES) == (state, 0)


def beats(moments: list[int], day: int = 1, state: Watching | None = None) -> tuple[Watching, int]:
    state, earned = state or Watching(), 0
    for at in moments:
        state, points = watch(state, day, at, RULES)
        earned += points
    return state, earned


def test_ten_minutes_of_heartbeats_are_paid_once() -> None:
    assert beats(list(range(0, 599_999, 10_000)))[1] == 0
    assert beats(list(range(0, 3_600_000, 10_000)))[1] == RULES.watch_points


def test_two_devices_do_not_double() -> None:
    one, other = range(0, 300_000, 10_000), range(5_000, 300_000, 10_000)
    state, earned = beats(sorted([*one, *other]))

    assert state.total_ms < 300_000
    assert earned == 0


def test_a_long_silence_is_not_watching() -> None:
    state, _ = beats([0, BEAT_GAP_MS_MAX, 2 * BEAT_GAP_MS_MAX + 1])

    assert state.total_ms == BEAT_GAP_MS_MAX


def test_a_new_day_counts_anew_and_a_late_heartbeat_takes_nothing_back() -> None:
    state, _ = beats(list(range(0, 700_000, 10_000)))
    after, earned = beats([700_000, 690_000], 2, state)

    assert (after.total_ms, after.granted, earned) == (10_000, False, 0)
    assert after.beat_at == 700_000


@given(st.lists(st.integers(0, 2_000_000), max_size=80))
def test_nobody_watches_longer_than_time_passes(moments: list[int]) -> None:
    state, earned = beats(moments)

    assert state.total_ms <= (max(moments) - min(moments) if moments else 0)
    assert earned in (0, RULES.watch_points)


def test_three_different_lines_are_paid_once_a_day() -> None:
    state, earned = Talking(), []
    for text in ["好看", " 好 看", "", "多少钱", "BUY", "buy", "第四句"]:
        state, points = talk(state, 1, text, RULES)
        earned.append(points)
    assert earned == [0, 0, 0, 0, 5, 0, 0]
    assert talk(state, 2, "好看", RULES) == (Talking(day=2, lines=frozenset({"好看"})), 0)
