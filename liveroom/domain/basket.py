"""A basket: what somebody wants, at the room's prices, with the gifts that come along.

Flows in: products and quantities, and the products as they are. Flows out: lines with prices
fixed at this moment, and what has to be held of the ledger while the buyer pays.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from liveroom.domain.events import ProductCard
from liveroom.domain.ids import ProductId, UserId
from liveroom.domain.ledger import Account, HoldDraft, chart
from liveroom.domain.orders import (
    CHECKOUT_TTL_MS,
    QUANTITY_MAX,
    Flash,
    OrderLine,
    Product,
    check_amount,
)
from liveroom.domain.refusals import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """So many of a product."""

    product: ProductId
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BasketLine:
    """One line, priced; `worth` is the list price of a unit, `flash` the sale it is part of.

    `discount` is what offers and points take off the line.
    """

    product: ProductId
    title: str
    quantity: int
    unit_price: int
    worth: int
    category: str | None = None
    gift_of: int | None = None
    flash: Flash | None = None
    discount: int = 0

    @property
    def ordered(self) -> OrderLine:
        """The line as an order has it."""
        return OrderLine(
            product=self.product,
            quantity=self.quantity,
            unit_price=self.unit_price,
            gift_of=self.gift_of,
            discount=self.discount,
        )

    def allowance(self, user: UserId) -> Account | None:
        """Name the allowance of a flash sale that the line draws on."""
        flash = self.flash
        if flash is None or flash.per_user is None:
            return None
        return chart.allowance_of(user, self.product, since=flash.starts_at, most=flash.per_user)

    def holds(self, order: str) -> tuple[str, str]:
        """Name the holds that the line may have: of stock, and of an allowance."""
        return f"{order}/{self.product}", f"{order}/flash/{self.product}"

    def goes_to(self, account: Account) -> Account:
        """Say where what is held in an account goes when it is sold."""
        if account == chart.shelf_of(self.product):
            return chart.sold_of(self.product)
        return chart.allowed_of(self.product)


def basket_of(
    wanted: Sequence[Wanted], known: Mapping[ProductId, Product], *, at: int
) -> list[BasketLine]:
    """Price what is wanted, and add gifts as long as there are some.

    Raises:
        Refused: `no_such_product`, `invalid` for a quantity out of bounds or a product twice.

    """
    if len({one.product for one in wanted}) != len(wanted):
        raise Refused("invalid", "lines: name each product once.")
    lines: list[BasketLine] = []
    for one in wanted:
        check_amount("quantity", one.quantity, least=1, most=QUANTITY_MAX)
        product = known.get(one.product)
        if product is None:
            raise Refused("no_such_product")
        on_sale = product.flash if product.flash is not None and product.flash.runs(at) else None
        lines.append(_line(product, one.quantity, product.price_in_room(at), flash=on_sale))
    return lines + _gifts(lines, known)


def _gifts(lines: Sequence[BasketLine], known: Mapping[ProductId, Product]) -> list[BasketLine]:
    """Add what comes along; a gift that has run out is left away, not the purchase."""
    left = {
        id: product.stock - sum(line.quantity for line in lines if line.product == id)
        for id, product in known.items()
        if product.stock is not None
    }
    gifts: list[BasketLine] = []
    for place, line in enumerate(lines):
        offer = known[line.product].gift
        gift = known.get(offer.product) if offer is not None else None
        if offer is None or gift is None:
            continue
        units = min(offer.units(line.quantity), QUANTITY_MAX, left.get(gift.id, QUANTITY_MAX))
        if units > 0:
            if gift.id in left:
                left[gift.id] -= units
            gifts.append(_line(gift, units, 0, gift_of=place))
    return gifts


def _line(
    product: Product,
    quantity: int,
    unit_price: int,
    *,
    gift_of: int | None = None,
    flash: Flash | None = None,
) -> BasketLine:
    return BasketLine(
        product=product.id,
        title=product.title,
        quantity=quantity,
        unit_price=unit_price,
        worth=product.price,
        category=product.category,
        gift_of=gift_of,
        flash=flash,
    )


def reservations(
    lines: Sequence[BasketLine],
    known: Mapping[ProductId, Product],
    *,
    order: str,
    user: UserId,
    at: int,
) -> list[HoldDraft]:
    """Say what is to be held while the buyer pays, all or none."""
    expires_at = at + CHECKOUT_TTL_MS
    stock: Counter[ProductId] = Counter()
    for line in lines:
        if known[line.product].stock is not None:
            stock[line.product] += line.quantity
    wanted = [
        (f"{order}/{product}", chart.shelf_of(product), amount) for product, amount in stock.items()
    ]
    for line in lines:
        allowance = line.allowance(user)
        if allowance is not None:
            wanted.append((line.holds(order)[1], allowance, line.quantity))
    return [
        HoldDraft(
            id=id, account=account, amount=amount, expires_at=expires_at, cause="checkout",
            ref=order, actor=user,
        )
        for id, account, amount in wanted
    ]  # fmt: skip


def card_of(product: Product, *, at: int) -> ProductCard:
    """Show of a product what viewers see now: the room's price, and what it was."""
    price = product.price_in_room(at)
    on_sale = product.flash is not None and product.flash.runs(at)
    return ProductCard(
        id=product.id,
        title=product.title,
        price=price,
        stock=product.stock,
        was=product.price if price < product.price else None,
        ends_at=product.flash.ends_at if product.flash is not None and on_sale else None,
    )
