"""Levels over the years: bounds, warning, grace, one step down, earned anew, badge kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.levels import (
    DAY_MS,
    DEFAULT_LADDER,
    Ladder,
    Level,
    Move,
    Moved,
    Spending,
    preview,
    review,
)
from liveroom.domain.tiers import ORDER, Thresholds, Tier, rank, tier_of

YEAR = 365


def live(
    purchases: dict[int, int], days: int, ladder: Ladder = DEFAULT_LADDER
) -> list[tuple[int, Level, Moved | None]]:
    """Review once a day and at each purchase (day → fen, negative for a refund)."""
    level, story = Level(), []
    for day in range(days):
        bought = purchases.get(day, 0)
        spending = Spending(
            lifetime=sum(fen for at, fen in purchases.items() if at <= day),
            within_period=sum(
                fen for at, fen in purchases.items() if day - ladder.period_days < at <= day
            ),
            just_now=bought,
        )
        level, moved = review(level, spending, ladder, at=day * DAY_MS)
        story.append((day, level, moved))
    return story


def moves(story: list[tuple[int, Level, Moved | None]]) -> list[tuple[int, Move, Tier]]:
    return [(day, moved.move, moved.after) for day, _, moved in story if moved]


@pytest.mark.parametrize(
    ("fen", "tier"),
    [
        (49_999, Tier.BASIC),
        (50_000, Tier.SILVER),
        (199_999, Tier.SILVER),
        (200_000, Tier.GOLD),
        (499_999, Tier.GOLD),
        (500_000, Tier.DIAMOND),
    ],
)
def test_a_purchase_raises_at_once_and_the_bound_belongs_to_the_level_above(fen, tier) -> None:
    assert live({0: fen}, 1)[-1][1].tier is tier


def test_a_quiet_year_warns_then_lowers_one_level_and_the_badge_stays() -> None:
    story = live({0: 600_000}, 3 * YEAR)

    assert moves(story) == [
        (0, Move.RAISED, Tier.DIAMOND),
        (YEAR, Move.WARNED, Tier.DIAMOND),
        (YEAR + 30, Move.LOWERED, Tier.GOLD),
        (2 * YEAR + 30, Move.WARNED, Tier.GOLD),
        (2 * YEAR + 60, Move.LOWERED, Tier.SILVER),
    ]
    assert story[-1][1].best is Tier.DIAMOND
    assert next(moved for _, _, moved in story if moved and moved.move is Move.WARNED).missing == (
        500_000
    )


def test_who_buys_enough_in_the_grace_period_keeps_the_level() -> None:
    story = live({0: 200_000, YEAR + 10: 200_000}, 2 * YEAR)

    assert moves(story) == [
        (0, Move.RAISED, Tier.GOLD),
        (YEAR, Move.WARNED, Tier.GOLD),
        (YEAR + 10, Move.KEPT, Tier.GOLD),
    ]


def test_a_level_lost_is_earned_anew_not_given_back_by_a_trifle() -> None:
    lost = YEAR + 30
    trifle = live({0: 200_000, lost + 5: 100}, lost + 6)
    assert trifle[-1][1].tier is Tier.SILVER
    earned = live({0: 200_000, lost + 5: 100, lost + 6: 199_900}, lost + 7)
    assert moves(earned)[-1] == (lost + 6, Move.RAISED, Tier.GOLD)


def test_a_refund_lowers_only_after_grace() -> None:
    story = live({0: 200_000, 5: -180_000}, 40)

    assert moves(story) == [
        (0, Move.RAISED, Tier.GOLD),
        (5, Move.WARNED, Tier.GOLD),
        (35, Move.LOWERED, Tier.SILVER),
        (36, Move.WARNED, Tier.SILVER),
    ]


def test_keeping_may_be_easier_than_reaching() -> None:
    ladder = Ladder(keep=Thresholds(silver=10_000, gold=20_000, diamond=30_000))
    story = live({0: 200_000, 100: 20_000, 400: 20_000}, 2 * YEAR, ladder)

    assert [move for _, move, _ in moves(story)] == [Move.RAISED]


@pytest.mark.parametrize("wrong", [{"period_days": 0}, {"grace_days": 0}])
def test_rules_without_a_period_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Ladder(**wrong)


def test_a_preview_counts_who_would_stand_where() -> None:
    people = [
        (Tier.SILVER, Spending(lifetime=60_000, within_period=60_000)),
        (Tier.SILVER, Spending(lifetime=90_000, within_period=90_000)),
        (Tier.GOLD, Spending(lifetime=300_000, within_period=0)),
    ]
    dearer = Ladder(reach=Thresholds(silver=80_000, gold=200_000, diamond=500_000))

    assert preview(people, dearer) == {
        (Tier.SILVER, Tier.BASIC): 1,
        (Tier.SILVER, Tier.SILVER): 1,
        (Tier.GOLD, Tier.BASIC): 1,
    }


DAYS = 3 * YEAR
PURCHASES = st.dictionaries(st.integers(0, DAYS - 1), st.integers(1, 400_000), max_size=8)


@given(PURCHASES)
def test_levels_fall_one_at_a_time_after_a_full_grace_and_rise_at_once(purchases) -> None:
    before, warned_on = Level(), None
    for day, level, moved in live(purchases, DAYS):
        fall = rank(before.tier) - rank(level.tier)
        assert fall <= 1
        if fall == 1:
            assert warned_on is not None
            assert day - warned_on >= DEFAULT_LADDER.grace_days
        if moved and moved.move is Move.WARNED:
            warned_on = day
        assert rank(level.best) >= rank(level.tier)
        if purchases.get(day) and level.best == before.best:
            lifetime = sum(fen for at, fen in purchases.items() if at <= day)
            assert rank(tier_of(lifetime)) <= rank(level.best)
        before = level


@given(PURCHASES, st.integers(0, DAYS - 1), st.integers(1, 400_000))
def test_who_spends_more_never_reaches_less(purchases, day, fen) -> None:
    more = purchases | {day: purchases.get(day, 0) + fen}

    assert rank(live(more, DAYS)[-1][1].best) >= rank(live(purchases, DAYS)[-1][1].best)


def test_the_ladder_knows_every_level() -> None:
    reached = [DEFAULT_LADDER.reaches(tier) for tier in ORDER]

    assert reached == sorted(reached) == [0, 50_000, 200_000, 500_000]
    assert [DEFAULT_LADDER.keeps(tier) for tier in ORDER] == reached
