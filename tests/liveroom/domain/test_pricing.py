"""Quotes: exact to the fen, independent of order, the best allowed, and explained."""

import dataclasses
import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.orders import LINES_MAX
from liveroom.domain.pricing import (
    AmountOff,
    CartLine,
    GiftLine,
    Offer,
    PercentOff,
    Phase,
    PointsRule,
    Quote,
    Scope,
    Stacking,
    points_worth,
    quote,
)
from liveroom.domain.pricing.quotes import OFFERS_MAX
from liveroom.domain.refusals import Refused

ALONE = Stacking()


def line(id_: str, fen: int, quantity: int = 1, *, listed: int | None = None, **more) -> CartLine:
    return CartLine(
        id=id_,
        product=more.pop("product", f"p-{id_}"),
        quantity=quantity,
        list_price=listed or fen,
        unit_price=fen,
        **more,
    )


def coupon(id_: str, fen: int, least: int = 0, **more) -> Offer:
    return Offer(id=id_, title=id_, effect=AmountOff(fen), from_amount=least, **more)


def member_day(permille: int = 50, **more) -> Offer:
    return Offer(
        id="member-day",
        title="会员日",
        effect=PercentOff(permille),
        phase=Phase.PRICE,
        group="member_day",
        **more,
    )


@pytest.mark.parametrize(
    ("amount", "payable"), [(19_999, 19_999), (20_000, 15_000), (20_001, 15_001)]
)
def test_a_coupon_begins_exactly_at_its_threshold(amount: int, payable: int) -> None:
    found = quote([line("a", amount)], [coupon("满200减50", 5_000, 20_000)], stacking=ALONE)

    assert found.payable == payable


def test_a_coupon_that_is_not_reached_says_what_is_missing() -> None:
    found = quote([line("a", 19_900)], [coupon("c", 5_000, 20_000)], stacking=ALONE)

    assert [(one.reason, one.missing) for one in found.not_used] == [("threshold", 100)]


def test_a_discount_is_spread_over_the_lines_by_largest_remainder() -> None:
    lines = [line("a", 400), line("b", 4_500)]
    found = quote(lines, [coupon("c", 500)], stacking=ALONE)

    assert [one.saved for one in found.lines] == [41, 459]
    assert found.savings[0].by_line == (("a", 41), ("b", 459))


def test_the_threshold_looks_at_what_price_offers_left() -> None:
    offers = [member_day(100), coupon("c", 3_000, 20_000)]

    assert quote([line("a", 22_222)], offers, stacking=ALONE).payable == 22_222 - 2_222 - 3_000
    # a fen below, both together are not possible and the better one is taken
    assert quote([line("a", 22_221)], offers, stacking=ALONE).payable == 22_221 - 3_000


def test_what_may_not_go_together_does_not() -> None:
    offers = [member_day(100, not_with=frozenset({"coupon"})), coupon("c", 3_000)]
    found = quote([line("a", 20_000)], offers, stacking=ALONE)

    assert [one.offer for one in found.savings] == ["c"]
    assert [(one.offer, one.reason) for one in found.not_used] == [("member-day", "no_better")]


def test_a_group_is_used_once_and_coupons_as_often_as_allowed() -> None:
    offers = [coupon("a", 100), coupon("b", 200), coupon("c", 300, group="platform")]
    lines = [line("x", 10_000)]

    assert quote(lines, offers, stacking=Stacking()).payable == 10_000 - 500
    assert quote(lines, offers, stacking=Stacking(per_group_max=2)).payable == 10_000 - 500
    more = Stacking(per_group_max=2, coupons_max=3)
    assert quote(lines, offers, stacking=more).payable == 10_000 - 600


def test_scope_holds_products_and_categories_and_keeps_away_from_labels() -> None:
    lines = [
        line("a", 1_000, product="tea"),
        line("b", 1_000, category="cups"),
        line("c", 1_000, category="cups", price_label="flash"),
        line("d", 1_000),
    ]
    scope = Scope(
        products=frozenset({"tea"}),
        categories=frozenset({"cups"}),
        not_labels=frozenset({"flash"}),
    )
    offer = Offer(id="half", title="half", effect=PercentOff(500), scope=scope)
    found = quote(lines, [offer], stacking=ALONE)

    assert [one.saved for one in found.lines] == [500, 500, 0, 0]
    nothing = Offer(id="n", title="n", effect=PercentOff(500), scope=Scope(products={"none"}))
    assert quote(lines, [nothing], stacking=ALONE).not_used[0].reason == "scope"


