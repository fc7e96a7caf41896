"""Lines of a cart: what is bought at which unit price, and what comes with it for nothing."""

from dataclasses import dataclass

from liveroom.domain.ids import ProductId
from liveroom.domain.orders import PRICE_MAX, QUANTITY_MAX, check_amount
from liveroom.domain.refusals import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class CartLine:
    """So many of one product; its `id` is unique in the cart.

    `list_price` is what one costs in the shop, `unit_price` what it costs here and now (in
    this room, in this flash sale); `price_label` names the difference, "" where there is none.
    """

    id: str
    product: ProductId
    quantity: int
    list_price: int
    unit_price: int
    category: str | None = None
    price_label: str = ""

    @property
    def amount(self) -> int:
        """What the line costs before any offer."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftLine:
    """What comes with a bought line for nothing; it goes back with it too."""

    product: ProductId
    quantity: int
    because_of: str


def check_cart(lines: tuple[CartLine, ...]) -> None:
    """Refuse a cart whose lines have no sense.

    Raises:
        Refused: `invalid`, naming the field and its bounds.

    """
    if len({line.id for line in lines}) != len(lines):
        raise Refused("invalid", "Each line of a cart needs an id of its own.")
    for line in lines:
        check_amount("quantity", line.quantity, least=1, most=QUANTITY_MAX)
        check_amount("list_price", line.list_price, least=1, most=PRICE_MAX)
        check_amount("unit_price", line.unit_price, least=1, most=line.list_price)
