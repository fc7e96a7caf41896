"""Routes of gifts: the catalogue, and giving one."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from liveroom.domain.gifts import GIFT_COUNT_MAX
from liveroom.edge.api.table import ANYONE, AUDIENCE, Call, Id, Key, Number, Row
from liveroom.protocol.limits import Kind
from liveroom.protocol.messages import CONTEXT_LENGTH_MAX


class GiftShown(msgspec.Struct, frozen=True, kw_only=True):
    """One gift: its price in coins, how big it is drawn, its names by language."""

    id: str
    coins: Number
    effect: str
    names: dict[str, str]


class GiftList(msgspec.Struct, frozen=True, kw_only=True):
    """The catalogue, cheapest first."""

    gifts: list[GiftShown]


class GiftBody(msgspec.Struct, frozen=True, kw_only=True):
    """The gift to give; `context` says what for: `product:ID`, `draw`."""

    gift: Id
    count: Annotated[int, Meta(ge=1, le=GIFT_COUNT_MAX)] = 1
    context: Annotated[str, Meta(max_length=CONTEXT_LENGTH_MAX)] | None = None


class GiftReceiptShown(msgspec.Struct, frozen=True, kw_only=True):
    """The gift's event, its number in the room, and what is left in the wallet."""

    id: str
    n: Number
    coins_left: Number


async def list_gifts(call: Call) -> GiftList:
    """List the gifts there are."""
    catalogue = call.backend.services.gifting.catalogue()
    return GiftList(
        gifts=[
            GiftShown(id=gift.id, coins=gift.price, effect=gift.effect, names=gift.names)
            for gift in catalogue
        ]
    )


async def give(call: Call, body: GiftBody) -> Any:
    """Give a gift."""
    receipt = await call.backend.services.gifting.give(
        call.bearer(),
        call.place().id,
        body.gift,
        body.count,
        call.idempotency_key(),
        body.context,
    )
    return GiftReceiptShown(id=receipt.id, n=receipt.n, coins_left=receipt.coins_left)


ROWS = (
    Row(
        method="GET",
        path="/v1/gifts",
        summary="List the gifts there are.",
        handle=list_gifts,
        access=ANYONE,
        answer=GiftList,
    ),
    Row(
        method="POST",
        path="/v1/rooms/{room}/gifts",
        summary="Give a gift.",
        handle=give,
        access=AUDIENCE,
        body=GiftBody,
        answer=GiftReceiptShown,
        key=Key.REQUIRED,
        rate=Kind.GIFT,
        refusals=(
            "anonymous",
            "age_unconfirmed",
            "no_such_gift",
            "not_enough_coins",
            "tip_too_large",
            "cooling_down",
            "no_such_product",
            "idempotency_mismatch",
            "rate",
        ),
    ),
)
