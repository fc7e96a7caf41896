"""Recognising a returning customer: the host's card, its worth, and the queue it waits in.

A flood of entries must not flood the host: the queue ranks by value, holds a bounded number
of cards, lets so many out per second, and forgets them when they are stale. Pure: time in.
"""

from dataclasses import dataclass

from liveroom.domain.ids import UserId
from liveroom.domain.tiers import Tier

DAY_MS = 24 * 60 * 60 * 1000
ORDERS_COUNTED_MAX = 99
VISITS_COUNTED_MAX = 9
PREFERS_MAX = 3
"""How many favourites a card names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A bought product and when (UTC ms)."""

    product: str
    title: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the store knows about somebody in a room: the projection recognition works on."""

    user: UserId
    name: str
    tier: Tier
    orders: int
    room_orders: int
    visits: int
    last: Purchase | None = None
    prefers: tuple[str, ...] = ()

    @property
    def returning(self) -> bool:
        """Whether this is an old customer (老用户): somebody who has bought before."""
        return self.orders > 0 or self.tier is not Tier.BASIC


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePolicy:
    """Bounds of the host's queue.

    Over `cards_max` the least valuable card is dropped; over `per_second` cards wait for
    their turn; after `expiry_ms` a card is forgotten.
    """

    cards_max: int = 50
    per_second: int = 5
    expiry_ms: int = 10 * 60 * 1000
