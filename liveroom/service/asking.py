"""The websocket's `ask`: a table of commands, each with its arguments and its handler."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from liveroom.domain.actors import Actor
from liveroom.domain.basket import Wanted
from liveroom.domain.ids import ID_PATTERN, OrderId, ProductId, RoomId, UserId
from liveroom.domain.orders import QUANTITY_MAX
from liveroom.domain.refusals import Refused
from liveroom.domain.seats import SEATS_MAX
from liveroom.service.battling import Battling
from liveroom.service.gifting import Gifting
from liveroom.service.loyalty_commands import (
    LOYALTY_COMMANDS,
    ChosenCoupons,
    Loyalty,
    LoyaltyHandler,
    SpentPoints,
)
from liveroom.service.members import Members
from liveroom.service.moderating import Moderating
from liveroom.service.numbers import Numbers
from liveroom.service.order_commands import ORDER_COMMANDS, Keeping, OrderHandler
from liveroom.service.quoting import Means
from liveroom.service.recognising import Recognising
from liveroom.service.reviewing import Reviewing
from liveroom.service.rooms import Rooms
from liveroom.service.shopping import Shopping
from liveroom.service.staging import Staging

Answer = Mapping[str, Any]
"""The fields of an `ok`: text, numbers, booleans, None, and lists and maps of them."""

Id = Annotated[str, Meta(pattern=ID_PATTERN)]


class Nothing(Struct, frozen=True):
    """No arguments."""


class PinArguments(Struct, frozen=True):
    """Which product; None takes the pin down."""

    product: Id | None = None


class CheckoutArguments(Struct, frozen=True):
    """What to buy; the price is the server's, with these coupons (null: the best) and points."""

    product: Id
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)] = 1
    coupons: ChosenCoupons | None = None
    points: SpentPoints = 0


class OrderArguments(Struct, frozen=True):
    """Which checkout."""

    order: Id


class UserArguments(Struct, frozen=True):
    """Which person."""

    user: Id


class SeatsArguments(Struct, frozen=True):
    """How many guests there may be."""

    seats: Annotated[int, Meta(ge=0, le=SEATS_MAX)]


class SwitchArguments(Struct, frozen=True):
    """On or off."""

    on: bool = True


class PageArguments(Struct, frozen=True):
    """Where to continue."""

    cursor: Annotated[str, Meta(max_length=64)] | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks in which room, under which idempotency key."""

    actor: Actor
    room: RoomId
    key: str


Handler = Callable[["Asking", Ask, Any], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table; an answer that is a list is sent under `listed`."""

    arguments: type[Struct]
    handler: Handler
    listed: str | None = None


async def _gifts(self: "Asking", _ask: Ask, _with: Nothing) -> object:
    return self.gifting.catalogue()


async def _pin(self: "Asking", ask: Ask, given: PinArguments) -> object:
    product = ProductId(given.product) if given.product else None
    return {"product": await self.shopping.pin(ask.actor, ask.room, product)}


async def _checkout(self: "Asking", ask: Ask, given: CheckoutArguments) -> object:
    wanted = [Wanted(product=ProductId(given.product), quantity=given.quantity)]
    means = Means(coupons=given.coupons, points=given.points)
    return await self.shopping.checkout(ask.actor, ask.room, wanted, ask.key, means)


async def _cancel_checkout(self: "Asking", ask: Ask, given: OrderArguments) -> object:
    return {"cancelled": await self.shopping.cancel(ask.actor, OrderId(given.order))}


async def _end_broadcast(self: "Asking", ask: Ask, _with: Nothing) -> object:
    ended = await self.rooms.end(ask.actor, ask.room)
    return {"broadcast": ended.id if ended else None}


async def _thank(self: "Asking", ask: Ask, given: UserArguments) -> object:
    await self.recognising.thank(ask.actor, ask.room, UserId(given.user))
    return {}


def _keeping(handler: OrderHandler) -> Handler:
    async def handle(self: "Asking", ask: Ask, given: Any) -> object:
        keeping = Keeping(moderating=self.moderating, reviewing=self.reviewing)
        return await handler(keeping, ask.actor, ask.room, given)

    return handle


async def _accept_mic(self: "Asking", ask: Ask, given: UserArguments) -> object:
    stage = await self.staging.accept(ask.actor, ask.room, UserId(given.user))
    seated = stage.of(UserId(given.user))
    return {"slot": None if seated is None else seated.slot}


async def _decline_mic(self: "Asking", ask: Ask, given: UserArguments) -> object:
    await self.staging.decline(ask.actor, ask.room, UserId(given.user))
    return {}


async def _seats(self: "Asking", ask: Ask, given: SeatsArguments) -> object:
    return {"seats": (await self.staging.resize(ask.actor, ask.room, given.seats)).seats}


