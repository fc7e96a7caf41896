"""Offers as data: what is taken off, from which lines, from which threshold on, beside what.

An offer is eligible when it is handed in here; who may have it was decided before.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from liveroom.domain.ids import ProductId
from liveroom.domain.pricing.carts import CartLine

PERMILLE = 1_000


class Phase(IntEnum):
    """When an offer is reckoned: prices first, coupons on what the prices left."""

    PRICE = 1
    COUPON = 2


@dataclass(frozen=True, slots=True)
class AmountOff:
    """满减: so many fen off, once."""

    fen: int

    def saves(self, base: int) -> int:
        """Say what it takes off a base."""
        return min(self.fen, base)


@dataclass(frozen=True, slots=True)
class PercentOff:
    """So many thousandths off, rounded down, at most `most` fen (None = no such bound)."""

    permille: int
    most: int | None = None

    def saves(self, base: int) -> int:
        """Say what it takes off a base."""
        saved = base * min(self.permille, PERMILLE) // PERMILLE
        return saved if self.most is None else min(saved, self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which lines an offer looks at; empty sets mean all. `labels` it keeps away from."""

    products: frozenset[ProductId] = frozenset()
    categories: frozenset[str] = frozenset()
    not_labels: frozenset[str] = frozenset()

    def holds(self, line: CartLine) -> bool:
        """Whether a line counts."""
        if line.price_label and line.price_label in self.not_labels:
            return False
        if not self.products and not self.categories:
            return True
        return line.product in self.products or line.category in self.categories


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One way to pay less.

    `group` says what it is among others of its kind (`coupon`, `platform`, `member_day`, …);
    `not_with` names groups it never goes together with. `from_amount` is compared with what
    the lines in scope cost after the price offers in force and before any coupon. `funder`
    bears what is taken off; `expires_at` (UTC ms) only breaks ties: the sooner, the better used.
    """

    id: str
    title: str
    effect: AmountOff | PercentOff
    phase: Phase = Phase.COUPON
    group: str = "coupon"
    not_with: frozenset[str] = frozenset()
    from_amount: int = 0
    scope: Scope = field(default_factory=Scope)
    funder: str = ""
    expires_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacking:
    """How many offers of one group and how many coupons an order takes."""

    per_group_max: int = 1
    coupons_max: int = 2

    def allows(self, offers: Iterable[Offer]) -> bool:
        """Whether these offers may be used together."""
        chosen = tuple(offers)
        groups = [offer.group for offer in chosen]
        if any(groups.count(group) > self.per_group_max for group in groups):
            return False
        if sum(offer.phase is Phase.COUPON for offer in chosen) > self.coupons_max:
            return False
        return not any(
            one is not other and other.group in one.not_with for one in chosen for other in chosen
        )
