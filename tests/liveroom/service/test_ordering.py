"""Orders count in their room, thank the returning buyer once, and name nobody unasked."""

from pathlib import Path
from typing import Any

import pytest

from liveroom.domain.events import OrderPaid
from liveroom.domain.ids import DEFAULT_TENANT, ProductId, UserId
from liveroom.domain.orders import Product
from liveroom.domain.rooms import Room
from liveroom.store import journal, members, rooms, shop
from liveroom.store.database import open_store
from liveroom.store.journal import Place
from liveroom.store.port import Transaction
from tests.house import (
    MONDAY,
    ROOM,
    Clock,
    House,
    host,
    merchant_actor,
    open_house,
    order_draft,
    refusal,
    viewer,
)


async def place(house: House, draft: Any, key: str = "k", actor: Any = None) -> Any:
    actor = actor or merchant_actor()
    return await house.services.shopping.place_order(actor, draft, key)


async def stock_of(house: House) -> int | None:
    found = await house.store.run(lambda tx: shop.find_product(tx, "default", "p1"))
    assert found is not None
    return found.stock


async def test_the_third_order_in_a_room_is_thanked(house: House) -> None:
    await house.make_product()
    await house.make_member("u1", name="小明")
    assert [(await house.order(f"o{i}", "u1")).nth for i in (1, 2, 3)] == [1, 2, 3]
    await house.settle()
    assert [ritual.text for ritual in house.facts("ritual")] == [
        "感谢小明家人的第二次支持",
        "感谢小明家人的第三次支持",
    ]
    assert [event.n for event in house.heard if event.to is None] == [1, 2, 3, 4, 5]
    assert [(fact.tier, fact.before) for fact in house.facts("level")] == [("silver", "basic")]


async def test_three_evenings_are_one_count(house: House) -> None:
    await house.make_product()
    for evening in (1, 2, 3):
        await house.services.rooms.host_live(ROOM, UserId("h1"), f"s{evening}")
        receipt = await house.order(f"o{evening}", "u1")
        ended = await house.services.rooms.end(host(), ROOM)
        assert receipt.nth == evening
        assert ended is not None
        assert ended.report is not None
        assert (ended.report.orders, ended.report.revenue) == (1, 19_900)


async def test_a_ritual_is_never_repeated_by_replay_or_restart(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path}/store.db", Clock()
    async with open_house(url, clock=clock) as first:
        await first.make_room()
        await first.make_product()
        for i in (1, 2):
            await first.order(f"o{i}", "u1")
        await first.settle()
        assert len(first.facts("ritual")) == 1
    async with open_house(url, clock=clock, name="b") as second:
        assert (await second.order("o2", "u1")).nth == 2
        await second.settle()
        assert second.facts("ritual") == []
        assert (await second.order("o3", "u1")).nth == 3
        await second.settle()
        assert [ritual.nth for ritual in second.facts("ritual")] == [3]


