"""A room's goal is pushed by everybody's gifts and reached once; late gifts are still paid."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from liveroom.domain.ledger import chart
from liveroom.domain.tipping import Tipping
from liveroom.service.goals import LASTS_MS_MIN
from liveroom.service.ports import Policy
from tests.house import ROOM, House, host, merchant_actor, open_house, refusal, viewer

POLICY = Policy(tipping=Tipping(tip_max=500, remind_at=100, cooldown_ms=5_000))


@pytest.fixture
async def house(tmp_path: Path) -> Any:
    async with open_house(f"sqlite:///{tmp_path}/store.db", policy=POLICY) as opened:
        await opened.make_room(host="h1")
        for user in ("u1", "u2", "u3"):
            await opened.make_member(user, coins=1_000)
        yield opened


async def open_goal(house: House, target: int = 100, **fields: Any) -> Any:
    asked = {"title": "一起点亮", "target": target, "lasts_ms": LASTS_MS_MIN, **fields}
    return await house.services.goals.open(host(), ROOM, **asked)


async def give(house: House, user: str, key: str, gift: str = "tea", **fields: Any) -> Any:
    return await house.services.gifting.give(viewer(user), ROOM, gift, 1, key, **fields)


async def test_of_all_who_push_one_reaches_the_goal(house: House) -> None:
    await open_goal(house)
    users = [f"u{1 + number % 3}" for number in range(15)]
    receipts = await asyncio.gather(
        *(give(house, user, f"k{number}") for number, user in enumerate(users))
    )
    assert len({receipt.n for receipt in receipts}) == 15
    await house.settle()
    assert [fact.phase for fact in house.facts("goal")].count("reached") == 1
    assert len(house.facts("gift")) == 15
    assert await house.services.goals.current(ROOM) is None
    host_and_platform = [chart.pending_of("h1"), chart.PLATFORM]
    assert [await house.balance(one) for one in host_and_platform] == [105, 45]
    again = await open_goal(house)
    assert again.coins == 0


async def test_a_goal_ends_with_its_time_or_by_its_host(house: House) -> None:
    opened = await open_goal(house)
    assert await house.services.goals.current(ROOM) == opened
    assert await refusal(open_goal(house)) == "goal_open"
    house.clock.pass_ms(LASTS_MS_MIN)
    await give(house, "u1", "late")
    assert await house.services.goals.current(ROOM) is None
    await open_goal(house)
    assert await house.services.goals.end(host(), ROOM) is not None
    assert await house.services.goals.end(host(), ROOM) is None
    await house.settle()
    assert [fact.phase for fact in house.facts("goal")] == ["open", "ended", "open", "ended"]


@pytest.mark.parametrize(
    "fields",
    [{"target": 0}, {"target": -1}, {"target": 10**30}, {"target": 1.0}, {"target": True},
     {"title": ""}, {"title": "x" * 61}, {"lasts_ms": 1}, {"lasts_ms": 10**12}],
)  # fmt: skip
async def test_a_goal_of_nonsense_is_refused(house: House, fields: dict[str, Any]) -> None:
    assert await refusal(open_goal(house, **fields)) == "invalid"
    for actor in (viewer(), merchant_actor()):
        asked = house.services.goals.open(actor, ROOM, title="t", target=1, lasts_ms=LASTS_MS_MIN)
        assert await refusal(asked) == "forbidden"


async def test_tips_say_what_they_are_for_and_the_board_adds_them_up(house: House) -> None:
    await house.make_product("lip")
    await give(house, "u1", "k1", context="product:lip")
    await give(house, "u2", "k2", context="product:lip")
    await give(house, "u3", "k3", context="draw")
    numbers = await house.services.numbers.of(host(), ROOM)
    assert numbers["tips"] == {"draw": 10, "product:lip": 20}
    assert await refusal(give(house, "u1", "k4", context="product:none")) == "no_such_product"
    assert await refusal(give(house, "u1", "k5", context="anything")) == "invalid"
    assert await refusal(give(house, "u1", "k1")) == "idempotency_mismatch"
    await house.settle()
    assert [fact.context for fact in house.facts("gift")] == ["product:lip", "product:lip", "draw"]


async def test_who_tips_much_is_reminded_once_and_pauses(house: House) -> None:
    await give(house, "u1", "k0", "lantern")
    assert await refusal(give(house, "u1", "big", "carnival")) == "tip_too_large"
    await asyncio.gather(*(give(house, "u1", f"k{number}", "tea") for number in range(1, 4)))
    await give(house, "u1", "k4", "tea")
    assert await refusal(give(house, "u1", "k5")) == "cooling_down"
    await give(house, "u2", "other")
    await house.settle()
    (reminder,) = house.facts("tip_reminder")
    assert (reminder.coins, reminder.pause_ms) == (106, 5_000)
    house.clock.pass_ms(5_000)
    await give(house, "u1", "k6")
    await house.settle()
    assert len(house.facts("tip_reminder")) == 1


async def test_single_coins_are_shared_as_fairly_as_large_gifts(house: House) -> None:
    for number in range(20):
        await give(house, "u1", f"k{number}", "rose")
    assert await house.balance(chart.pending_of("h1")) == 14
    assert await house.balance(chart.PLATFORM) == 6
