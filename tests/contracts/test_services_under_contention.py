"""Money and ordinals stay right when many ask at once, on SQLite and PostgreSQL alike."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from liveroom.domain.ids import RoomId
from liveroom.domain.refusals import Refused
from liveroom.service.paying import PaymentNotice
from liveroom.store import auditing, journal, shop
from tests.house import ROOM, House, open_house, viewer

CLIENTS = 50
STOCK = 20


@pytest.fixture
async def house(url: str) -> AsyncIterator[House]:
    async with open_house(url) as opened:
        await opened.make_room(host="h1")
        yield opened


async def stock_of(house: House, product: str = "p1") -> int | None:
    found = await house.store.run(lambda tx: shop.find_product(tx, "default", product))
    assert found is not None
    return found.stock


async def numbers_in(house: House) -> list[int | None]:
    kept = await house.store.run(lambda tx: journal.since(tx, "default", ROOM, 0))
    return [event.n for event in kept]


async def test_fifty_buyers_of_twenty_get_exactly_twenty(house: House) -> None:
    await house.make_product(stock=STOCK)
    results = await asyncio.gather(
        *(house.order(f"o{i}", f"u{i}") for i in range(CLIENTS)), return_exceptions=True
    )
    sold = [result for result in results if not isinstance(result, BaseException)]
    refused = [result.code for result in results if isinstance(result, Refused)]
    assert (len(sold), refused) == (STOCK, ["out_of_stock"] * (CLIENTS - STOCK))
    assert await stock_of(house) == 0
    assert await numbers_in(house) == list(range(1, STOCK + 1))


async def test_fifty_checkouts_of_twenty_reserve_exactly_twenty(house: House) -> None:
    await house.make_product(stock=STOCK)
    for i in range(CLIENTS):
        await house.make_member(f"u{i}")
    results = await asyncio.gather(
        *(house.check_out(f"u{i}") for i in range(CLIENTS)),
        return_exceptions=True,
    )
    assert sum(not isinstance(result, BaseException) for result in results) == STOCK
    assert len(house.cashier.asked) == STOCK


async def test_orders_of_one_member_at_once_are_thanked_once_each(house: House) -> None:
    await house.make_product()
    receipts = await asyncio.gather(*(house.order(f"o{i}", "u1") for i in range(10)))
    assert sorted(receipt.nth for receipt in receipts) == list(range(1, 11))
    await house.settle()
    assert sorted(ritual.nth for ritual in house.facts("ritual")) == list(range(2, 11))


async def test_one_gift_asked_for_by_many_twins_is_one_gift(house: House) -> None:
    await house.make_member("u1", coins=100)
    give = house.services.gifting.give
    receipts = await asyncio.gather(
        *(give(viewer("u1"), ROOM, "tea", 1, "same") for _ in range(10))
    )
    assert len(set(receipts)) == 1
    assert receipts[0].coins_left == 90
    await house.settle()
    assert len(house.facts("gift")) == 1


async def test_gifts_of_many_to_one_host_all_arrive_and_sum_to_zero(house: House) -> None:
    for i in range(10):
        await house.make_member(f"u{i}", coins=30)
    give = house.services.gifting.give
    results = await asyncio.gather(
        *(give(viewer(f"u{i % 10}"), ROOM, "tea", 1, f"k{i}") for i in range(50)),
        return_exceptions=True,
    )
    refused = [result.code for result in results if isinstance(result, Refused)]
    assert refused == ["not_enough_coins"] * 20
    assert await numbers_in(house) == list(range(1, 31))
    assert await house.store.run(auditing.audit) == []


async def test_a_payment_told_many_times_at_once_is_one_order(house: House) -> None:
    await house.make_product(stock=5)
    await house.make_member("u1")
    checkout = await house.check_out("u1", ("p1", 2))
    notice = PaymentNotice(payment=checkout.payment, order=checkout.order, amount=checkout.amount)
    receipts = await asyncio.gather(
        *(house.services.shopping.payment_settled(notice) for _ in range(8))
    )
    assert len(set(receipts)) == 1
    assert await stock_of(house) == 3
    await house.settle()
    assert len(house.facts("order")) == len(house.facts("receipt")) == 1


async def test_rooms_do_not_wait_for_each_other_in_vain(house: House) -> None:
    await house.make_room("r2", host="h2")
    await house.make_member("u1", coins=1_000)
    give = house.services.gifting.give
    await asyncio.gather(
        *(
            give(viewer("u1", room), RoomId(room), "rose", 1, f"{room}{i}")
            for i in range(10)
            for room in ("r1", "r2")
        )
    )
    assert await numbers_in(house) == list(range(1, 11))
