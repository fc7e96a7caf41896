"""Member levels from lifetime spending (fen); a lower bound belongs to the level above it.

The figures are the shop's to change: pass another `Thresholds`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Tier(StrEnum):
    """普通, 银, 金, 钻."""

    BASIC = "basic"
    SILVER = "silver"
    GOLD = "gold"
    DIAMOND = "diamond"


ORDER = (Tier.BASIC, Tier.SILVER, Tier.GOLD, Tier.DIAMOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From how many fen of lifetime spending each level holds (inclusive)."""

    silver: int = 50_000
    gold: int = 200_000
    diamond: int = 500_000

    def __post_init__(self) -> None:
        """Refuse a ladder that does not rise."""
        if not 0 < self.silver < self.gold < self.diamond:
            raise ValueError("tier thresholds must rise: 0 < silver < gold < diamond")


@dataclass(frozen=True, slots=True, kw_only=True)
class NextTier:
    """What is missing to the next level, in fen."""

    tier: Tier
    missing: int


DEFAULT_THRESHOLDS = Thresholds()


def _ladder(thresholds: Thresholds) -> tuple[tuple[Tier, int], ...]:
    return (
        (Tier.BASIC, 0),
        (Tier.SILVER, thresholds.silver),
        (Tier.GOLD, thresholds.gold),
        (Tier.DIAMOND, thresholds.diamond),
    )


def tier_of(spent: int, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> Tier:
    """Find the level of somebody who spent this much."""
    return next(
        (tier for tier, least in reversed(_ladder(thresholds)) if spent >= least), Tier.BASIC
    )


def next_tier(spent: int, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> NextTier | None:
    """Say what to buy for the next level; None at the top."""
    for tier, least in _ladder(thresholds):
        if spent < least:
            return NextTier(tier=tier, missing=least - spent)
    return None


def rank(tier: Tier | str) -> int:
    """Give a level's place on the ladder, 0 for basic."""
    return ORDER.index(Tier(tier))
