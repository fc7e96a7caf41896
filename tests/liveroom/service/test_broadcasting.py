"""The host's media opens an evening, a drop pauses it, the end writes its report."""

from pathlib import Path

import pytest

from liveroom.domain.actors import Actor
from liveroom.domain.ids import UserId
from liveroom.domain.rooms import AWAY_MS_MAX, Phase
from tests.house import ROOM, Clock, House, host, merchant_actor, open_house, refusal, viewer

HOST = UserId("h1")


async def live(house: House, session: str = "s1", user: str = "h1") -> None:
    await house.services.rooms.host_live(ROOM, UserId(user), session)


async def phases(house: House) -> list[str]:
    await house.settle()
    return [fact.phase for fact in house.facts("broadcast")]


async def test_live_away_live_end(house: House) -> None:
    await live(house)
    await house.services.rooms.host_gone(ROOM, HOST, "s1")
    assert (await house.services.rooms.get(ROOM)).broadcast is not None
    assert not (await house.services.rooms.get(ROOM)).live
    await live(house, "s2")
    house.clock.pass_ms(60_000)
    ended = await house.services.rooms.end(host(), ROOM)
    assert await phases(house) == ["live", "away", "live", "ended"]
    assert len({fact.broadcast for fact in house.facts("broadcast")}) == 1
    assert ended is not None
    assert ended.report is not None
    assert (ended.phase, ended.report.duration_ms) == (Phase.ENDED, 60_000)
    stages = [[slot.live for slot in fact.slots] for fact in house.facts("stage")]
    assert stages == [[True], [False], [True], []]
    assert await house.services.rooms.end(host(), ROOM) is None


async def test_a_takeover_is_not_undone_by_the_old_sessions_end(house: House) -> None:
    await live(house, "s1")
    await live(house, "s2")
    await house.services.rooms.host_gone(ROOM, HOST, "s1")
    assert (await house.services.rooms.get(ROOM)).live
    assert await phases(house) == ["live"]


async def test_the_same_news_twice_is_one_event(house: House) -> None:
    await live(house)
    await live(house)
    await house.services.rooms.host_gone(ROOM, HOST, "s1")
    await house.services.rooms.host_gone(ROOM, HOST, "s1")
    assert await phases(house) == ["live", "away"]


async def test_the_report_counts_the_evening_only(house: House) -> None:
    await house.make_product()
    await house.make_member("u1", coins=1_000)
    await house.order("before", "u1")
    await house.services.talking.like(viewer(), ROOM, 5)
    await house.services.talking.write_likes()
    await live(house)
    await house.order("o1", "u1")
    await house.services.gifting.give(viewer(), ROOM, "tea", 2, "g")
    await house.services.talking.like(viewer(), ROOM, 3)
    await house.services.members.follow(viewer(), ROOM)
    entry = await house.services.rooms.enter(viewer(), ROOM)
    await house.services.recognising.arrived(entry)
    ended = await house.services.rooms.end(merchant_actor(), ROOM)
    assert ended is not None
    assert ended.report is not None
    report = ended.report
    assert (report.orders, report.revenue, report.gifts, report.gift_coins) == (1, 19_900, 2, 20)
    assert (report.likes, report.new_followers, report.visits) == (3, 1, 1)
    listed = await house.services.rooms.broadcasts(host(), ROOM)
    assert [broadcast.report for broadcast in listed] == [report]


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        (viewer(), "forbidden"),
        (merchant_actor("other"), "no_such_room"),
        (host(room="r2"), "other_room"),
    ],
)
async def test_who_may_not_end(house: House, actor: Actor, code: str) -> None:
    await live(house)
    assert await refusal(house.services.rooms.end(actor, ROOM)) == code
    assert (await house.services.rooms.get(ROOM)).live


async def test_a_host_away_for_too_long_has_gone_home(house: House) -> None:
    await live(house)
    await house.services.rooms.host_gone(ROOM, HOST, "s1")
    house.clock.pass_ms(AWAY_MS_MAX)
    await house.services.tick()
    assert (await house.services.rooms.get(ROOM)).broadcast is not None
    house.clock.pass_ms(60_000)
    await house.services.tick()
    assert (await house.services.rooms.get(ROOM)).broadcast is None
    assert await phases(house) == ["live", "away", "ended"]


async def test_after_a_restart_nobody_is_on_air_until_they_are_back(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path}/store.db", Clock()
    async with open_house(url, clock=clock) as first:
        await first.make_room()
        await live(first)
    async with open_house(url, clock=clock, name="b") as second:
        room = await second.services.rooms.get(ROOM)
        assert room.broadcast is not None
        assert room.broadcast.phase is Phase.AWAY
        await live(second, "s9")
        assert (await second.services.rooms.get(ROOM)).live


async def test_a_host_who_only_publishes_stands_on_stage_by_name(house: House) -> None:
    await house.services.rooms.introduce(host(name="小美"), ROOM)
    await live(house)
    await house.settle()
    assert [slot.name for slot in house.facts("stage")[-1].slots] == ["小美"]
