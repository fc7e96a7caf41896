"""Coupons, levels, points and quotes on both stores: counted from the books, never twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from liveroom.domain.basket import Wanted
from liveroom.domain.coupons import CouponTemplate
from liveroom.domain.ids import ProductId, UserId
from liveroom.domain.levels import DAY_MS, Ladder
from liveroom.domain.orders import CHECKOUT_TTL_MS
from liveroom.domain.points import Earning
from liveroom.domain.pricing import Quote
from liveroom.domain.refunds import Returned
from liveroom.domain.refusals import Refused
from liveroom.domain.shop_rules import DiscountDay, ShopRules
from liveroom.domain.tiers import Thresholds, Tier
from liveroom.service.paying import PaymentNotice
from liveroom.service.quoting import Means
from tests.house import ROOM, House, merchant_actor, open_house, refusal, viewer

pytestmark = pytest.mark.slow

OFF_50 = CouponTemplate(id="off50", title="满200减50", off_fen=5_000, from_fen=20_000, cap=3)
RULES = ShopRules(earning=Earning(watch_ms=20_000))


@pytest.fixture
async def house(url: str) -> AsyncIterator[House]:
    async with open_house(url) as house:
        await house.make_room()
        await house.make_member("u1", name="小明")
        await house.make_product(price=20_000, stock=100)
        yield house


async def usage_of(house: House, id: str = "off50") -> tuple[int, int, int, int, int]:
    for one in await house.services.couponing.all(merchant_actor()):
        if one.template.id == id:
            used = one.usage
            return used.issued, used.held, used.reserved, used.redeemed, used.expired
    raise AssertionError(id)


async def quoted(house: House, quantity: int = 1, user: str = "u1", **means: Any) -> Quote:
    wanted = [Wanted(product=ProductId("p1"), quantity=quantity)]
    return await house.services.quoting.quote(viewer(user), ROOM, wanted, Means(**means))


async def points_of(house: House, user: str = "u1") -> tuple[int, int]:
    balance = await house.services.rewarding.balance(viewer(user))
    return balance.points, balance.pending


async def test_a_coupon_is_taken_once_and_seen_in_ones_hand(house: House) -> None:
    couponing = house.services.couponing
    assert await couponing.create(merchant_actor(), OFF_50) == OFF_50
    assert await couponing.create(merchant_actor(), OFF_50) == OFF_50
    other = replace(OFF_50, off_fen=6_000)
    assert await refusal(couponing.create(merchant_actor(), other)) == "exists"
    held = await couponing.claim(viewer(), ROOM, "off50", "k1")
    assert await couponing.claim(viewer(), ROOM, "off50", "k1") == held
    assert await refusal(couponing.claim(viewer(), ROOM, "off50", "k2")) == "claimed"
    assert [one.template.id for one in await couponing.held(viewer())] == ["off50"]
    assert [one.taken for one in await couponing.open_in(viewer(), ROOM)] == [True]
    await house.settle()
    assert [(fact.template, fact.why) for fact in house.facts("coupon")] == [("off50", "claim")]
    assert await usage_of(house) == (1, 1, 0, 0, 0)


async def test_of_many_who_want_the_last_coupons_exactly_so_many_get_one(house: House) -> None:
    await house.services.couponing.create(merchant_actor(), OFF_50)
    wishes = [
        house.services.couponing.claim(viewer(f"w{n}"), ROOM, "off50", "k") for n in range(12)
    ]
    answers = await asyncio.gather(*wishes, return_exceptions=True)
    codes = [answer.code for answer in answers if isinstance(answer, Refused)]

    assert codes == ["used_up"] * 9
    assert await usage_of(house) == (3, 3, 0, 0, 0)


async def test_who_may_not_have_a_coupon_gets_none(house: House) -> None:
    couponing = house.services.couponing
    at = house.clock.now
    for id, fields in {
        "gold": {"tier": Tier.GOLD},
        "shops": {"claimable": False},
        "later": {"since": at + 1},
        "over": {"since": 0, "until": at},
    }.items():
        await couponing.create(merchant_actor(), replace(OFF_50, id=id, **fields))
        assert await refusal(couponing.claim(viewer(), ROOM, id, f"k-{id}")) == "not_claimable"
    assert await couponing.open_in(viewer(), ROOM) == []
    assert await refusal(couponing.claim(viewer(), ROOM, "none", "k")) == "no_such_coupon"
    anonymous = viewer(anonymous=True)
    assert await refusal(couponing.claim(anonymous, ROOM, "off50", "k")) == "anonymous"
    given = await couponing.give(merchant_actor(), "shops", UserId("u1"), "g1")
    assert given.template.id == "shops"
    assert await refusal(couponing.give(viewer(), "shops", UserId("u1"), "g2")) == "forbidden"


async def test_an_expired_coupon_is_out_of_hand_and_in_the_books(house: House) -> None:
    await house.services.couponing.create(merchant_actor(), replace(OFF_50, valid_days=1))
    await house.services.couponing.claim(viewer(), ROOM, "off50", "k1")
    house.clock.pass_ms(DAY_MS)
    assert await house.services.couponing.held(viewer()) == []
    assert (await quoted(house)).payable == 20_000
    await house.services.housekeeping.expire()
    assert await usage_of(house) == (1, 0, 0, 0, 1)


async def test_a_quote_uses_the_best_coupon_and_says_why_not(house: House) -> None:
    couponing = house.services.couponing
    await couponing.create(merchant_actor(), OFF_50)
    big = replace(OFF_50, id="big", off_fen=9_000, from_fen=50_000)
    await couponing.create(merchant_actor(), big)
    for id in ("off50", "big"):
        await couponing.claim(viewer(), ROOM, id, id)
    one = await quoted(house)
    assert (one.payable, [saving.offer for saving in one.savings]) == (15_000, ["off50"])
    assert [(left.offer, left.missing) for left in one.not_used] == [("big", 30_000)]
    three = await quoted(house, 3)
    assert three.payable == 51_000
    none = await quoted(house, coupons=())
    assert none.payable == 20_000
    stranger = quoted(house, user="u2", coupons=("off50",))
    assert await refusal(stranger) == "no_such_coupon"


async def test_an_order_raises_the_level_at_once_and_gives_its_gift_once(house: House) -> None:
    await house.services.couponing.create(merchant_actor(), replace(OFF_50, claimable=False))
    rules = replace(RULES, level_gifts={Tier.SILVER: "off50"})
    await house.services.ruling.put(merchant_actor(), rules)
    assert (await house.order("o1", "u1", quantity=2, unit_price=20_000)).tier == "basic"
    assert (await house.order("o2", "u1", unit_price=10_000)).tier == "silver"
    assert (await house.order("o3", "u1", unit_price=10_000)).tier == "silver"
    await house.settle()
    moved = [(fact.move, fact.tier) for fact in house.facts("level")]
    assert moved == [("raised", "silver")]
    assert await usage_of(house) == (1, 1, 0, 0, 0)
    assert (await house.services.members.me(viewer(), ROOM)).card.tier is Tier.SILVER


async def test_a_quiet_year_lowers_after_grace_and_not_before(house: House) -> None:
    review = house.services.levelling.review_due
    await house.order("o1", "u1", unit_price=200_000)
    for days, tier in ((364, Tier.GOLD), (2, Tier.GOLD), (29, Tier.GOLD), (2, Tier.SILVER)):
        house.clock.pass_ms(days * DAY_MS)
        await review()
        assert (await house.services.members.me(viewer(), ROOM)).card.tier is tier, days
    assert await review() == 0


async def test_other_rules_are_tried_out_before_they_are_put_in_force(house: House) -> None:
    await house.order("o1", "u1", unit_price=60_000)
    dearer = Ladder(reach=Thresholds(silver=80_000, gold=200_000, diamond=500_000))
    shifts = await house.services.ruling.try_out(merchant_actor(), dearer)
    assert {(shift.now, shift.then): shift.people for shift in shifts} == {
        (Tier.SILVER, Tier.BASIC): 1
    }
    first = await house.services.ruling.of(merchant_actor())
    assert first.version == 0
    changed = await house.services.ruling.put(merchant_actor(), ShopRules(ladder=dearer))
    assert changed.version == 1
    assert (await house.services.ruling.put(merchant_actor(), changed.rules)).version == 1
    nobody_falls = (await house.services.members.me(viewer(), ROOM)).card.tier
    assert nobody_falls is Tier.SILVER
    wrong = replace(RULES, zone="Mars/Olympus")
    assert await refusal(house.services.ruling.put(merchant_actor(), wrong)) == "invalid"
    assert await refusal(house.services.ruling.put(viewer(), RULES)) == "forbidden"


async def test_an_order_earns_points_that_are_pending_until_it_is_final(house: House) -> None:
    await house.order("o1", "u1", unit_price=19_990)
    assert await points_of(house) == (0, 199)
    assert await house.services.rewarding.settle() == 0
    house.clock.pass_ms(7 * DAY_MS)
    assert await house.services.rewarding.settle() == 1
    assert await house.services.rewarding.settle() == 0
    assert await points_of(house) == (199, 0)
    paid = await quoted(house, points=10**6)
    assert (paid.points, paid.payable) == (199, 19_801)
    house.clock.pass_ms(365 * DAY_MS)
    assert await points_of(house) == (0, 0)


async def test_check_in_is_once_a_day_of_the_shop_and_streaks_grow(house: House) -> None:
    await house.services.ruling.put(merchant_actor(), RULES)
    rewarding = house.services.rewarding
    earned = []
    # The clock starts at 16:00 in Shanghai: eight hours to the next day of the shop.
    for hours in (0, 7, 1, 24, 48):
        house.clock.pass_ms(hours * 3_600_000)
        earned.append((await rewarding.check_in(viewer(), ROOM)).points)
    assert earned == [5, 0, 6, 7, 5]
    assert await points_of(house) == (23, 0)


async def test_watching_on_two_devices_is_paid_once(house: House) -> None:
    await house.services.ruling.put(merchant_actor(), RULES)
    earned = 0
    for _ in range(6):
        for _device in range(2):
            earned += (await house.services.rewarding.watching(viewer(), ROOM)).points
        house.clock.pass_ms(10_000)
    assert earned == RULES.earning.watch_points
    assert (await house.services.rewarding.watching(viewer(), ROOM)).done


async def test_three_different_lines_are_paid_soon_after(house: House) -> None:
    for text in ("好看", "好看", "多少钱", "要了"):
        await house.services.talking.say(viewer(), ROOM, text, None)
    assert await points_of(house) == (0, 0)
    assert await house.services.rewarding.count_lines() == 4
    assert await house.services.rewarding.count_lines() == 0
    assert await points_of(house) == (5, 0)


async def test_member_day_lowers_prices_for_those_it_is_meant_for(house: House) -> None:
    day = DiscountDay(day=23, permille=100)  # the clock starts on the 23rd
    await house.services.ruling.put(merchant_actor(), replace(RULES, member_day=day))
    assert (await quoted(house)).payable == 20_000
    await house.order("o1", "u1", unit_price=60_000)
    found = await quoted(house)
    assert (found.payable, found.savings[0].group) == (18_000, "member_day")
    house.clock.pass_ms(DAY_MS)
    assert (await quoted(house)).payable == 20_000


async def bought(house: House, quantity: int = 1, *, key: str = "b1", **means: Any) -> Any:
    wanted = [Wanted(product=ProductId("p1"), quantity=quantity)]
    return await house.services.shopping.checkout(viewer(), ROOM, wanted, key, Means(**means))


async def pay(house: House, checkout: Any) -> Any:
    notice = PaymentNotice(payment=checkout.payment, order=checkout.order, amount=checkout.amount)
    return await house.services.shopping.payment_settled(notice)


async def enrich(house: House) -> None:
    """Put a coupon and 10,000 points into somebody's hand."""
    await house.services.couponing.create(merchant_actor(), OFF_50)
    await house.services.couponing.claim(viewer(), ROOM, "off50", "k1")
    await house.order("rich", "u1", unit_price=1_000_000)
    house.clock.pass_ms(7 * DAY_MS)
    await house.services.rewarding.settle()


