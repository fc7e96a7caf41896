"""Facts about one's own level, coupons and points."""

from dataclasses import dataclass
from typing import ClassVar

from liveroom.domain.delivery import Audience, Delivery
from liveroom.domain.ids import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponGiven:
    """A coupon came into somebody's hands; `expires_at` (UTC ms) is when it ends."""

    KIND: ClassVar[str] = "coupon"
    DELIVERY: ClassVar[Delivery] = Delivery.MONEY
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    coupon: str
    template: str
    title: str
    expires_at: int | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChanged:
    """Somebody's level was raised, kept, or is in danger (`missing` fen to stay), or lowered."""

    KIND: ClassVar[str] = "level"
    DELIVERY: ClassVar[Delivery] = Delivery.STATE
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    user: UserId
    move: str
    before: str
    tier: str
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsEarned:
    """Points were earned; `why` is checkin, watching, talking or game."""

    KIND: ClassVar[str] = "points"
    DELIVERY: ClassVar[Delivery] = Delivery.MONEY
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    points: int
    why: str
