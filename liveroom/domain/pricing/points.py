"""Points at the till: what they are worth, and how many an order takes."""

from dataclasses import dataclass

from liveroom.domain.pricing.offers import PERMILLE


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsRule:
    """`points_per_fen` points pay one fen; they pay at most `share_permille` of an order."""

    points_per_fen: int = 1
    share_permille: int = 500

    def __post_init__(self) -> None:
        """Refuse a rule that gives money away."""
        if self.points_per_fen < 1 or not 0 <= self.share_permille <= PERMILLE:
            raise ValueError("points_per_fen is 1 or more, share_permille from 0 to 1,000")


def points_worth(wanted: int, amount: int, rule: PointsRule) -> tuple[int, int]:
    """Say how many of the wanted points an amount takes, and the fen they pay.

    A fen is left to pay with money, and no point is taken that pays nothing.
    """
    most_fen = min(amount * rule.share_permille // PERMILLE, max(0, amount - 1))
    fen = min(max(0, wanted) // rule.points_per_fen, most_fen)
    return fen * rule.points_per_fen, fen
