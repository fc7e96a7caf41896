"""What protects who tips: a cap on each tip, a reminder a day, a pause after it.

A day is the shop's own, not the server's. What a tip is for is its *context*: thanks for
explaining a product, comfort after a draw.
"""

from dataclasses import dataclass

from liveroom.domain.ids import ProductId
from liveroom.domain.refusals import Refused

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PRODUCT = "product:"
CONTEXTS = frozenset({"draw"})
"""Contexts that name nothing further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tipping:
    """An operator's choices; amounts in coins, 0 = off.

    `remind_at` is what somebody may tip in a day before they are reminded, once; then they
    pause for `cooldown_ms`. `zone_ms` is the shop's distance from UTC.
    """

    tip_max: int = 100_000
    remind_at: int = 10_000
    cooldown_ms: int = 0
    zone_ms: int = 8 * HOUR_MS

    def day(self, at: int) -> int:
        """Number the shop's day that a moment is in."""
        return (at + self.zone_ms) // DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Tipped:
    """What somebody tipped on a day, and until when they pause (UTC ms)."""

    day: int
    coins: int = 0
    pause_until: int = 0


def check_tip(price: int, before: Tipped | None, policy: Tipping, *, at: int) -> None:
    """Refuse a tip that is too large, or comes in the pause after a reminder.

    Raises:
        Refused: `tip_too_large`, or `cooling_down` with the time that is left.

    """
    if policy.tip_max and price > policy.tip_max:
        raise Refused("tip_too_large", f"One tip is at most {policy.tip_max} coins.")
    if before is not None and before.pause_until > at:
        raise Refused("cooling_down", retry_ms=before.pause_until - at)


def count_tip(
    price: int, before: Tipped | None, policy: Tipping, *, at: int
) -> tuple[Tipped, bool]:
    """Add a tip to its day; returns whether it is the one that reminds, which is one a day."""
    day = policy.day(at)
    coins = before.coins if before is not None and before.day == day else 0
    pause_until = before.pause_until if before is not None else 0
    reminds = bool(policy.remind_at) and coins < policy.remind_at <= coins + price
    if reminds and policy.cooldown_ms:
        pause_until = at + policy.cooldown_ms
    return Tipped(day=day, coins=coins + price, pause_until=pause_until), reminds


def product_of(context: str) -> ProductId | None:
    """Name the product a tip thanks for; None when it is for something else.

    Raises:
        Refused: `invalid` for a context there is not.

    """
    if context.startswith(PRODUCT) and len(context) > len(PRODUCT):
        return ProductId(context.removeprefix(PRODUCT))
    if context not in CONTEXTS:
        raise Refused("invalid", "context: product:ID or draw.")
    return None
