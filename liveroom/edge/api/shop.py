"""Routes of the shop: products, the pin, paid orders, buying in the room, payment notices."""

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from liveroom.domain.basket import Wanted, card_of
from liveroom.domain.ids import OrderId, ProductId, RoomId, UserId
from liveroom.domain.orders import (
    AMOUNT_MAX,
    LINES_MAX,
    PRICE_MAX,
    QUANTITY_MAX,
    STOCK_MAX,
    TIME_MAX,
    Flash,
    GiftOffer,
    OrderDraft,
    OrderLine,
    Product,
)
from liveroom.domain.refusals import Refused
from liveroom.edge.api.access import find_room, owned
from liveroom.edge.api.table import (
    ANYONE,
    AUDIENCE,
    HOSTS,
    MERCHANTS,
    Call,
    Id,
    Key,
    Name,
    Number,
    Row,
    Title,
    Url,
)
from liveroom.edge.payments import read_notice
from liveroom.protocol.limits import Kind
from liveroom.protocol.present import present_product
from liveroom.service.quoting import Means

COUPONS_MAX = 20
POINTS_MAX = 10**9

Price = Annotated[int, Meta(ge=1, le=PRICE_MAX)]
Stock = Annotated[int, Meta(ge=0, le=STOCK_MAX)]
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
Time = Annotated[int, Meta(ge=0, le=TIME_MAX)]
Total = Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]


class FlashBody(msgspec.Struct, frozen=True, kw_only=True):
    """A flash sale from `starts_at` until before `ends_at` (UTC milliseconds)."""

    price: Price
    starts_at: Time
    ends_at: Time
    per_user: Quantity | None = None


class GiftBody(msgspec.Struct, frozen=True, kw_only=True):
    """With every `buy` units come `get` of another product."""

    product: Id
    buy: Quantity = 1
    get: Quantity = 1


class ProductBody(msgspec.Struct, frozen=True, kw_only=True):
    """A product; `price` in fen, `stock` null = unlimited, `room_price` in the shop's rooms."""

    id: Id
    title: Title
    price: Price
    stock: Stock | None = None
    category: Name | None = None
    image: Url | None = None
    room_price: Price | None = None
    flash: FlashBody | None = None
    gift: GiftBody | None = None


class ProductShown(msgspec.Struct, frozen=True, kw_only=True):
    """A product as a room sells it now: `was` = the list price where the room's is lower.

    `ends_at` is the end of the flash sale that is on, `flash` the one that is on or to come.
    """

    id: str
    title: str
    price: Total
    stock: Number | UnsetType | None = UNSET
    category: str | UnsetType = UNSET
    image: str | UnsetType = UNSET
    was: Total | UnsetType = UNSET
    ends_at: Number | UnsetType = UNSET
    flash: FlashBody | UnsetType = UNSET
    gift: GiftBody | UnsetType = UNSET


class ProductList(msgspec.Struct, frozen=True, kw_only=True):
    """What is sold in a room."""

    products: list[ProductShown]


class PinBody(msgspec.Struct, frozen=True, kw_only=True):
    """The product to pin; null takes the pin down."""

    product: Id | None


class PinShown(msgspec.Struct, frozen=True, kw_only=True):
    """The pinned product, null when none is."""

    product: ProductShown | None


