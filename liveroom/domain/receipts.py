"""Facts about somebody's own money, and what a room collects for together.

Members of `domain/events.Fact`; they stand apart because few who read events need them.
"""

from dataclasses import dataclass
from typing import ClassVar

from liveroom.domain.delivery import Audience, Delivery
from liveroom.domain.ids import OrderId, ProductId


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentReceived:
    """The buyer's own receipt: their checkout is paid and is an order now (fen)."""

    KIND: ClassVar[str] = "receipt"
    DELIVERY: ClassVar[Delivery] = Delivery.MONEY
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    order: OrderId
    product: ProductId
    title: str
    amount: int
    nth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinsBought:
    """The buyer's own receipt: their coins are in the wallet."""

    KIND: ClassVar[str] = "coins"
    DELIVERY: ClassVar[Delivery] = Delivery.MONEY
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    order: OrderId
    coins: int
    coins_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TipReminded:
    """A reminder, once a day, of how much somebody has tipped; `pause_ms` until the next tip."""

    KIND: ClassVar[str] = "tip_reminder"
    DELIVERY: ClassVar[Delivery] = Delivery.MONEY
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    coins: int
    pause_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalChanged:
    """What a room collects for together; `phase` open, reached (once), ended."""

    KIND: ClassVar[str] = "goal"
    DELIVERY: ClassVar[Delivery] = Delivery.STATE
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    goal: str
    title: str
    percent: int
    phase: str
    ends_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundMade:
    """The buyer's own word that an order, or a part of it, was refunded (fen)."""

    KIND: ClassVar[str] = "refund"
    DELIVERY: ClassVar[Delivery] = Delivery.MONEY
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    refund: str
    order: OrderId
    amount: int
    whole: bool
