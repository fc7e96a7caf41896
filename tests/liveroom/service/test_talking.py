"""What is said is heard with the speaker's nickname and standing; likes add up and are kept."""

from pathlib import Path
from typing import Any

import pytest

from liveroom.domain.actors import Actor, Role
from liveroom.domain.answers import ANSWERS_WITHIN_MS
from liveroom.domain.ids import UserId
from liveroom.service.talking import ANSWER_WEIGHT
from tests.house import ROOM, Clock, House, host, merchant_actor, open_house, refusal, viewer


async def say(house: House, actor: Actor | None = None, text: str = "你好", cid: str = "c1") -> Any:
    return await house.services.talking.say(actor or viewer(), ROOM, text, cid)


async def test_a_line_is_heard_at_once_with_its_senders_command_id(house: House) -> None:
    said = await say(house, viewer(name="阿明"))
    (event,) = house.heard
    assert (event.id, event.cid, event.n) == (said.id, "c1", None)
    assert (event.fact.user, event.fact.name, event.fact.text) == ("u1", "阿明", "你好")
    assert (said.text, event.fact.badge) == ("你好", None)


async def test_buyers_and_levels_weigh_more_and_wear_their_badge(house: House) -> None:
    await house.make_product()
    await house.order("o1", "u1", unit_price=200_000)
    await say(house, viewer("u1"))
    await say(house, viewer("u2"))
    await say(house, host())
    await say(house, Actor(user=UserId("m"), role=Role.MODERATOR, room=ROOM))
    gold, stranger, *staff = house.facts("danmaku")
    assert (gold.badge, gold.weight) == ("gold", 4.0)
    assert (stranger.badge, stranger.weight, stranger.name) == (None, 1.0, "u***2")
    assert [fact.badge for fact in staff] == ["host", "moderator"]


async def test_answers_to_the_host_weigh_more(house: House) -> None:
    def weights() -> list[float]:
        return [fact.weight for fact in house.facts("danmaku")]

    await say(house, text="要一件")
    await say(house, text="@主播 要两件")
    await say(house, host(name="Mei"), text="上链接吗？")
    await say(house, text="要三件")
    house.clock.pass_ms(ANSWERS_WITHIN_MS + 1)
    await say(house, text="要四件")
    assert weights() == [1.0, 1.0 + ANSWER_WEIGHT, 1.0, 1.0 + ANSWER_WEIGHT, 1.0]


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        (viewer(anonymous=True), "anonymous"),
        (viewer(room="r2"), "other_room"),
        (merchant_actor("other"), "no_such_room"),
    ],
)
async def test_who_may_not_talk_or_like(house: House, actor: Actor, code: str) -> None:
    assert await refusal(say(house, actor)) == code
    assert await refusal(house.services.talking.like(actor, ROOM, 1)) == code
    assert (house.heard, house.likes) == ([], 0)


async def test_likes_add_up_and_survive_a_restart(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path}/store.db", Clock()
    async with open_house(url, clock=clock) as first:
        await first.make_room()
        assert await first.services.talking.like(viewer(), ROOM, 3) == 3
        assert await first.services.talking.like(viewer("u2"), ROOM, 4) == 7
        assert first.likes == 7
    async with open_house(url, clock=clock, name="b") as second:
        assert await second.services.talking.like(viewer(), ROOM, 1) == 8


async def test_likes_are_written_once_each(house: House) -> None:
    for _ in range(3):
        await house.services.talking.like(viewer(), ROOM, 2)
        house.clock.pass_ms(2_000)
        await house.services.tick()
        await house.services.tick()
    assert (await house.services.numbers.of(host(), ROOM))["likes"] == 6
    entry = await house.services.rooms.enter(viewer(), ROOM)
    assert entry.snapshot.counters.likes == 6


@pytest.mark.parametrize("count", [0, -1, 101, True, 1.5])
async def test_likes_come_in_bounded_numbers(house: House, count: Any) -> None:
    assert await refusal(house.services.talking.like(viewer(), ROOM, count)) == "invalid"
    assert house.likes == 0


async def test_messages_per_second_are_those_of_the_last_ten(house: House) -> None:
    for _ in range(20):
        await say(house)
    assert house.services.talking.messages_per_s(ROOM) == 2.0
    house.clock.pass_ms(9_000)
    assert house.services.talking.messages_per_s(ROOM) == 2.0
    house.clock.pass_ms(1_000)
    assert house.services.talking.messages_per_s(ROOM) == 0.0