async def _leave_pk(self: "Asking", ask: Ask, _with: Nothing) -> object:
    await self.battling.leave(ask.actor, ask.room)
    return {}


async def _call(self: "Asking", ask: Ask, given: UserArguments) -> object:
    await self.staging.call(ask.actor, ask.room, UserId(given.user))
    return {}


def _loyal(handler: LoyaltyHandler) -> Handler:
    async def handle(self: "Asking", ask: Ask, given: Any) -> object:
        return await handler(self.loyalty, ask.actor, ask.room, ask.key, given)

    return handle


COMMANDS: Final[dict[str, Command]] = {
    "follow": Command(Nothing, lambda self, ask, _: self.members.follow(ask.actor, ask.room)),
    "unfollow": Command(Nothing, lambda self, ask, _: self.members.unfollow(ask.actor, ask.room)),
    "me": Command(Nothing, lambda self, ask, _: self.members.me(ask.actor, ask.room)),
    "confirm_age": Command(
        Nothing, lambda self, ask, _: self.members.confirm_age(ask.actor, ask.key)
    ),
    "ritual": Command(
        SwitchArguments, lambda self, ask, given: self.members.set_ritual(ask.actor, on=given.on)
    ),
    "opt_out_ritual": Command(
        Nothing, lambda self, ask, _: self.members.set_ritual(ask.actor, on=False)
    ),
    "public_orders": Command(
        SwitchArguments,
        lambda self, ask, given: self.members.set_public_orders(ask.actor, on=given.on),
    ),
    "ledger": Command(
        PageArguments, lambda self, ask, given: self.members.ledger(ask.actor, given.cursor)
    ),
    "gifts": Command(Nothing, _gifts, listed="gifts"),
    "products": Command(
        Nothing,
        lambda self, ask, _: self.shopping.products_of(ask.actor, ask.room),
        listed="products",
    ),
    "pin": Command(PinArguments, _pin),
    "checkout": Command(CheckoutArguments, _checkout),
    "cancel_checkout": Command(OrderArguments, _cancel_checkout),
    "thank": Command(UserArguments, _thank),
    "end_broadcast": Command(Nothing, _end_broadcast),
    "mic": Command(Nothing, lambda self, ask, _: self.staging.ask(ask.actor, ask.room)),
    "leave_mic": Command(Nothing, lambda self, ask, _: self.staging.leave(ask.actor, ask.room)),
    "accept_mic": Command(UserArguments, _accept_mic),
    "decline_mic": Command(UserArguments, _decline_mic),
    "seats": Command(SeatsArguments, _seats),
    "call": Command(UserArguments, _call),
    "answer_call": Command(
        Nothing, lambda self, ask, _: self.staging.answer_call(ask.actor, ask.room)
    ),
    "hang_up": Command(Nothing, lambda self, ask, _: self.staging.hang_up(ask.actor, ask.room)),
    "leave_pk": Command(Nothing, _leave_pk),
    "numbers": Command(Nothing, lambda self, ask, _: self.numbers.of(ask.actor, ask.room)),
    **{
        name: Command(arguments, _keeping(handler), listed)
        for name, (arguments, handler, listed) in ORDER_COMMANDS.items()
    },
    **{
        name: Command(arguments, _loyal(handler), listed)
        for name, (arguments, handler, listed) in LOYALTY_COMMANDS.items()
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Finds the command, reads its arguments, answers."""

    gifting: Gifting
    loyalty: Loyalty
    members: Members
    moderating: Moderating
    numbers: Numbers
    recognising: Recognising
    reviewing: Reviewing
    rooms: Rooms
    shopping: Shopping
    staging: Staging
    battling: Battling

    async def ask(
        self,
        actor: Actor,
        room: RoomId,
        do: str,
        arguments: bytes | msgspec.Raw,
        key: str,
    ) -> Answer:
        """Carry one command out; `arguments` is the raw `with` map, JSON or MessagePack."""
        command = COMMANDS.get(do)
        if command is None:
            raise Refused("unknown_command")
        given = read_arguments(bytes(arguments), command.arguments)
        answer = await command.handler(self, Ask(actor, room, key), given)
        plain = msgspec.to_builtins(answer, str_keys=True)
        if command.listed is not None:
            return {command.listed: plain}
        fields: Answer = plain
        return fields


def read_arguments(raw: bytes, wanted: type[Struct]) -> Struct:
    """Decode a map in either encoding: no MessagePack map begins like a JSON object.

    Nothing at all and a null mean a map without entries.
    """
    text = raw.strip()
    if text in (b"", b"null", b"\xc0"):
        text = b"{}"
    try:
        if text[:1] == b"{":
            return msgspec.json.decode(text, type=wanted)
        return msgspec.msgpack.decode(raw, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("invalid", f"with: {error}") from error