async def test_the_checkout_asks_for_what_was_quoted_and_uses_it_up_when_paid(
    house: House,
) -> None:
    await enrich(house)
    found = await quoted(house, points=3_000)
    checkout = await bought(house, points=3_000)
    assert checkout.amount == found.payable == 12_000
    assert await usage_of(house) == (1, 0, 1, 0, 0)
    assert (await points_of(house))[0] == 7_000
    receipt = await pay(house, checkout)
    assert receipt.total == 12_000
    assert await pay(house, checkout) == receipt
    assert await usage_of(house) == (1, 0, 0, 1, 0)
    assert await points_of(house) == (7_000, 120)


async def test_what_an_unpaid_checkout_set_aside_comes_back(house: House) -> None:
    await enrich(house)
    checkout = await bought(house, points=3_000)
    assert await refusal(bought(house, key="b2", coupons=("off50",))) == "no_such_coupon"
    await house.services.shopping.cancel(viewer(), checkout.order)
    assert await usage_of(house) == (1, 1, 0, 0, 0)
    assert (await points_of(house))[0] == 10_000


async def test_a_late_payment_uses_it_anew_or_is_sent_back(house: House) -> None:
    await enrich(house)
    late, later = await bought(house), await bought(house, key="b2", points=9_000)
    house.clock.pass_ms(CHECKOUT_TTL_MS)
    await house.services.shopping.expire_checkouts()
    assert (await pay(house, late)).total == 15_000
    assert await usage_of(house) == (1, 0, 0, 1, 0)
    again = await bought(house, key="b3", points=9_000)
    assert await pay(house, again) is not None
    assert await pay(house, later) is None, "its points are spent: the money goes back"


async def test_a_refund_returns_coupon_and_points_and_takes_earned_points_back(
    house: House,
) -> None:
    await enrich(house)
    checkout = await bought(house, 2, points=3_000)
    receipt = await pay(house, checkout)
    assert receipt.total == 32_000
    refund = house.services.refunding.refund
    one = [Returned(line=0, quantity=1)]
    half = await refund(merchant_actor(), checkout.order, one, reason="", restock=True, key="r1")
    assert (half.amount, half.whole) == (16_000, False)
    assert await points_of(house) == (8_500, 160)
    assert await usage_of(house) == (1, 0, 0, 1, 0)
    rest = await refund(merchant_actor(), checkout.order, [], reason="", restock=True, key="r2")
    assert (rest.amount, rest.whole) == (16_000, True)
    assert await points_of(house) == (10_000, 0)
    assert await usage_of(house) == (1, 1, 0, 0, 0)
