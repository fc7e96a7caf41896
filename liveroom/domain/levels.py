"""How somebody keeps or changes their level: bought today raises at once, a quiet year lowers.

Lifetime spending raises, the last year's spending keeps. Who falls short is warned, has a
grace period, and then goes down one level; the highest level ever reached stays as a badge.
Times are UTC milliseconds, amounts fen. A level and today's sums go in, the next level
and what moved come out.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from liveroom.domain.tiers import DEFAULT_THRESHOLDS, ORDER, Thresholds, Tier, rank, tier_of

DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The rules: what reaches a level, what keeps it (None: the same), for how long."""

    reach: Thresholds = DEFAULT_THRESHOLDS
    keep: Thresholds | None = None
    period_days: int = 365
    grace_days: int = 30

    def __post_init__(self) -> None:
        """Refuse rules that could lower somebody on the day they rise."""
        if self.period_days < 1 or self.grace_days < 1:
            raise ValueError("period_days and grace_days are at least 1")

    def reaches(self, tier: Tier) -> int:
        """From how many fen a level is reached."""
        return _least(self.reach, tier)

    def keeps(self, tier: Tier) -> int:
        """How many fen within the period keep a level."""
        return _least(self.keep or self.reach, tier)


DEFAULT_LADDER = Ladder()


class Move(StrEnum):
    """What may happen to a level."""

    RAISED = "raised"
    WARNED = "warned"
    KEPT = "kept"
    LOWERED = "lowered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A tier and since when; `grace_until` is set while its bearer is warned."""

    tier: Tier = Tier.BASIC
    since: int = 0
    best: Tier = Tier.BASIC
    grace_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One move, and what is missing to stay when it is a warning (fen)."""

    move: Move
    before: Tier
    after: Tier
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What somebody has spent: ever, within the ladder's period, and just now (all net)."""

    lifetime: int
    within_period: int
    just_now: int = 0


def review(
    level: Level, spending: Spending, ladder: Ladder, *, at: int
) -> tuple[Level, Moved | None]:
    """Move a level by at most one step down, or up as far as it was bought.

    A level is reached when this purchase brings the lifetime over its bound, or by what was
    spent within the period: so a level once lost is earned anew, not given back by a trifle.
    """
    raised = _raised_to(level.tier, spending, ladder)
    if raised is not None:
        best = raised if rank(raised) > rank(level.best) else level.best
        after = Level(tier=raised, since=at, best=best)
        return after, Moved(move=Move.RAISED, before=level.tier, after=raised)
    if level.tier is Tier.BASIC:
        return level, None
    missing = _missing(level, spending, ladder, at=at)
    if level.grace_until is None:
        return _warn(level, missing, ladder, at=at)
    if missing <= 0:
        kept = replace(level, since=at, grace_until=None)
        return kept, Moved(move=Move.KEPT, before=level.tier, after=level.tier)
    if at < level.grace_until:
        return level, None
    below = ORDER[rank(level.tier) - 1]
    lowered = Level(tier=below, since=at, best=level.best)
    return lowered, Moved(move=Move.LOWERED, before=level.tier, after=below)


def preview(
    people: Iterable[tuple[Tier, Spending]], ladder: Ladder
) -> dict[tuple[Tier, Tier], int]:
    """Count who would stand where under other rules, as (level now, level by the rules)."""
    return dict(Counter((now, _by_rules(spending, ladder)) for now, spending in people))


def _by_rules(spending: Spending, ladder: Ladder) -> Tier:
    reached = tier_of(spending.lifetime, ladder.reach)
    kept = tier_of(spending.within_period, ladder.keep or ladder.reach)
    return min(reached, kept, key=rank)


def _raised_to(tier: Tier, spending: Spending, ladder: Ladder) -> Tier | None:
    before = spending.lifetime - spending.just_now
    for candidate in reversed(ORDER[rank(tier) + 1 :]):
        least = ladder.reaches(candidate)
        if before < least <= spending.lifetime or spending.within_period >= least:
            return candidate
    return None


def _missing(level: Level, spending: Spending, ladder: Ladder, *, at: int) -> int:
    """Say what is missing to stay; within the period only a refund can make it any."""
    short = ladder.reaches(level.tier) - spending.lifetime
    if level.grace_until is None and at < level.since + ladder.period_days * DAY_MS:
        return short
    return max(short, ladder.keeps(level.tier) - spending.within_period)


def _warn(level: Level, missing: int, ladder: Ladder, *, at: int) -> tuple[Level, Moved | None]:
    if missing <= 0:
        return level, None
    warned = replace(level, grace_until=at + ladder.grace_days * DAY_MS)
    moved = Moved(move=Move.WARNED, before=level.tier, after=level.tier, missing=missing)
    return warned, moved


def _least(thresholds: Thresholds, tier: Tier) -> int:
    return {
        Tier.BASIC: 0,
        Tier.SILVER: thresholds.silver,
        Tier.GOLD: thresholds.gold,
        Tier.DIAMOND: thresholds.diamond,
    }[tier]
