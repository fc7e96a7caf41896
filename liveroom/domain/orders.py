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
TIME_MAX = 4_102_444_800_000
"""Year 2100 in UTC milliseconds: a later time is a mistake in its unit."""
CHECKOUT_TTL_MS = 15 * 60 * 1000
"""How long an unpaid checkout holds its stock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """A flash sale: from its start (UTC ms) until before its end, at most so many for each."""

    price: int
    starts_at: int
    ends_at: int
    per_user: int | None = None

    def runs(self, at: int) -> bool:
        """Whether it is on: it begins and ends on the server's time, whoever's order it is."""
        return self.starts_at <= at < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftOffer:
    """Who buys `buy` of a product gets `get` of another one, as often as that fits."""

    product: ProductId
    buy: int = 1
    get: int = 1

    def units(self, bought: int) -> int:
        """Say how many come with an order of so many."""
        return bought // self.buy * self.get


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Something to sell; `stock` None = unlimited, `room_price` the price in the shop's rooms."""

    id: ProductId
    title: str
    price: int
    stock: int | None = None
    category: str | None = None
    image: str | None = None
    room_price: int | None = None
    flash: Flash | None = None
    gift: GiftOffer | None = None

    def price_in_room(self, at: int) -> int:
        """Give the price that holds in a room at a time: the flash sale's while it runs."""
        if self.flash is not None and self.flash.runs(at):
            return self.flash.price
        return self.price if self.room_price is None else self.room_price


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line of an order; `unit_price` in fen, nothing for a gift.

    `gift_of` is the place, from zero, of the line that it came with; `discount` is what offers
    and points took off the line.
    """

    product: ProductId
    quantity: int
    unit_price: int
    gift_of: int | None = None
    discount: int = 0

    @property
    def paid(self) -> int:
        """What was paid for the line in money."""
        return self.quantity * self.unit_price - self.discount


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
    """Refuse a product whose prices, stock, sale or gift are out of bounds.

    A room's price and a flash sale's are never above the price everywhere else.
    """
    check_amount("price", product.price, least=1, most=PRICE_MAX)
    if product.stock is not None:
        check_amount("stock", product.stock, least=0, most=STOCK_MAX)
    if product.room_price is not None:
        check_amount("room_price", product.room_price, least=1, most=product.price)
    flash, gift = product.flash, product.gift
    if flash is not None:
        check_amount("flash.price", flash.price, least=1, most=product.price)
        check_amount("flash.starts_at", flash.starts_at, least=0, most=TIME_MAX)
        check_amount("flash.ends_at", flash.ends_at, least=flash.starts_at + 1, most=TIME_MAX)
        if flash.per_user is not None:
            check_amount("flash.per_user", flash.per_user, least=1, most=QUANTITY_MAX)
    if gift is not None:
        check_amount("gift.buy", gift.buy, least=1, most=QUANTITY_MAX)
        check_amount("gift.get", gift.get, least=1, most=QUANTITY_MAX)
        if gift.product == product.id and gift.buy < gift.get:
            raise Refused("invalid", "gift: who buys fewer than they get would buy for nothing.")


def total_of(lines: Sequence[OrderLine]) -> int:
    """Add up an order after checking every line and the sum."""
    check_amount("lines", len(lines), least=1, most=LINES_MAX)
    for place, line in enumerate(lines):
        check_amount("quantity", line.quantity, least=1, most=QUANTITY_MAX)
        if line.gift_of is None:
            check_amount("unit_price", line.unit_price, least=1, most=PRICE_MAX)
            check_amount("discount", line.discount, least=0, most=line.quantity * line.unit_price)
            continue
        check_amount("discount", line.discount, least=0, most=0)
        check_amount("unit_price", line.unit_price, least=0, most=0)
        check_amount("gift_of", line.gift_of, least=0, most=len(lines) - 1)
        if line.gift_of == place or lines[line.gift_of].gift_of is not None:
            raise Refused("invalid", "gift_of: name the line that was bought.")
    total = sum(line.paid for line in lines)
    return check_amount("total", total, least=1, most=AMOUNT_MAX)