def test_a_percentage_is_rounded_down_and_capped() -> None:
    offers = [Offer(id="p", title="p", effect=PercentOff(333, most=300))]

    assert quote([line("a", 100)], offers, stacking=ALONE).payable == 67
    assert quote([line("a", 1_000)], offers, stacking=ALONE).payable == 700
    assert PercentOff(5_000).saves(100) == 100


def test_of_equal_savings_the_fewest_then_the_soonest_then_the_first_is_used() -> None:
    lines = [line("a", 1_000)]
    two_or_one = [coupon("a", 50), coupon("b", 50, group="platform"), coupon("c", 100)]
    assert [s.offer for s in quote(lines, two_or_one[:2], stacking=ALONE).savings] == ["a", "b"]
    alone = Stacking(coupons_max=1)
    late, soon = coupon("a", 50, expires_at=20), coupon("b", 50, expires_at=10)
    assert quote(lines, [late, soon, coupon("c", 50)], stacking=alone).savings[0].offer == "b"
    assert quote(lines, [coupon("y", 50), coupon("x", 50)], stacking=alone).savings[0].offer == "x"


def test_savings_count_from_the_list_price_and_gifts_cost_nothing() -> None:
    lines = [line("a", 800, 2, listed=1_000, price_label="room")]
    gift = GiftLine(product="cup", quantity=1, because_of="a")
    found = quote(lines, [coupon("c", 100)], stacking=ALONE, gifts=[gift])

    assert (found.list_total, found.amount, found.payable, found.saved) == (
        2_000,
        1_600,
        1_500,
        500,
    )
    assert found.gifts == (gift,)


@pytest.mark.parametrize(
    ("wanted", "amount", "rule", "taken"),
    [
        (640, 10_000, PointsRule(), (640, 640)),
        (9_000, 10_000, PointsRule(), (5_000, 5_000)),
        (1_999, 10_000, PointsRule(points_per_fen=10), (1_990, 199)),
        (100, 100, PointsRule(share_permille=1_000), (99, 99)),
        (-5, 100, PointsRule(), (0, 0)),
        (5, 1, PointsRule(share_permille=1_000), (0, 0)),
    ],
)
def test_points_pay_whole_fen_up_to_a_share(
    wanted: int, amount: int, rule: PointsRule, taken: tuple[int, int]
) -> None:
    assert points_worth(wanted, amount, rule) == taken


def test_points_are_not_taken_without_a_rule() -> None:
    found = quote([line("a", 1_000)], [], stacking=ALONE, points=500)

    assert (found.points, found.payable) == (0, 1_000)


@pytest.mark.parametrize("rule", [{"points_per_fen": 0}, {"share_permille": 1_001}])
def test_a_rule_that_gives_money_away_is_refused(rule: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="share_permille"):
        PointsRule(**rule)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [line("a", 100), line("a", 100)],
        [line("a", 0)],
        [line("a", 100, 0)],
        [line("a", 100, -1)],
        [line("a", 200, listed=100)],
        [line("a", 1.5)],
        [line("a", 10**11)],
        [line(f"{n}", 1) for n in range(LINES_MAX + 1)],
    ],
)
def test_a_cart_without_sense_is_refused(lines: list[CartLine]) -> None:
    with pytest.raises(Refused) as refused:
        quote(lines, [], stacking=ALONE)

    assert refused.value.code == "invalid"


def test_the_same_offer_twice_is_refused() -> None:
    with pytest.raises(Refused):
        quote([line("a", 100)], [coupon("c", 1), coupon("c", 1)], stacking=ALONE)


def test_a_heap_of_offers_is_weighed_by_what_each_saves_alone() -> None:
    offers = [coupon(f"c{n:03}", n + 1) for n in range(3 * OFFERS_MAX)]
    found = quote([line("a", 10_000)], offers, stacking=ALONE)

    assert found.savings[0].offer == f"c{3 * OFFERS_MAX - 1:03}"
    assert len(found.not_used) == 3 * OFFERS_MAX - 1


