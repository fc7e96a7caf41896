"""A shop's own rules for levels, points, coupons together, and its member day.

One value, versioned whole: what was in force when something was granted can be looked up.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from liveroom.domain.levels import Ladder
from liveroom.domain.orders import check_amount
from liveroom.domain.points import Earning
from liveroom.domain.pricing import Offer, PercentOff, Phase, PointsRule, Scope, Stacking
from liveroom.domain.refusals import Refused
from liveroom.domain.tiers import Tier, rank

DAY_MAX = 31
DAY_GROUP = "member_day"
"""The group of offers that a discount day makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountDay:
    """A day of each month with a discount; the 31st of a shorter month is its last day.

    `from_tier`: who gets it. `from_orders`: how many orders they made before.
    """

    day: int = 0
    permille: int = 50
    from_tier: Tier = Tier.SILVER
    from_orders: int = 0
    not_with_coupons: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopRules:
    """All that a shop may set about loyalty; the defaults are sensible for a small shop.

    `level_gifts` names the coupon template that reaching a level gives, once in a lifetime.
    """

    zone: str = "Asia/Shanghai"
    ladder: Ladder = field(default_factory=Ladder)
    earning: Earning = field(default_factory=Earning)
    points: PointsRule = field(default_factory=PointsRule)
    stacking: Stacking = field(default_factory=Stacking)
    level_gifts: dict[Tier, str] = field(default_factory=dict)
    member_day: DiscountDay = field(default_factory=DiscountDay)
    repurchase_day: DiscountDay = field(
        default_factory=lambda: DiscountDay(from_tier=Tier.BASIC, from_orders=1)
    )


DEFAULT_RULES = ShopRules()


def check_rules(rules: ShopRules) -> None:
    """Refuse rules out of bounds.

    Raises:
        Refused: `invalid`, naming the field.

    """
    try:
        ZoneInfo(rules.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Refused(
            "invalid", "zone is not a time zone; write one like Asia/Shanghai."
        ) from error
    for name, day in (("member_day", rules.member_day), ("repurchase_day", rules.repurchase_day)):
        check_amount(f"{name}.day", day.day, least=0, most=DAY_MAX)
        check_amount(f"{name}.permille", day.permille, least=1, most=900)
        check_amount(f"{name}.from_orders", day.from_orders, least=0, most=10_000)
    check_amount("stacking.coupons_max", rules.stacking.coupons_max, least=0, most=3)
    check_amount("stacking.per_group_max", rules.stacking.per_group_max, least=1, most=3)


def local_day(rules: ShopRules, at: int) -> int:
    """Number the calendar day in the shop's time zone."""
    return _local(rules, at).toordinal()


def day_offers(rules: ShopRules, tier: Tier, orders: int, *, at: int) -> tuple[Offer, ...]:
    """List the discount days in force at a moment for somebody of a level, with so many orders."""
    today = _local(rules, at)
    days = (
        ("member_day", "会员日", rules.member_day),
        ("repurchase_day", "复购日", rules.repurchase_day),
    )
    return tuple(
        Offer(
            id=name,
            title=title,
            effect=PercentOff(day.permille),
            phase=Phase.PRICE,
            group=DAY_GROUP,
            not_with=frozenset({"coupon"}) if day.not_with_coupons else frozenset(),
            scope=Scope(not_labels=frozenset({"flash"})),
            funder="merchant",
        )
        for name, title, day in days
        if _is_on(day.day, today)
        and rank(tier) >= rank(day.from_tier)
        and orders >= day.from_orders
    )


def _local(rules: ShopRules, at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(rules.zone))


def _is_on(day: int, today: datetime) -> bool:
    if day == 0:
        return False
    following = datetime.fromordinal(today.toordinal() + 1)
    is_last = following.day == 1
    return today.day == day or (is_last and today.day < day)
