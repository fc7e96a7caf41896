"""Routes of loyalty: a shop's rules, its coupons, one's own coupons and points, quotes."""

from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from liveroom.domain.basket import Wanted
from liveroom.domain.coupons import (
    CAP_MAX,
    PER_MEMBER_MAX,
    SCOPE_MAX,
    VALID_DAYS_MAX,
    CouponTemplate,
    Funder,
)
from liveroom.domain.ids import ProductId, UserId
from liveroom.domain.orders import LINES_MAX, PRICE_MAX, QUANTITY_MAX
from liveroom.domain.refusals import Refused
from liveroom.domain.shop_rules import ShopRules
from liveroom.domain.tiers import Thresholds, Tier
from liveroom.edge.api.access import owned
from liveroom.edge.api.table import (
    AUDIENCE,
    BEARERS,
    MERCHANTS,
    Call,
    Id,
    Key,
    Name,
    Number,
    Row,
    Title,
)
from liveroom.protocol.limits import Kind
from liveroom.service.loyalty_commands import COUPONS_CHOSEN_MAX, POINTS_MAX
from liveroom.service.quoting import Means

TIME_MAX = 4_102_444_800_000

Fen = Annotated[int, Meta(ge=0, le=PRICE_MAX)]
Days = Annotated[int, Meta(ge=1, le=VALID_DAYS_MAX)]
Time = Annotated[int, Meta(ge=0, le=TIME_MAX)]


class RulesBody(msgspec.Struct, frozen=True, kw_only=True):
    """A shop's rules, whole; what is left out takes its default. `GET` shows every field."""

    zone: Name = "Asia/Shanghai"
    ladder: dict[str, Any] = {}
    earning: dict[str, Any] = {}
    points: dict[str, Any] = {}
    stacking: dict[str, Any] = {}
    level_gifts: dict[Tier, Id] = {}
    member_day: dict[str, Any] = {}
    repurchase_day: dict[str, Any] | None = None


class ReachBody(msgspec.Struct, frozen=True, kw_only=True):
    """From how many fen each level would be reached."""

    silver: Annotated[int, Meta(ge=1, le=PRICE_MAX)]
    gold: Annotated[int, Meta(ge=1, le=PRICE_MAX)]
    diamond: Annotated[int, Meta(ge=1, le=PRICE_MAX)]


