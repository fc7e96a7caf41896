"""Returning customers are recognised to the host alone, welcomed, and counted once a visit."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from liveroom.domain.actors import Actor, Role
from liveroom.domain.ids import UserId
from liveroom.domain.recognition import DAY_MS, QueuePolicy
from liveroom.service.ports import Policy
from liveroom.service.recognising import CROWD
from tests.house import ROOM, House, host, merchant_actor, open_house, refusal, viewer


async def arrive(house: House, actor: Actor | None = None) -> Any:
    entry = await house.services.rooms.enter(actor or viewer(), ROOM)
    await house.services.recognising.arrived(entry)
    return entry


async def bought(house: House, user: str = "u1", times: int = 1) -> None:
    await house.make_product()
    for i in range(times):
        await house.order(f"{user}-{i}", user)
    await house.settle()
    house.heard.clear()


async def test_a_returning_customer_is_shown_to_the_host_and_welcomed(house: House) -> None:
    await bought(house, times=3)
    house.clock.pass_ms(12 * DAY_MS)
    await arrive(house, viewer(name="阿明"))
    (card,) = house.facts("recognised")
    assert (card.user, card.name, card.tier, card.orders, card.visits) == (
        "u1", "阿明", "silver", 3, 1,
    )  # fmt: skip
    assert (card.last.product, card.last.days, card.prefers) == ("p1", 12, ("连衣裙",))
    assert "12天前" in card.suggest
    (welcome,) = [event for event in house.heard if event.fact.KIND == "welcome_back"]
    assert (welcome.to, welcome.fact.orders, welcome.fact.tier) == ("u1", 3, "silver")
    assert [fact.user for fact in house.facts("enter")] == ["u1"]
    assert all(event.n is None for event in house.heard)


async def test_history_without_a_room_counts_as_well(house: House) -> None:
    await house.make_product()
    await house.order("o1", "u1", room=None)
    await arrive(house)
    assert [card.orders for card in house.facts("recognised")] == [1]


async def test_a_stranger_is_announced_but_not_recognised(house: House) -> None:
    await arrive(house)
    assert [event.fact.KIND for event in house.heard] == ["enter"]


@pytest.mark.parametrize("role", [Role.HOST, Role.MODERATOR, Role.MERCHANT, Role.ADMIN])
async def test_those_who_work_here_are_no_customers(house: House, role: Role) -> None:
    await bought(house)
    await arrive(house, Actor(user=UserId("u1"), role=role, room=ROOM))
    assert house.heard == []


async def test_an_anonymous_visitor_is_nobody(house: House) -> None:
    await bought(house)
    await arrive(house, viewer(anonymous=True))
    assert house.heard == []


async def test_a_visit_counts_once_per_broadcast_and_once_per_day_without_one(
    house: House,
) -> None:
    async def visits() -> int:
        await arrive(house)
        return int((await house.services.rooms.enter(viewer(), ROOM)).you.visits)

    assert [await visits(), await visits()] == [1, 1]
    house.clock.pass_ms(DAY_MS)
    assert await visits() == 2
    await house.services.rooms.host_live(ROOM, UserId("h1"), "s1")
    assert [await visits(), await visits()] == [3, 3]
    await house.services.rooms.end(host(), ROOM)
    assert await visits() == 3
    await house.services.rooms.host_live(ROOM, UserId("h1"), "s2")
    assert await visits() == 4


async def test_a_flood_reaches_the_host_ranked_and_slowly(tmp_path: Path) -> None:
    policy = Policy(queue=QueuePolicy(cards_max=10, per_second=2))
    async with open_house(f"sqlite:///{tmp_path}/s.db", policy=policy) as house:
        await house.make_room()
        await house.make_product()
        for i in range(15):
            await house.order(f"o{i}", f"u{i}", room=None, unit_price=20_000 * (i + 1))
        await asyncio.gather(*(arrive(house, viewer(f"u{i}")) for i in range(15)))
        assert len(house.facts("recognised")) == 2
        assert len(house.services.recognising.current(ROOM)) == 10
        tiers = []
        for _ in range(4):
            house.clock.pass_ms(1_000)
            await house.services.tick()
            tiers = [card.tier for card in house.facts("recognised")][2:]
        assert len(tiers) == 8
        order = ["gold", "silver", "basic"]
        assert tiers == sorted(tiers, key=order.index)
        assert len(house.facts("welcome_back")) == 15


async def test_cards_go_stale_and_are_forgotten(house: House) -> None:
    await bought(house)
    await arrive(house)
    house.clock.pass_ms(QueuePolicy().expiry_ms)
    await house.services.tick()
    assert house.services.recognising.current(ROOM) == ()


async def test_in_a_crowd_only_customers_are_announced(house: House) -> None:
    await bought(house)
    house.online[ROOM] = CROWD + 1
    await arrive(house, viewer("stranger"))
    await arrive(house)
    assert [fact.user for fact in house.facts("enter")] == ["u1"]


async def test_the_host_thanks_and_the_card_is_done(house: House) -> None:
    await bought(house)
    await arrive(house, viewer(name="阿明"))
    house.heard.clear()
    await house.services.recognising.thank(host(name="主播"), ROOM, UserId("u1"))
    (said,) = house.facts("danmaku")
    assert (said.user, said.badge, said.text) == ("h1", "host", "感谢阿明家人回来支持")
    assert house.services.recognising.current(ROOM) == ()


@pytest.mark.parametrize(
    ("actor", "user", "code"),
    [
        (viewer(), "u1", "forbidden"),
        (merchant_actor(), "u1", "forbidden"),
        (host(room="r2"), "u1", "other_room"),
        (host(), "stranger", "no_such_user"),
    ],
)
async def test_who_may_not_thank_whom(house: House, actor: Actor, user: str, code: str) -> None:
    await bought(house)
    thank = house.services.recognising.thank(actor, ROOM, UserId(user))
    assert await refusal(thank) == code
    assert house.heard == []
