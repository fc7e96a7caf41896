"""Levels follow lifetime spending; the lower bound belongs to the level above it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.tiers import NextTier, Thresholds, Tier, next_tier, rank, tier_of


@pytest.mark.parametrize(
    ("spent", "tier"),
    [
        (0, "basic"),
        (49_999, "basic"),
        (50_000, "silver"),
        (199_999, "silver"),
        (200_000, "gold"),
        (499_999, "gold"),
        (500_000, "diamond"),
        (10**12, "diamond"),
    ],
)
def test_the_lower_bound_is_inclusive(spent: int, tier: str) -> None:
    assert tier_of(spent) == tier


def test_the_figures_are_the_shops_to_change() -> None:
    thresholds = Thresholds(silver=1, gold=2, diamond=3)
    assert [tier_of(spent, thresholds) for spent in range(4)] == list(Tier)


@pytest.mark.parametrize("figures", [(0, 1, 2), (2, 2, 3), (3, 2, 1)])
def test_a_ladder_must_rise(figures: tuple[int, int, int]) -> None:
    silver, gold, diamond = figures
    with pytest.raises(ValueError, match="rise"):
        Thresholds(silver=silver, gold=gold, diamond=diamond)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_spending_more_never_lowers_the_level(spent: int, more: int) -> None:
    assert rank(tier_of(spent + more)) >= rank(tier_of(spent))


@given(st.integers(0, 10**6))
def test_what_is_missing_leads_to_the_next_level_exactly(spent: int) -> None:
    ahead = next_tier(spent)
    if ahead is None:
        assert tier_of(spent) is Tier.DIAMOND
    else:
        assert tier_of(spent + ahead.missing) is ahead.tier
        assert tier_of(spent + ahead.missing - 1) is not ahead.tier


def test_the_next_level_is_named() -> None:
    assert next_tier(38_000) == NextTier(tier=Tier.SILVER, missing=12_000)