class CouponBody(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of coupon: `off_fen` or `off_permille`; it never changes once it is made."""

    id: Id
    title: Title
    off_fen: Fen = 0
    off_permille: Annotated[int, Meta(ge=0, le=1_000)] = 0
    most_fen: Annotated[int, Meta(ge=1, le=PRICE_MAX)] | None = None
    from_fen: Fen = 0
    products: Annotated[list[Id], Meta(max_length=SCOPE_MAX)] = []
    categories: Annotated[list[Name], Meta(max_length=SCOPE_MAX)] = []
    not_with_flash: bool = False
    not_with_member_day: bool = False
    exclusive: bool = False
    tier: Tier = Tier.BASIC
    funder: Funder = Funder.MERCHANT
    cap: Annotated[int, Meta(ge=1, le=CAP_MAX)] = 1_000
    per_member: Annotated[int, Meta(ge=1, le=PER_MEMBER_MAX)] = 1
    valid_days: Days = 30
    since: Time = 0
    until: Time | None = None
    claimable: bool = True
    complex_on_purpose: bool = False

    def template(self) -> CouponTemplate:
        """Make the domain's value."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        fields["products"] = tuple(ProductId(one) for one in self.products)
        fields["categories"] = tuple(self.categories)
        return CouponTemplate(**fields)


class GiveBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets the coupon."""

    user: Id


class WantedBody(msgspec.Struct, frozen=True, kw_only=True):
    """So many of a product."""

    product: Id
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)] = 1


class QuoteBody(msgspec.Struct, frozen=True, kw_only=True):
    """A basket; `coupons` null = the best ones, [] = none; `points` = at most so many."""

    lines: Annotated[list[WantedBody], Meta(min_length=1, max_length=LINES_MAX)]
    coupons: Annotated[list[Id], Meta(max_length=COUPONS_CHOSEN_MAX)] | None = None
    points: Annotated[int, Meta(ge=0, le=POINTS_MAX)] = 0


class PointsShown(msgspec.Struct, frozen=True, kw_only=True):
    """One's own points; `expiring` of them end at `expires_at`."""

    points: Number
    pending: Number
    expiring: Number
    expires_at: Number | None


async def show_rules(call: Call) -> object:
    """Show the rules in force."""
    return await call.backend.services.ruling.of(call.bearer())


async def put_rules(call: Call, body: RulesBody) -> object:
    """Put other rules in force."""
    given = msgspec.to_builtins(body)
    if body.repurchase_day is None:
        del given["repurchase_day"]
    try:
        rules = msgspec.convert(given, ShopRules)
    except (msgspec.ValidationError, ValueError) as error:
        raise Refused("invalid", f"{error}") from error
    return await call.backend.services.ruling.put(call.bearer(), rules)


async def try_out(call: Call, body: ReachBody) -> object:
    """Say who would stand where under other thresholds; changes nothing."""
    ruling, actor = call.backend.services.ruling, call.bearer()
    try:
        reach = Thresholds(silver=body.silver, gold=body.gold, diamond=body.diamond)
    except ValueError as error:
        raise Refused("invalid", str(error)) from error
    ladder = replace((await ruling.of(actor)).rules.ladder, reach=reach, keep=None)
    return {"shifts": await ruling.try_out(actor, ladder)}


async def make_coupon(call: Call, body: CouponBody) -> object:
    """Make a kind of coupon."""
    return await call.backend.services.couponing.create(call.bearer(), body.template())


async def list_coupons(call: Call) -> object:
    """List the shop's coupons and what became of them."""
    return {"coupons": await call.backend.services.couponing.all(call.bearer())}


async def give_coupon(call: Call, body: GiveBody) -> object:
    """Give somebody a coupon."""
    couponing = call.backend.services.couponing
    template = call.path["coupon"]
    return await couponing.give(call.bearer(), template, UserId(body.user), call.idempotency_key())


async def my_coupons(call: Call) -> object:
    """List one's own coupons."""
    return {"coupons": await call.backend.services.couponing.held(call.bearer())}


async def my_points(call: Call) -> object:
    """Show one's own points."""
    return await call.backend.services.rewarding.balance(call.bearer())


async def make_quote(call: Call, body: QuoteBody) -> object:
    """Say what a basket costs and why."""
    actor, place = owned(call.bearer(), call.place()), call.place()
    wanted = [Wanted(product=ProductId(one.product), quantity=one.quantity) for one in body.lines]
    coupons = None if body.coupons is None else tuple(body.coupons)
    means = Means(coupons=coupons, points=body.points)
    return await call.backend.services.quoting.quote(actor, place.id, wanted, means)


ROWS: tuple[Row, ...] = (
    Row(
        method="GET",
        path="/v1/loyalty/rules",
        summary="Show the shop's rules for levels, points, coupons and discount days.",
        handle=show_rules,
        access=MERCHANTS,
        answer=dict[str, Any],
    ),
    Row(
        method="PUT",
        path="/v1/loyalty/rules",
        summary="Put other rules in force; nobody falls at once.",
        handle=put_rules,
        access=MERCHANTS,
        body=RulesBody,
        answer=dict[str, Any],
    ),
    Row(
        method="POST",
        path="/v1/loyalty/rules/preview",
        summary="Say who would stand on which level under other thresholds.",
        handle=try_out,
        access=MERCHANTS,
        body=ReachBody,
        answer=dict[str, Any],
    ),
    Row(
        method="POST",
        path="/v1/coupons",
        summary="Make a kind of coupon.",
        handle=make_coupon,
        access=MERCHANTS,
        body=CouponBody,
        answer=dict[str, Any],
        refusals=("exists", "used_up"),
    ),
    Row(
        method="GET",
        path="/v1/coupons",
        summary="List the shop's coupons and what became of them.",
        handle=list_coupons,
        access=MERCHANTS,
        answer=dict[str, Any],
    ),
    Row(
        method="POST",
        path="/v1/coupons/{coupon}/give",
        summary="Give somebody a coupon.",
        handle=give_coupon,
        access=MERCHANTS,
        body=GiveBody,
        answer=dict[str, Any],
        key=Key.REQUIRED,
        refusals=(
            "no_such_coupon",
            "not_claimable",
            "claimed",
            "used_up",
            "idempotency_mismatch",
        ),
    ),
    Row(
        method="GET",
        path="/v1/me/coupons",
        summary="List my coupons.",
        handle=my_coupons,
        access=BEARERS,
        answer=dict[str, Any],
        refusals=("anonymous",),
    ),
    Row(
        method="GET",
        path="/v1/me/points",
        summary="Show my points.",
        handle=my_points,
        access=BEARERS,
        answer=PointsShown,
        refusals=("anonymous",),
    ),
    Row(
        method="POST",
        path="/v1/rooms/{room}/quote",
        summary="Say what a basket costs here and why.",
        handle=make_quote,
        access=AUDIENCE,
        body=QuoteBody,
        answer=dict[str, Any],
        rate=Kind.ASK,
        refusals=("no_such_product", "no_such_coupon", "rate"),
    ),
)
