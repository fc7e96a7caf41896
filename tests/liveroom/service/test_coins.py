"""Bought coins keep their price: refunds, charge-backs and guardians find them again."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from liveroom.domain.actors import Actor, AgeBand
from liveroom.domain.coins import BONUS_TTL_MS, EARNINGS_HOLD_MS, CaseState
from liveroom.domain.ids import OrderId, UserId
from liveroom.domain.ledger import chart
from liveroom.domain.ledger.reversals import debt_of
from liveroom.domain.orders import Checkout
from liveroom.service.paying import PaymentOutcome
from liveroom.service.unwinding import GIFTS_AT_ONCE
from liveroom.store import auditing
from tests.house import ROOM, House, host, merchant_actor, open_house, refusal, viewer

WALLET = chart.wallet_of(UserId("u1"))
PENDING, AVAILABLE = chart.pending_of("h1"), chart.available_of("h1")
BACK = PaymentOutcome.CHARGED_BACK


@pytest.fixture
async def house(tmp_path: Path) -> Any:
    async with open_house(f"sqlite:///{tmp_path}/store.db") as opened:
        await opened.make_room(host="h1")
        await opened.make_member("u1")
        yield opened
        assert await opened.store.run(auditing.audit) == []


async def give(house: House, coins: int, key: str, user: str = "u1") -> None:
    await house.services.gifting.give(viewer(user), ROOM, "rose", coins, key)


async def mature(house: House) -> int:
    house.clock.pass_ms(EARNINGS_HOLD_MS)
    return await house.services.earning.mature()


async def unwind(house: House) -> None:
    while await house.services.unwinding.step():
        pass


async def refund(house: House, opened: Checkout, key: str = "r", **fields: Any) -> Any:
    actor = fields.get("actor", merchant_actor())
    return await house.services.coins.refund(actor, opened.order, "asked for", key)


async def test_the_provider_s_word_brings_the_coins_once(house: House) -> None:
    opened = await house.buy_coins(pack="coins-300")
    assert (opened.amount, await house.balance(WALLET)) == (3_000, 310)
    answers = await asyncio.gather(*(house.tell(opened) for _ in range(5)))
    assert set(answers) == {opened.order}
    assert await house.balance(WALLET) == 310
    assert await house.services.coins.buy(viewer(), ROOM, "coins-300", "k") == opened
    await house.settle()
    (bought,) = house.facts("coins")
    assert (bought.coins, bought.coins_left) == (310, 310)


async def test_coins_on_top_end_and_bought_ones_do_not(house: House) -> None:
    await house.buy_coins(pack="coins-300")
    await give(house, 4, "g")
    house.clock.pass_ms(BONUS_TTL_MS)
    await house.services.tick()
    assert await house.balance(WALLET) == 300
    assert await house.balance(chart.expired_of("coins")) == 6


async def test_what_is_left_of_a_purchase_goes_back_at_its_price(house: House) -> None:
    opened = await house.buy_coins(pack="coins-300")
    await give(house, 110, "g")  # ten of them from those on top
    done = await refund(house, opened)
    assert (done.amount, await house.balance(WALLET)) == (2_000, 0)
    assert await refund(house, opened) == done
    assert await refusal(refund(house, opened, key="r2")) == "nothing_to_refund"
    await house.services.refunding.send_due()
    assert list(house.cashier.refunds.values()) == [(opened.payment, 2_000)]
    assert await house.tell(opened) is None, "paid, told again after its refund, brings nothing"


@pytest.mark.parametrize(
    ("actor", "pack", "code"),
    [
        (viewer("child"), "coins-60", "age_unconfirmed"),
        (viewer("stranger"), "coins-60", "age_unconfirmed"),
        (viewer(age_band=AgeBand.MINOR), "coins-60", "age_unconfirmed"),
        (viewer(anonymous=True), "coins-60", "anonymous"),
        (viewer(), "coins-61", "no_such_pack"),
        (viewer(tenant="other"), "coins-60", "no_such_room"),
        (host(), "coins-60", "forbidden"),
    ],
)
async def test_who_may_not_buy(house: House, actor: Actor, pack: str, code: str) -> None:
    await house.make_member("child", age_band=AgeBand.MINOR)
    assert await refusal(house.services.coins.buy(actor, ROOM, pack, "k")) == code
    assert house.cashier.asked == []


@pytest.mark.parametrize(
    ("changes", "code"), [({"amount": 1}, "invalid"), ({"payment": "other"}, "no_such_order")]
)
async def test_a_forged_notice_brings_nothing(
    house: House, changes: dict[str, Any], code: str
) -> None:
    opened = await house.services.coins.buy(viewer(), ROOM, "coins-60", "k")
    assert await refusal(house.tell(opened, **changes)) == code
    assert await house.tell(opened, outcome=PaymentOutcome.FAILED) is None
    assert await house.balance(WALLET) == 0


async def test_earnings_are_pending_until_nobody_can_take_them_back(house: House) -> None:
    await house.buy_coins()
    await give(house, 50, "g1")
    assert (await house.balance(PENDING), await house.balance(AVAILABLE)) == (35, 0)
    assert await house.services.earning.mature() == 0
    assert await mature(house) == 35
    await give(house, 10, "g2")
    assert await house.services.earning.mature() == 0
    shown = await house.services.earning.of(host())
    assert (shown.pending, shown.available, shown.owed) == (7, 35, 0)
    assert await refusal(house.services.earning.of(viewer())) == "forbidden"


async def test_a_charge_back_takes_pending_earnings_back(house: House) -> None:
    opened = await house.buy_coins()
    await give(house, 50, "g1")
    await house.tell(opened, outcome=BACK)
    await unwind(house)
    assert await house.tell(opened, outcome=BACK) is None
    for account in (WALLET, PENDING, chart.PLATFORM, chart.ISSUER):
        assert await house.balance(account) == 0
    assert await mature(house) == 0


async def test_a_host_who_has_it_no_longer_owes_it_and_pays_with_what_comes(house: House) -> None:
    opened = await house.buy_coins()
    await give(house, 60, "g1")
    assert await mature(house) == 42
    await pay_out(house, 30)
    await house.tell(opened, outcome=BACK)
    await unwind(house)
    shown = await house.services.earning.of(host())
    assert (shown.available, shown.owed) == (0, 30)
    await house.make_member("u2", coins=100)
    await give(house, 100, "g2", user="u2")
    assert await mature(house) == 70
    shown = await house.services.earning.of(host())
    assert (shown.available, shown.owed) == (40, 0)


async def pay_out(house: House, coins: int) -> None:
    from liveroom.domain.ledger import Account, Bundle, Transfer
    from liveroom.store import posting

    transfer = Transfer(AVAILABLE, Account("world", "coins", "paid-out"), coins)
    bundle = Bundle(id="payout", cause="payout", ref="p", transfers=(transfer,))
    await house.store.run(lambda tx: posting.post_bundle(tx, "default", bundle, at=1))


async def test_many_gifts_are_taken_back_a_few_at_a_time(house: House) -> None:
    opened = await house.buy_coins()
    for number in range(GIFTS_AT_ONCE + 5):
        await give(house, 1, f"g{number}")
    await house.tell(opened, outcome=BACK)
    assert await house.services.unwinding.step() == GIFTS_AT_ONCE
    assert await house.balance(WALLET) == 0, "what comes back is not there to be spent again"
    assert await house.services.unwinding.step() == 5
    assert await house.services.unwinding.step() == 0
    assert await house.balance(PENDING) == 0


async def test_a_guardian_s_case_takes_two_people_and_brings_everything_back(
    house: House,
) -> None:
    opened = await house.buy_coins()
    await give(house, 40, "g1")
    unwinding, at = house.services.unwinding, house.clock.now
    case = await unwinding.open(
        merchant_actor(), UserId("u1"), since=0, until=at, reason="a child paid", key="c"
    )
    assert await refusal(unwinding.decide(merchant_actor(), case.id, approve=True, note="")) == (
        "forbidden"
    )
    boss = Actor(user=UserId("boss"), role=merchant_actor().role, room=merchant_actor().room)
    decided = await unwinding.decide(boss, case.id, approve=True, note="seen the papers")
    assert decided.state is CaseState.WORKING
    assert await refusal(unwinding.decide(boss, case.id, approve=False, note="")) == "case_decided"
    await unwind(house)
    (done,) = await unwinding.listed(boss)
    assert (done.state, done.coins, done.amount) == (CaseState.DONE, 40, 600)
    for account in (WALLET, PENDING, chart.PLATFORM, chart.ISSUER):
        assert await house.balance(account) == 0
    await house.services.refunding.send_due()
    assert list(house.cashier.refunds.values()) == [(opened.payment, 600)]
    assert await refusal(house.services.coins.buy(viewer(), ROOM, "coins-60", "k2")) == (
        "age_unconfirmed"
    )


async def test_a_refused_case_changes_nothing(house: House) -> None:
    await house.buy_coins()
    unwinding = house.services.unwinding
    for actor, fields, code in (
        (viewer(), {}, "forbidden"),
        (merchant_actor("other"), {}, "no_such_user"),
        (merchant_actor(), {"until": -1}, "invalid"),
        (merchant_actor(), {"reason": ""}, "invalid"),
    ):
        asked = {"since": 0, "until": 5, "reason": "r", "key": "c", **fields}
        assert await refusal(unwinding.open(actor, UserId("u1"), **asked)) == code
    case = await unwinding.open(
        merchant_actor(), UserId("u1"), since=0, until=10**13 // 10, reason="r", key="c"
    )
    boss = Actor(user=UserId("boss"), role=merchant_actor().role, room=merchant_actor().room)
    await unwinding.decide(boss, case.id, approve=False, note="no papers")
    await unwind(house)
    assert await house.balance(WALLET) == 60
    assert await refusal(unwinding.decide(boss, "none", approve=True, note="")) == "no_such_case"


async def test_what_a_buyer_owes_is_paid_with_the_next_purchase(house: House) -> None:
    from liveroom.domain.ledger import Account, Bundle, Transfer
    from liveroom.store import posting

    opened = await house.buy_coins()
    spent = Transfer(WALLET, Account("shop", "coins", "question"), 25)
    bundle = Bundle(id="question", cause="question", ref="q", transfers=(spent,))
    await house.store.run(lambda tx: posting.post_bundle(tx, "default", bundle, at=1))
    await house.tell(opened, outcome=BACK)
    await unwind(house)
    assert await house.balance(debt_of(WALLET)) == -25
    again = await house.buy_coins(key="k2")
    assert (await house.balance(debt_of(WALLET)), await house.balance(WALLET)) == (0, 35)
    assert (await refund(house, again)).amount == 350


async def test_orders_are_no_coins_and_coins_no_orders(house: House) -> None:
    await house.make_product()
    goods = await house.check_out()
    assert await house.tell(goods) == goods.order
    assert await refusal(refund(house, goods)) == "no_such_order"
    assert await refusal(house.tell(goods, outcome=BACK)) == "invalid"
    coins = await house.buy_coins()
    refunding = house.services.refunding.refund(
        merchant_actor(), OrderId(coins.order), [], reason="", restock=True, key="x"
    )
    assert await refusal(refunding) == "no_such_order"
