"""A refund brings goods, money and counters back once; ordinals and rituals stay given."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from liveroom.domain.actors import Actor
from liveroom.domain.ids import OrderId, ProductId
from liveroom.domain.orders import CHECKOUT_TTL_MS, GiftOffer
from liveroom.domain.refunds import ATTEMPTS_MAX, RETRY_MS_MAX, RefundState, Returned
from liveroom.service.paying import RefundNotice
from liveroom.service.refunding import RefundReceipt
from liveroom.store import auditing
from tests.house import ROOM, House, host, merchant_actor, open_house, refusal, viewer


@pytest.fixture
async def house(tmp_path: Path) -> Any:
    async with open_house(f"sqlite:///{tmp_path}/store.db") as opened:
        await opened.make_room(host="h1")
        await opened.make_product(stock=5)
        await opened.make_member("u1", name="小明")
        yield opened


async def bought(house: House, *wanted: tuple[str, int], key: str = "k") -> str:
    receipt = await house.pay(await house.check_out("u1", *wanted, key=key))
    assert receipt is not None
    return receipt.id


async def refund(
    house: House,
    order: str,
    *asked: tuple[int, int],
    actor: Actor | None = None,
    key: str = "r",
    restock: bool = True,
    reason: str = "did not fit",
) -> RefundReceipt:
    return await house.services.refunding.refund(
        actor or merchant_actor(),
        OrderId(order),
        [Returned(line=line, quantity=quantity) for line, quantity in asked],
        reason=reason,
        restock=restock,
        key=key,
    )


async def test_a_whole_refund_brings_everything_back_but_the_ordinal(house: House) -> None:
    first = await bought(house)
    done = await refund(house, first)
    assert (done.amount, done.state, done.whole) == (19_900, RefundState.DUE, True)
    assert await house.stock() == 5
    assert await house.services.refunding.send_due() == 1
    assert list(house.cashier.refunds.values()) == [(f"pay-{first}", 19_900)]
    me = await house.services.members.me(viewer(), ROOM)
    assert me.card.orders == 0
    second = await house.pay(await house.check_out(key="k2"))
    assert second is not None
    assert second.nth == 2, "the second order is the second, whatever became of the first"
    await house.settle()
    assert [fact.nth for fact in house.facts("ritual")] == [2]
    assert [(fact.amount, fact.whole) for fact in house.facts("refund")] == [(19_900, True)]
    numbers = await house.services.numbers.of(host(), ROOM)
    assert (numbers["orders"], numbers["revenue"]) == (2, 19_900)
    assert await house.store.run(auditing.audit) == []


async def test_partial_refunds_sum_up_and_end(house: House) -> None:
    order = await bought(house, ("p1", 3))
    one = await refund(house, order, (0, 1), key="r1")
    rest = await refund(house, order, key="r2", restock=False)
    assert (one.amount, rest.amount, one.whole, rest.whole) == (19_900, 39_800, False, True)
    assert await house.stock() == 3
    assert await refusal(refund(house, order, key="r3")) == "nothing_to_refund"
    rows = await house.services.refunding.of_order(merchant_actor(), OrderId(order))
    assert [row.amount for row in rows] == [19_900, 39_800]


async def test_the_same_key_is_the_same_refund_and_many_at_once_are_no_more(house: House) -> None:
    order = await bought(house, ("p1", 3))
    twins = await asyncio.gather(*(refund(house, order, (0, 1)) for _ in range(5)))
    assert len(set(twins)) == 1
    assert await refusal(refund(house, order, (0, 2))) == "idempotency_mismatch"
    rivals = await asyncio.gather(
        *(refund(house, order, (0, 2), key=f"x{i}") for i in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, RefundReceipt) for one in rivals) == 1
    assert await house.stock() == 5


async def test_returning_what_came_with_a_gift_takes_the_gift_into_account(house: House) -> None:
    await house.make_product("cup", price=500, stock=9)
    await house.make_product(stock=5, gift=GiftOffer(product=ProductId("cup"), buy=1))
    order = await bought(house, ("p1", 2))
    assert await house.stock("cup") == 7
    kept = await refund(house, order, (0, 1), key="r1")
    assert kept.amount == 19_900 - 500
    brought = await refund(house, order, (0, 1), (1, 2), key="r2")
    assert kept.amount + brought.amount == 39_800
    assert (await house.stock("cup"), await house.stock()) == (9, 5)


async def test_money_is_sent_again_until_the_provider_takes_it(house: House) -> None:
    order = await bought(house)
    await refund(house, order)
    house.cashier.down = True
    for _ in range(3):
        assert await house.services.refunding.send_due() == 0
        house.clock.pass_ms(RETRY_MS_MAX)
    house.cashier.down = False
    assert await house.services.refunding.send_due() == 1
    assert await house.services.refunding.send_due() == 0
    assert len(house.cashier.refunds) == 1


async def test_after_many_tries_a_person_has_to_look(house: House) -> None:
    order = await bought(house)
    await refund(house, order)
    house.cashier.down = True
    for _ in range(ATTEMPTS_MAX + 2):
        await house.services.refunding.send_due()
        house.clock.pass_ms(RETRY_MS_MAX)
    (row,) = await house.services.refunding.of_order(merchant_actor(), OrderId(order))
    assert (row.state, row.attempts) == (RefundState.FAILED, ATTEMPTS_MAX)


async def test_the_provider_s_own_word_settles_it_once(house: House) -> None:
    done = await refund(house, await bought(house))
    notice = RefundNotice(refund=f"default/{done.id}", done=True)
    assert await house.services.refunding.noticed(notice)
    assert not await house.services.refunding.noticed(notice)
    assert await house.services.refunding.send_due() == 0
    assert house.cashier.refunds == {}


async def test_a_payment_whose_stock_is_gone_is_refunded_by_itself(house: House) -> None:
    late = await house.check_out("u1", ("p1", 5), key="late")
    house.clock.pass_ms(CHECKOUT_TTL_MS)
    await house.services.tick()
    await house.make_member("u2")
    assert await house.pay(await house.check_out("u2", ("p1", 1))) is not None
    assert await house.pay(late) is None
    assert await house.pay(late) is None
    house.clock.pass_ms(5_000)
    await house.services.tick()
    assert house.cashier.refunds == {f"default/{late.order}/late": (late.payment, 5 * 19_900)}
    assert await house.stock() == 4


async def test_orders_of_the_shop_s_own_till_are_paid_back_there(house: House) -> None:
    await house.order("o1", "u1")
    done = await refund(house, "o1")
    assert done.state is RefundState.OUTSIDE
    assert await house.services.refunding.send_due() == 0


@pytest.mark.parametrize(
    ("asked", "fields", "code"),
    [
        ([(0, 4)], {}, "invalid"),
        ([(9, 1)], {}, "invalid"),
        ([(0, 0)], {}, "invalid"),
        ([], {"reason": "x" * 201}, "invalid"),
        ([], {"actor": viewer()}, "forbidden"),
        ([], {"actor": host()}, "forbidden"),
        ([], {"actor": merchant_actor("other")}, "no_such_order"),
    ],
)
async def test_what_is_refused_changes_nothing(
    house: House, asked: list[tuple[int, int]], fields: dict[str, Any], code: str
) -> None:
    order = await bought(house, ("p1", 3))
    assert await refusal(refund(house, order, *asked, **fields)) == code
    assert await house.stock() == 2
    assert await house.services.refunding.of_order(merchant_actor(), OrderId(order)) == []