class LineBody(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an order; `unit_price` in fen, 0 for a gift.

    `gift_of` is the place in the list, from 0, of the line that it came with.
    """

    product: Id
    quantity: Quantity
    unit_price: Annotated[int, Meta(ge=0, le=PRICE_MAX)]
    gift_of: Annotated[int, Meta(ge=0, le=LINES_MAX - 1)] | None = None


class OrderBody(msgspec.Struct, frozen=True, kw_only=True):
    """A paid order; `paid_at` UTC milliseconds. With `room` it is live, without it is history."""

    id: Id
    user: Id
    lines: Annotated[list[LineBody], Meta(min_length=1, max_length=LINES_MAX)]
    paid_at: Annotated[int, Meta(ge=0, le=TIME_MAX)]
    room: Id | None = None
    coupons: Annotated[list[Id], Meta(max_length=COUPONS_MAX)] = []
    points: Annotated[int, Meta(ge=0, le=POINTS_MAX)] = 0
    public: bool | None = None
    ritual: bool | None = None


class OrderShown(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded order; `nth` counts the buyer's paid orders in the room (0 = none)."""

    id: str
    total: Total
    nth: Number
    tier: str


class WantedBody(msgspec.Struct, frozen=True, kw_only=True):
    """So many of a product."""

    product: Id
    quantity: Quantity = 1


class CheckoutBody(msgspec.Struct, frozen=True, kw_only=True):
    """What to buy of the room's shelf, at the server's price: one product, or `lines`.

    `coupons` null = the best of the buyer's, [] = none; `points` = at most so many.
    """

    product: Id | None = None
    quantity: Quantity = 1
    lines: Annotated[list[WantedBody], Meta(min_length=1, max_length=LINES_MAX)] | None = None
    coupons: Annotated[tuple[Id, ...], Meta(max_length=COUPONS_MAX)] | None = None
    points: Annotated[int, Meta(ge=0, le=POINTS_MAX)] = 0


class CheckoutShown(msgspec.Struct, frozen=True, kw_only=True):
    """A reserved order that waits for its payment at `pay_url` until `expires_at`."""

    order: str
    amount: Total
    payment: str
    pay_url: str
    expires_at: Number


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A notice was understood; `order` is null when it changed nothing."""

    order: str | None


def _shown(product: Product) -> dict[str, Any]:
    return {key: value for key, value in asdict(product).items() if value is not None}


def _in_room(product: Product, *, at: int) -> dict[str, Any]:
    """Show a product at the price it has in a room now."""
    shown = _shown(product)
    shown.pop("room_price", None)
    if product.flash is not None and product.flash.ends_at <= at:
        del shown["flash"]
    card = present_product(card_of(product, at=at))
    assert card is not None
    return shown | card


async def put_product(call: Call, body: ProductBody) -> dict[str, Any]:
    """Create a product or replace it."""
    product = Product(
        id=ProductId(body.id),
        title=body.title,
        price=body.price,
        stock=body.stock,
        category=body.category,
        image=body.image,
        room_price=body.room_price,
        flash=None if body.flash is None else Flash(**msgspec.structs.asdict(body.flash)),
        gift=None if body.gift is None else GiftOffer(**msgspec.structs.asdict(body.gift)),
    )
    return _shown(await call.backend.services.shopping.put_product(call.bearer(), product))


async def list_products(call: Call) -> dict[str, Any]:
    """List what is sold in a room."""
    found = await call.backend.services.shopping.products(call.place().tenant)
    at = call.backend.now_ms()
    return {"products": [_in_room(product, at=at) for product in found]}


async def pin(call: Call, body: PinBody) -> dict[str, Any]:
    """Pin a product; opens its explanation."""
    product = None if body.product is None else ProductId(body.product)
    card = await call.backend.services.shopping.pin(call.bearer(), call.place().id, product)
    return {"product": present_product(card)}


async def place_order(call: Call, body: OrderBody) -> OrderShown:
    """Record a paid order."""
    actor = call.bearer()
    if body.room is not None:
        actor = owned(actor, await find_room(call.backend, body.room))
    draft = OrderDraft(
        id=OrderId(body.id),
        user=UserId(body.user),
        lines=tuple(
            OrderLine(
                product=ProductId(line.product),
                quantity=line.quantity,
                unit_price=line.unit_price,
                gift_of=line.gift_of,
            )
            for line in body.lines
        ),
        paid_at=body.paid_at,
        room=None if body.room is None else RoomId(body.room),
        coupons=tuple(body.coupons),
        points=body.points,
        public=body.public,
        ritual=body.ritual,
    )
    receipt = await call.backend.services.shopping.place_order(actor, draft, call.idempotency_key())
    return OrderShown(id=receipt.id, total=receipt.total, nth=receipt.nth, tier=str(receipt.tier))


async def check_out(call: Call, body: CheckoutBody) -> CheckoutShown:
    """Reserve stock and open a payment."""
    if (body.product is None) == (body.lines is None):
        raise Refused("invalid", "Name one product, or lines.")
    lines = body.lines or [WantedBody(product=body.product or "", quantity=body.quantity)]
    checkout = await call.backend.services.shopping.checkout(
        call.bearer(),
        call.place().id,
        [Wanted(product=ProductId(line.product), quantity=line.quantity) for line in lines],
        call.idempotency_key(),
        Means(coupons=body.coupons, points=body.points),
    )
    return CheckoutShown(
        order=checkout.order,
        amount=checkout.amount,
        payment=checkout.payment,
        pay_url=checkout.pay_url,
        expires_at=checkout.expires_at,
    )


async def take_notice(call: Call) -> Taken:
    """Take the payment provider's signed word that a payment was made."""
    notice = read_notice(
        call.raw,
        call.headers.get("liveroom-signature", ""),
        secret=call.backend.config.payment_secret,
        at=call.backend.now_ms() // 1000,
    )
    return Taken(order=await call.backend.services.settling.settled(notice))


ROWS = (
    Row(
        method="POST",
        path="/v1/products",
        summary="Create or replace a product.",
        handle=put_product,
        access=MERCHANTS,
        body=ProductBody,
        answer=ProductBody,
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/products",
        summary="List what is sold in a room.",
        handle=list_products,
        access=ANYONE,
        answer=ProductList,
    ),
    Row(
        method="POST",
        path="/v1/rooms/{room}/pin",
        summary="Pin a product, or take the pin down.",
        handle=pin,
        access=HOSTS,
        body=PinBody,
        answer=PinShown,
        refusals=("no_such_product",),
    ),
    Row(
        method="POST",
        path="/v1/orders",
        summary="Record a paid order.",
        handle=place_order,
        access=MERCHANTS,
        body=OrderBody,
        answer=OrderShown,
        status=201,
        key=Key.REQUIRED,
        refusals=("no_such_room", "other_room", "exists", "idempotency_mismatch"),
    ),
    Row(
        method="POST",
        path="/v1/rooms/{room}/checkouts",
        summary="Buy: reserve stock and open a payment.",
        handle=check_out,
        access=AUDIENCE,
        body=CheckoutBody,
        answer=CheckoutShown,
        status=201,
        key=Key.REQUIRED,
        rate=Kind.ASK,
        refusals=(
            "anonymous",
            "age_unconfirmed",
            "no_such_product",
            "out_of_stock",
            "no_such_coupon",
            "used_up",
            "not_enough_points",
            "limit_reached",
            "idempotency_mismatch",
            "unavailable",
            "rate",
        ),
    ),
    Row(
        method="POST",
        path="/v1/payments/notice",
        summary="Report a payment (the provider, signed).",
        handle=take_notice,
        access=ANYONE,
        answer=Taken,
        refusals=("bad_token", "invalid", "no_such_order", "unavailable"),
    ),
)
