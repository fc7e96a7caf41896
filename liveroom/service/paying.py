"""The port to a payment provider: we ask for a payment, the provider calls back.

The adapter verifies the provider's signature before it hands a `PaymentNotice` on.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from liveroom.domain.ids import OrderId
from liveroom.domain.refusals import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment opened at the provider; the buyer pays at `pay_url`."""

    id: str
    pay_url: str


class PaymentOutcome(StrEnum):
    """What a provider reports."""

    PAID = "paid"
    FAILED = "failed"
    CHARGED_BACK = "charged_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentNotice:
    """A verified callback; it may come twice, late, or never. `amount` in fen."""

    payment: str
    order: OrderId
    amount: int
    outcome: PaymentOutcome = PaymentOutcome.PAID


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundNotice:
    """A verified word on a refund that we asked for, by the id we gave it."""

    refund: str
    done: bool


class PaymentProvider(Protocol):
    """Opens payments and gives money back.

    `create` is idempotent by order: asked again for the same order it returns the same
    payment. `refund` is idempotent by its id. Both raise `Refused("unavailable")` when the
    provider cannot be reached.
    """

    async def create(self, order: OrderId, amount: int, title: str) -> Payment:
        """Open a payment of `amount` fen for an order."""
        ...

    async def refund(self, refund: str, payment: str, amount: int) -> None:
        """Give `amount` fen of a payment back."""
        ...


class NoPayments:
    """Stands in where no provider is configured: every checkout is refused."""

    async def create(self, order: OrderId, amount: int, title: str) -> Payment:
        """Refuse: there is nobody who could take money."""
        raise Refused("unavailable", "No payment provider is configured.")

    async def refund(self, refund: str, payment: str, amount: int) -> None:
        """Refuse: there is nobody who could give money back."""
        raise Refused("unavailable", "No payment provider is configured.")