async def test_what_a_crash_left_unpublished_is_published_at_the_next_start(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    store = await open_store(url)

    def leave(tx: Transaction) -> None:
        room = Room(
            id=ROOM, tenant=DEFAULT_TENANT, title="t", host=None, cover=None, language="zh",
            planned_at=None, created_at=0,
        )  # fmt: skip
        rooms.create(tx, room, epoch="e")
        paid = OrderPaid(product=ProductId("p1"), title="t")
        place = Place(tenant=DEFAULT_TENANT, room=ROOM, at=1)
        journal.append(tx, place, [paid], new_id=lambda: "left")

    await store.run(leave)
    await store.close()
    async with open_house(url) as house:
        assert [(event.id, event.n) for event in house.heard] == [("left", 1)]
    async with open_house(url) as again:
        assert again.heard == []


async def test_an_order_without_a_room_fires_nothing_but_counts_for_the_member(
    house: House,
) -> None:
    await house.make_product()
    receipt = await house.order("o1", "u1", room=None, unit_price=50_000)
    assert (receipt.nth, receipt.tier) == (0, "silver")
    await house.settle()
    assert house.heard == []
    assert (await house.order("o2", "u1")).nth == 1


async def test_an_unknown_user_becomes_a_member(house: House) -> None:
    await house.make_product()
    await house.order("o1", "stranger")
    member = await house.store.run(lambda tx: members.find(tx, "default", "stranger"))
    assert member is not None
    assert (member.orders, member.spent) == (1, 19_900)


@pytest.mark.parametrize(
    ("setting", "at_order", "named"),
    [(None, None, False), (True, None, True), (True, False, False), (None, True, True)],
)
async def test_the_buyer_is_named_only_with_consent(
    house: House, setting: bool | None, at_order: bool | None, named: bool
) -> None:
    await house.make_product()
    await house.make_member("u1", name="小明", public_orders=setting)
    await house.order("o1", "u1", public=at_order)
    await house.settle()
    (paid,) = house.facts("order")
    assert (paid.user, paid.name) == (("u1", "小明") if named else (None, None))
    assert (paid.product, paid.title) == ("p1", "连衣裙")


@pytest.mark.parametrize(
    ("setting", "at_order", "thanked"),
    [(None, None, 1), (False, None, 0), (False, True, 1), (None, False, 0)],
)
async def test_a_ritual_may_be_opted_out_of(
    house: House, setting: bool | None, at_order: bool | None, thanked: int
) -> None:
    await house.make_product()
    await house.make_member("u1", ritual=setting)
    await house.order("o1", "u1")
    await house.order("o2", "u1", ritual=at_order)
    await house.settle()
    assert len(house.facts("ritual")) == thanked


async def test_the_room_thanks_by_the_nickname_it_has_seen(house: House) -> None:
    await house.make_product()
    await house.make_member("u1", name="王小明")
    await house.services.rooms.enter(viewer("u1", name="阿明"), ROOM)
    for i in (1, 2):
        await house.order(f"o{i}", "u1")
    await house.settle()
    assert house.facts("ritual")[0].name == "阿明"


async def test_the_same_order_again_returns_its_receipt_and_another_one_is_refused(
    house: House,
) -> None:
    await house.make_product(stock=5)
    first = await house.order("o1", "u1", key="k1")
    assert await house.order("o1", "u1", key="k1") == first
    assert await house.order("o1", "u1", key="k2") == first
    assert await refusal(house.order("o1", "u1", key="k1", quantity=2)) == "idempotency_mismatch"
    assert await refusal(house.order("o1", "u1", key="k3", quantity=2)) == "exists"
    assert await refusal(house.order("o1", "u2", key="k4")) == "exists"
    assert await stock_of(house) == 4
    await house.settle()
    assert len(house.facts("order")) == 1


async def test_an_order_takes_all_of_its_stock_or_none(house: House) -> None:
    await house.make_product(stock=5)
    await house.make_product("p2", stock=1)
    lines = [
        order_draft("o", "u1", product=product, quantity=2).lines[0] for product in ("p1", "p2")
    ]
    draft = order_draft("o1", "u1", lines=tuple(lines))
    assert await refusal(place(house, draft)) == "out_of_stock"
    assert await stock_of(house) == 5


async def test_two_lines_of_one_product_share_its_stock(house: House) -> None:
    await house.make_product(stock=3)
    line = order_draft("o", "u1", quantity=2).lines[0]
    assert (
        await refusal(place(house, order_draft("o1", "u1", lines=(line, line)))) == "out_of_stock"
    )


@pytest.mark.parametrize("bad", [0, -1, 10**30, True, 1.5, float("nan"), "1", None])
@pytest.mark.parametrize("where", ["quantity", "unit_price"])
async def test_bad_amounts_are_refused_and_nothing_changes(
    house: House, where: str, bad: Any
) -> None:
    await house.make_product(stock=5)
    assert await refusal(house.order("o1", "u1", **{where: bad})) == "invalid"
    assert await stock_of(house) == 5
    member = await house.store.run(lambda tx: members.find(tx, "default", "u1"))
    assert member is None


async def test_only_the_shop_reports_orders_and_only_for_its_rooms(house: House) -> None:
    await house.make_product()
    draft = order_draft("o1", "u1")
    assert await refusal(place(house, draft, actor=viewer("u1"))) == "forbidden"
    assert await refusal(place(house, draft, actor=host())) == "forbidden"
    assert await refusal(place(house, draft, actor=merchant_actor("other"))) == "no_such_room"
    assert await refusal(place(house, order_draft("o", "u", product="p9"))) == "no_such_product"


async def test_two_shops_may_use_the_same_ids(house: House) -> None:
    await house.make_product()
    await house.order("o1", "u1", key="k")
    other = merchant_actor("other")
    await house.services.shopping.put_product(other, Product(id="p1", title="x", price=1))
    draft = order_draft("o1", "u1", room=None, unit_price=1)
    assert (await place(house, draft, key="k", actor=other)).total == 1


async def test_a_live_order_is_dated_by_the_server(house: House) -> None:
    await house.make_product()
    house.clock.pass_ms(5_000)
    await house.order("o1", "u1", paid_at=1)
    await house.order("o2", "u2", paid_at=1, room=None)
    rows = [
        await house.store.run(lambda tx, id=id: shop.find_order(tx, "default", id))
        for id in ("o1", "o2")
    ]
    assert [row.paid_at for row in rows if row is not None] == [MONDAY + 5_000, 1]
