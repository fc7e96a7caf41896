"""The `ask` commands about one's own level, coupons and points, and what a basket costs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from liveroom.domain.actors import Actor
from liveroom.domain.basket import Wanted
from liveroom.domain.ids import ID_PATTERN, ProductId, RoomId
from liveroom.domain.orders import LINES_MAX, QUANTITY_MAX
from liveroom.service.couponing import Couponing
from liveroom.service.quoting import Means, Quoting
from liveroom.service.rewarding import Rewarding

COUPONS_CHOSEN_MAX: Final = 10
POINTS_MAX: Final = 10**9

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
ChosenCoupons = Annotated[tuple[Id, ...], Meta(max_length=COUPONS_CHOSEN_MAX)]
SpentPoints = Annotated[int, Meta(ge=0, le=POINTS_MAX)]


class Nothing(Struct, frozen=True):
    """No arguments."""


class CouponArguments(Struct, frozen=True):
    """Which kind of coupon."""

    template: Id


class WantedArguments(Struct, frozen=True):
    """So many of a product."""

    product: Id
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)] = 1


class BasketArguments(Struct, frozen=True):
    """What to buy; `coupons` null = the best ones, [] = none."""

    lines: Annotated[tuple[WantedArguments, ...], Meta(min_length=1, max_length=LINES_MAX)]
    coupons: ChosenCoupons | None = None
    points: SpentPoints = 0

    def wanted(self) -> list[Wanted]:
        """List what is wanted."""
        return [Wanted(product=ProductId(one.product), quantity=one.quantity) for one in self.lines]

    def means(self) -> Means:
        """Say how to pay less."""
        return Means(coupons=self.coupons, points=self.points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loyalty:
    """The services that these commands call."""

    couponing: Couponing
    rewarding: Rewarding
    quoting: Quoting


LoyaltyHandler = Callable[[Loyalty, Actor, RoomId, str, Any], Awaitable[object]]

LOYALTY_COMMANDS: Final[dict[str, tuple[type[Struct], LoyaltyHandler, str | None]]] = {
    "coupons": (Nothing, lambda on, actor, _r, _k, _w: on.couponing.held(actor), "coupons"),
    "open_coupons": (
        Nothing,
        lambda on, actor, room, _k, _w: on.couponing.open_in(actor, room),
        "coupons",
    ),
    "claim_coupon": (
        CouponArguments,
        lambda on, actor, room, key, given: on.couponing.claim(actor, room, given.template, key),
        None,
    ),
    "points": (Nothing, lambda on, actor, _r, _k, _w: on.rewarding.balance(actor), None),
    "check_in": (Nothing, lambda on, actor, room, _k, _w: on.rewarding.check_in(actor, room), None),
    "watching": (Nothing, lambda on, actor, room, _k, _w: on.rewarding.watching(actor, room), None),
    "quote": (
        BasketArguments,
        lambda on, actor, room, _k, given: on.quoting.quote(
            actor, room, given.wanted(), given.means()
        ),
        None,
    ),
}
