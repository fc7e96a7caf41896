"""Coupons: templates as data, one unit `coupon/T` of the ledger for each template.

What is issued, held, set aside, redeemed and expired are accounts of that unit, so that a
template's coupons always add up; a lot says when a coupon ends and who pays for it.
"""

from dataclasses import dataclass
from enum import StrEnum

from liveroom.domain.ids import ProductId, UserId
from liveroom.domain.ledger import Account, Terms, chart, unit_of
from liveroom.domain.levels import DAY_MS
from liveroom.domain.orders import PRICE_MAX, check_amount
from liveroom.domain.pricing import AmountOff, Offer, PercentOff, Scope
from liveroom.domain.refusals import Refused
from liveroom.domain.tiers import Tier, rank

COUPON = "coupon"
CAP_MAX = 10**9
"""Coupons of one template."""
PER_MEMBER_MAX = 100
"""Coupons of one template that one person may ever get."""
VALID_DAYS_MAX = 3_650
SCOPE_MAX = 200
"""Products or categories that one template names."""
CONDITIONS_MAX = 2
"""Conditions a person still sees through at a glance; more need `complex_on_purpose`."""


class Funder(StrEnum):
    """Who bears what a coupon takes off."""

    MERCHANT = "merchant"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponTemplate:
    """What a coupon of this kind does; amounts in fen, times UTC ms.

    Exactly one of `off_fen` and `off_permille` is set. `cap` bounds how many are ever issued,
    `per_member` how many one person gets. A coupon ends `valid_days` after it was issued, and
    never later than `until`. `claimable`: viewers may take one themselves from `since` on.
    """

    id: str
    title: str
    off_fen: int = 0
    off_permille: int = 0
    most_fen: int | None = None
    from_fen: int = 0
    products: tuple[ProductId, ...] = ()
    categories: tuple[str, ...] = ()
    not_with_flash: bool = False
    not_with_member_day: bool = False
    exclusive: bool = False
    tier: Tier = Tier.BASIC
    funder: Funder = Funder.MERCHANT
    cap: int = 1_000
    per_member: int = 1
    valid_days: int = 30
    since: int = 0
    until: int | None = None
    claimable: bool = True
    complex_on_purpose: bool = False

    @property
    def conditions(self) -> int:
        """How many conditions a buyer has to keep in mind."""
        return sum(
            (
                self.from_fen > 0,
                bool(self.products or self.categories),
                self.not_with_flash or self.not_with_member_day or self.exclusive,
                self.most_fen is not None,
            )
        )

    def ends_at(self, issued_at: int) -> int:
        """Say when a coupon issued then can no longer be used."""
        end = issued_at + self.valid_days * DAY_MS
        return end if self.until is None else min(end, self.until)

    def terms(self, issued_at: int) -> Terms:
        """Say on what terms a coupon's lot is opened."""
        return Terms(expires_at=self.ends_at(issued_at), funder=self.funder)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCoupon:
    """So many coupons of one kind that end together."""

    template: CouponTemplate
    count: int
    expires_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponUsage:
    """What became of a template's coupons: issued = held + reserved + redeemed + expired."""

    issued: int
    held: int
    reserved: int
    redeemed: int
    expired: int


def check_template(template: CouponTemplate) -> None:
    """Refuse a template without sense.

    Raises:
        Refused: `invalid`, naming the field.

    """
    if bool(template.off_fen) == bool(template.off_permille):
        raise Refused("invalid", "Set either off_fen or off_permille.")
    check_amount("off_fen", template.off_fen, least=0, most=PRICE_MAX)
    check_amount("off_permille", template.off_permille, least=0, most=1_000)
    check_amount("from_fen", template.from_fen, least=0, most=PRICE_MAX)
    if template.most_fen is not None:
        check_amount("most_fen", template.most_fen, least=1, most=PRICE_MAX)
    check_amount("cap", template.cap, least=1, most=CAP_MAX)
    check_amount("per_member", template.per_member, least=1, most=PER_MEMBER_MAX)
    check_amount("valid_days", template.valid_days, least=1, most=VALID_DAYS_MAX)
    if template.off_fen and template.off_fen > template.from_fen > 0:
        raise Refused("invalid", "off_fen is more than from_fen: it would pay for everything.")
    if max(len(template.products), len(template.categories)) > SCOPE_MAX:
        raise Refused("invalid", f"A coupon names at most {SCOPE_MAX} products or categories.")
    if template.until is not None and template.until <= template.since:
        raise Refused("invalid", "until must be after since.")
    if template.conditions > CONDITIONS_MAX and not template.complex_on_purpose:
        raise Refused(
            "invalid",
            f"More than {CONDITIONS_MAX} conditions are hard to see through; "
            "set complex_on_purpose if it must be so.",
        )


def check_claim(template: CouponTemplate, tier: Tier, *, at: int, claimed: bool) -> None:
    """Refuse to issue a coupon that nobody, or not this person, may have now.

    Raises:
        Refused: `not_claimable`, `ended`.

    """
    if claimed and not template.claimable:
        raise Refused("not_claimable")
    if at < template.since:
        raise Refused("not_claimable", "This coupon cannot be taken yet; come back later.")
    if template.until is not None and at >= template.until:
        raise Refused("not_claimable", "This coupon has ended; look for another one.")
    if rank(tier) < rank(template.tier):
        raise Refused("not_claimable", f"This coupon is for level {template.tier} and above.")


def offer_of(held: HeldCoupon) -> Offer:
    """Turn a coupon in hand into an offer for a quote."""
    template = held.template
    not_with = {"member_day"} if template.not_with_member_day else set()
    if template.exclusive:
        not_with |= {"coupon", "member_day"}
    return Offer(
        id=template.id,
        title=template.title,
        effect=(
            AmountOff(template.off_fen)
            if template.off_fen
            else PercentOff(template.off_permille, most=template.most_fen)
        ),
        group=COUPON if template.funder is Funder.MERCHANT else template.funder.value,
        not_with=frozenset(not_with),
        from_amount=template.from_fen,
        scope=Scope(
            products=frozenset(template.products),
            categories=frozenset(template.categories),
            not_labels=frozenset({"flash"}) if template.not_with_flash else frozenset(),
        ),
        funder=template.funder.value,
        expires_at=held.expires_at,
    )


def unit(template: str) -> str:
    """Name the unit of a template's coupons."""
    return unit_of(COUPON, template)


def wallet(user: UserId, template: str) -> Account:
    """Name where somebody's coupons of a kind are."""
    return chart.wallet_of(user, unit(template))


def issuer(template: CouponTemplate) -> Account:
    """Name where a kind of coupon comes from; its floor is the cap."""
    return chart.issuer_of(unit(template.id), cap=template.cap)


def redeemed(template: str) -> Account:
    """Name where used coupons go."""
    return Account("shop", unit(template), "redeemed")