CATEGORIES = ["cups", "tea", None]
LINES = st.lists(
    st.builds(
        CartLine,
        id=st.uuids().map(str),
        product=st.sampled_from(["p", "q", "r"]),
        quantity=st.integers(1, 9),
        list_price=st.just(50_000),
        unit_price=st.integers(1, 50_000),
        category=st.sampled_from(CATEGORIES),
        price_label=st.sampled_from(["", "flash"]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one.id,
)
SCOPES = st.builds(
    Scope,
    products=st.frozensets(st.sampled_from(["p", "q"]), max_size=1),
    categories=st.frozensets(st.sampled_from(["cups"]), max_size=1),
    not_labels=st.frozensets(st.sampled_from(["flash"]), max_size=1),
)
OFFERS = st.lists(
    st.builds(
        Offer,
        id=st.uuids().map(str),
        title=st.just("offer"),
        effect=st.one_of(
            st.builds(AmountOff, st.integers(1, 20_000)),
            st.builds(PercentOff, st.integers(1, 1_000), st.one_of(st.none(), st.integers(1, 500))),
        ),
        phase=st.sampled_from(list(Phase)),
        group=st.sampled_from(["coupon", "platform", "member_day"]),
        not_with=st.frozensets(st.sampled_from(["coupon", "member_day"]), max_size=1),
        from_amount=st.integers(0, 60_000),
        scope=SCOPES,
        expires_at=st.one_of(st.none(), st.integers(1, 9)),
    ),
    max_size=4,
    unique_by=lambda one: one.id,
)
STACKINGS = st.builds(Stacking, per_group_max=st.integers(1, 2), coupons_max=st.integers(0, 3))


def check_sums(found: Quote) -> None:
    for one in found.lines:
        assert 0 <= one.payable <= one.amount
        assert one.amount == one.payable + one.saved + one.paid_by_points
    assert found.payable == sum(one.payable for one in found.lines) >= 1
    assert found.amount - found.payable - found.paid_by_points == sum(
        one.amount for one in found.savings
    )
    assert all(one.amount == sum(part for _, part in one.by_line) for one in found.savings)


@given(lines=LINES, offers=OFFERS, stacking=STACKINGS, points=st.integers(0, 10**6))
def test_every_fen_is_accounted_for(lines, offers, stacking, points) -> None:
    check_sums(quote(lines, offers, stacking=stacking, points=points, points_rule=PointsRule()))


@given(lines=LINES, offers=OFFERS, stacking=STACKINGS, seed=st.integers())
def test_the_order_of_lines_and_offers_plays_no_part(lines, offers, stacking, seed) -> None:
    before = quote(lines, offers, stacking=stacking)
    chance = random.Random(seed)
    chance.shuffle(lines)
    chance.shuffle(offers)

    assert quote(lines, offers, stacking=stacking) == before


def cheapest(amount: int, offers: list[Offer], stacking: Stacking) -> int:
    """Try every combination of offers on whole carts, reckoned the plain way."""
    found = amount
    for size in range(len(offers) + 1):
        for chosen in combinations(sorted(offers, key=lambda one: one.id), size):
            if stacking.allows(chosen):
                found = min(found, _after(amount, chosen))
    return found


def _after(amount: int, chosen: tuple[Offer, ...]) -> int:
    left = amount
    for phase in Phase:
        base = left
        for one in chosen:
            if one.phase is phase and base >= one.from_amount:
                left = max(1, left - one.effect.saves(base))
    return left


@given(lines=LINES, offers=OFFERS, stacking=STACKINGS)
def test_no_allowed_combination_is_better(lines, offers, stacking) -> None:
    whole = [dataclasses.replace(one, scope=Scope()) for one in offers]
    found = quote(lines, whole, stacking=stacking)

    assert found.payable == cheapest(sum(one.amount for one in lines), whole, stacking)


@given(lines=LINES, offers=OFFERS, stacking=STACKINGS)
def test_more_offers_never_make_it_dearer(lines, offers, stacking) -> None:
    found = quote(lines, offers, stacking=stacking)
    for left_out in offers:
        fewer = [one for one in offers if one is not left_out]
        assert found.payable <= quote(lines, fewer, stacking=stacking).payable


@given(lines=LINES, offers=OFFERS, stacking=STACKINGS)
def test_used_offers_may_go_together_and_the_others_say_why_not(lines, offers, stacking) -> None:
    found = quote(lines, offers, stacking=stacking)
    used = {one.offer for one in found.savings}

    assert stacking.allows([offer for offer in offers if offer.id in used])
    assert used | {one.offer for one in found.not_used} == {offer.id for offer in offers}
    assert not used & {one.offer for one in found.not_used}
