"""Products, paid orders and checkouts: values, bounds and totals. Amounts are integer fen.

The edge refuses wrong types; these rules refuse wrong values again, whoever calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from liveroom.domain.ids import OrderId, ProductId, RoomId, UserId
from liveroom.domain.refusals import Refused

PRICE_MAX = 10**10
"""A unit price above a hundred million yuan is a mistake: refused as invalid."""
QUANTITY_MAX = 9_999
"""Units of one product in one order line; more is refused as invalid."""
LINES_MAX = 100
"""Lines of one order; more are refused as invalid."""
STOCK_MAX = 10**9
"""Units on stock; more are refused as invalid."""
AMOUNT_MAX = 2**53 - 1
"""The largest amount on any wire: every client language can hold it exactly."""
CHECKOUT_TTL_MS = 15 * 60 * 1000
"""How long an unpaid checkout holds its stock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Something to sell; `stock` None = unlimited."""

    id: ProductId
    title: str
    price: int
    stock: int | None = None
    category: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line of an order; `unit_price` in fen."""

    product: ProductId
    quantity: int
    unit_price: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """A paid order as the shop's backend reports it; `paid_at` UTC ms.

    With `room` it is live whatever `paid_at` says; without, it fires nothing.
    `public` is the buyer's consent to be named at this order; None = their setting.
    """

    id: OrderId
    user: UserId
    lines: tuple[OrderLine, ...]
    paid_at: int
    room: RoomId | None = None
    coupons: tuple[str, ...] = ()
    points: int = 0
    public: bool | None = None
    ritual: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReceipt:
    """The answer to a placed order; `nth` counts the buyer's paid orders in the room (0 = none)."""

    id: OrderId
    total: int
    nth: int
    tier: str


class CheckoutState(StrEnum):
    """Where a checkout is; `LATE` = paid after its stock was gone: refund due."""

    PENDING = "pending"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    LATE = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """An order waiting for its payment; the stock is reserved until `expires_at`."""

    order: OrderId
    amount: int
    payment: str
    pay_url: str
    expires_at: int


def is_count(value: object) -> bool:
    """Whether a value is a real integer; True is not 1 here and 1.0 neither."""
    return type(value) is int


def check_amount(name: str, value: int, *, least: int, most: int) -> int:
    """Return the value if it is an integer within its bounds.

    Raises:
        Refused: `invalid`, naming the field and its bounds.

    """
    if not is_count(value) or not least <= value <= most:
        raise Refused("invalid", f"{name} must be an integer from {least} to {most}.")
    return value


def check_product(product: Product) -> None:
    """Refuse a product whose price or stock is out of bounds."""
    check_amount("price", product.price, least=1, most=PRICE_MAX)
    if product.stock is not None:
        check_amount("stock", product.stock, least=0, most=STOCK_MAX)


def total_of(lines: Sequence[OrderLine]) -> int:
    """Add up an order after checking every line and the sum."""
    check_amount("lines", len(lines), least=1, most=LINES_MAX)
    for line in lines:
        check_amount("quantity", line.quantity, least=1, most=QUANTITY_MAX)
        check_amount("unit_price", line.unit_price, least=1, most=PRICE_MAX)
    total = sum(line.quantity * line.unit_price for line in lines)
    return check_amount("total", total, least=1, most=AMOUNT_MAX)
