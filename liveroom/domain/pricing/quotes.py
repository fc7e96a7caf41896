"""The quote: the best allowed combination of offers, spread over the lines to the fen.

Offers are tried together in every combination that the stacking rules allow (their number is
bounded), each combination reckoned the same way: price offers on the lines' amounts, then
coupons on what those left, each in the order of its id. The largest saving wins; of equal
ones the fewest offers, then those that expire first, then the ids.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from liveroom.domain.ledger import split
from liveroom.domain.orders import AMOUNT_MAX, LINES_MAX, check_amount
from liveroom.domain.pricing.carts import CartLine, GiftLine, check_cart
from liveroom.domain.pricing.offers import Offer, Phase, Stacking
from liveroom.domain.pricing.points import PointsRule, points_worth
from liveroom.domain.refusals import Refused

OFFERS_MAX = 20
"""Offers weighed for one cart; of more only those that alone save most are."""
FOREVER = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What one offer took off, in total and line by line (ids of the cart's lines)."""

    offer: str
    title: str
    group: str
    funder: str
    amount: int
    by_line: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUsed:
    """Why an offer was left out: `threshold` (with what is `missing`), `scope`, `no_better`."""

    offer: str
    reason: str
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedLine:
    """A line with its share of everything: amount = payable + saved + paid_by_points."""

    id: str
    quantity: int
    amount: int
    saved: int
    paid_by_points: int
    payable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a cart costs: `payable` is the money asked for, `list_total` what the shop lists.

    `saved` counts from the list prices: better prices here and offers, without points.
    """

    lines: tuple[QuotedLine, ...]
    gifts: tuple[GiftLine, ...]
    savings: tuple[Saving, ...]
    not_used: tuple[NotUsed, ...]
    list_total: int
    amount: int
    points: int
    paid_by_points: int
    payable: int
    saved: int


@dataclass(frozen=True, slots=True)
class _Reckoning:
    left: dict[str, int]
    savings: tuple[Saving, ...]
    unmet: tuple[NotUsed, ...]

    @property
    def saved(self) -> int:
        return sum(saving.amount for saving in self.savings)


def quote(
    lines: Sequence[CartLine],
    offers: Sequence[Offer],
    *,
    stacking: Stacking,
    gifts: Sequence[GiftLine] = (),
    points: int = 0,
    points_rule: PointsRule | None = None,
) -> Quote:
    """Find what a cart costs with the best allowed offers.

    Args:
        lines: the cart; its order plays no part.
        offers: what the buyer may use; its order plays no part.
        stacking: what may go together.
        gifts: what comes with the lines for nothing.
        points: how many the buyer wants to use.
        points_rule: what points are worth; None = they are not taken.

    Raises:
        Refused: `invalid` for an empty cart or one out of bounds.

    """
    check_amount("lines", len(lines), least=1, most=LINES_MAX)
    ordered = tuple(sorted(lines, key=lambda line: line.id))
    check_cart(ordered)
    amount = sum(line.amount for line in ordered)
    check_amount("total", amount, least=1, most=AMOUNT_MAX)
    if len({offer.id for offer in offers}) != len(offers):
        raise Refused("invalid", "The same offer cannot be used twice.")
    weighed = _promising(ordered, offers)
    best = max(
        (_reckon(ordered, chosen) for chosen in _allowed(weighed, stacking)),
        key=lambda found: _preference(found, weighed),
    )
    rule = points_rule or PointsRule(share_permille=0)
    used_points, paid = points_worth(points, sum(best.left.values()), rule)
    paid_by = _spread(paid, best.left)
    left = sum(best.left.values())
    list_total = sum(line.quantity * line.list_price for line in ordered)
    return Quote(
        lines=tuple(
            QuotedLine(
                id=line.id,
                quantity=line.quantity,
                amount=line.amount,
                saved=line.amount - best.left[line.id],
                paid_by_points=paid_by[line.id],
                payable=best.left[line.id] - paid_by[line.id],
            )
            for line in ordered
        ),
        gifts=tuple(sorted(gifts, key=lambda gift: (gift.because_of, gift.product))),
        savings=best.savings,
        not_used=_left_out(ordered, offers, best),
        list_total=list_total,
        amount=amount,
        points=used_points,
        paid_by_points=paid,
        payable=left - paid,
        saved=list_total - left,
    )


def _promising(lines: tuple[CartLine, ...], offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """Bound the search: keep what alone saves most, in the order of ids."""
    alone = sorted(offers, key=lambda offer: (-_reckon(lines, (offer,)).saved, offer.id))
    return tuple(sorted(alone[:OFFERS_MAX], key=lambda offer: offer.id))


def _allowed(offers: tuple[Offer, ...], stacking: Stacking) -> Iterator[tuple[Offer, ...]]:
    """Every set of offers that may be used together, the empty one first."""
    prices = [offer for offer in offers if offer.phase is Phase.PRICE]
    coupons = [offer for offer in offers if offer.phase is Phase.COUPON]
    groups = len({offer.group for offer in prices})
    for some_prices in _subsets(prices, groups * stacking.per_group_max):
        for some_coupons in _subsets(coupons, stacking.coupons_max):
            chosen = (*some_prices, *some_coupons)
            if stacking.allows(chosen):
                yield chosen


def _subsets(offers: Sequence[Offer], most: int) -> Iterator[tuple[Offer, ...]]:
    for size in range(min(most, len(offers)) + 1):
        yield from combinations(offers, size)


def _reckon(lines: tuple[CartLine, ...], chosen: Sequence[Offer]) -> _Reckoning:
    """Take the offers off the lines: prices first, then coupons on what these left."""
    left = {line.id: line.amount for line in lines}
    savings: list[Saving] = []
    unmet: list[NotUsed] = []
    for phase in Phase:
        base = dict(left)
        for offer in sorted(chosen, key=lambda offer: offer.id):
            if offer.phase is not phase:
                continue
            within = {line.id: base[line.id] for line in lines if offer.scope.holds(line)}
            subtotal = sum(within.values())
            if not within or subtotal < offer.from_amount:
                unmet.append(_why_not(offer, within, subtotal))
                continue
            open_amounts = {id_: left[id_] for id_ in within}
            saved = min(offer.effect.saves(subtotal), _room(left, open_amounts))
            by_line = _spread(saved, open_amounts)
            for id_, part in by_line.items():
                left[id_] -= part
            savings.append(_saving(offer, saved, by_line))
    return _Reckoning(left, tuple(savings), tuple(unmet))


def _room(left: dict[str, int], within: dict[str, int]) -> int:
    """How much may still come off: one fen of the order always stays to be paid."""
    return min(sum(within.values()), sum(left.values()) - 1)


def _saving(offer: Offer, amount: int, by_line: dict[str, int]) -> Saving:
    return Saving(
        offer=offer.id,
        title=offer.title,
        group=offer.group,
        funder=offer.funder,
        amount=amount,
        by_line=tuple((id_, part) for id_, part in sorted(by_line.items()) if part),
    )


def _why_not(offer: Offer, within: dict[str, int], subtotal: int) -> NotUsed:
    if not within:
        return NotUsed(offer=offer.id, reason="scope")
    return NotUsed(offer=offer.id, reason="threshold", missing=offer.from_amount - subtotal)


def _spread(amount: int, over: dict[str, int]) -> dict[str, int]:
    """Divide an amount over lines by their size, none getting more than it has."""
    if amount == 0:
        return dict.fromkeys(over, 0)
    ids = sorted(over)
    return dict(zip(ids, split(amount, [over[id_] for id_ in ids]), strict=True))


def _preference(found: _Reckoning, offers: tuple[Offer, ...]) -> tuple[object, ...]:
    """Rank a combination: most saved, then fewest offers, soonest expiry, first ids."""
    expiry = {offer.id: offer.expires_at or FOREVER for offer in offers}
    used = [saving.offer for saving in found.savings]
    return (
        found.saved,
        -len(used) - len(found.unmet),
        [-at for at in sorted(expiry[id_] for id_ in used)],
        [-offers_at for offers_at in _places(used, offers)],
    )


def _places(used: Sequence[str], offers: tuple[Offer, ...]) -> list[int]:
    place = {offer.id: at for at, offer in enumerate(offers)}
    return sorted(place[id_] for id_ in used)


def _left_out(
    lines: tuple[CartLine, ...], offers: Sequence[Offer], best: _Reckoning
) -> tuple[NotUsed, ...]:
    """Say why each offer that was not used was not."""
    used = {saving.offer for saving in best.savings}
    reasons = []
    for offer in sorted(offers, key=lambda offer: offer.id):
        if offer.id in used:
            continue
        unmet = _reckon(lines, (offer,)).unmet
        reasons.append(unmet[0] if unmet else NotUsed(offer=offer.id, reason="no_better"))
    return tuple(reasons)
