"""Order in a room reads the same from SQLite and from PostgreSQL."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from liveroom.domain.actors import Actor, Role
from liveroom.domain.ids import DEFAULT_TENANT, EventId, RoomId, UserId
from liveroom.domain.moderation import DAY_MS, Act, Bar, ReportState
from liveroom.domain.refusals import Refused
from liveroom.domain.wording import Word, WordAction
from liveroom.service.access import Access
from liveroom.service.reviewing import OPEN_MAX
from liveroom.service.standing import FRESH_MS, Standing
from liveroom.store.port import Store
from tests.house import ROOM, Clock, House, host, merchant_actor, open_house, refusal, viewer

MODERATOR = Actor(user=UserId("mo"), role=Role.MODERATOR, room=ROOM)
TROLL = UserId("troll")


async def say(house: House, text: str, user: str = "troll", **fields: Any) -> Any:
    return await house.services.talking.say(viewer(user, **fields), ROOM, text, "c")


async def mute(house: House, actor: Actor = MODERATOR, **more: Any) -> Any:
    return await house.services.moderating.sanction(actor, ROOM, TROLL, Act.MUTE, **more)


def listed(*words: str, action: WordAction = WordAction.MASK) -> dict[str, Any]:
    return {"add": [Word(word=word, action=action) for word in words], "remove": []}


async def test_a_mute_silences_until_it_is_over_or_taken_back(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        await say(house, "before")
        await mute(house, ms=60_000, reason="spam")
        with pytest.raises(Refused) as refused:
            await say(house, "during")
        assert (refused.value.code, refused.value.retry_ms) == ("muted", 60_000)
        entry = await house.services.rooms.enter(viewer("troll"), ROOM)
        assert entry.mute is not None
        assert entry.mute.until == house.clock() + 60_000
        house.clock.pass_ms(60_000)
        await say(house, "after")
        await mute(house)
        assert await house.services.moderating.lift(MODERATOR, ROOM, TROLL, Act.UNMUTE)
        assert not await house.services.moderating.lift(MODERATOR, ROOM, TROLL, Act.UNMUTE)
        await say(house, "again")
        await house.settle()
        assert [fact.text for fact in house.facts("danmaku")] == ["before", "after", "again"]
        personal = [event for event in house.heard if event.fact.KIND == "sanction"]
        assert [event.pn for event in personal] == [1, 2, 3]
        assert {event.to for event in personal} == {TROLL}
        missed = await house.services.rooms.missed(
            viewer("troll"), ROOM, entry.epoch, entry.offset, 0
        )
        assert missed is not None
        assert [event.fact for event in missed.personal_events] == [
            event.fact for event in personal
        ]


async def test_who_is_out_can_do_nothing_in_the_room(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        await house.make_room("r2")
        await house.make_member("troll", coins=10)
        services, troll = house.services, viewer("troll")
        await services.moderating.sanction(host(), ROOM, TROLL, Act.BAN, reason="fraud")
        for asked in (
            services.rooms.enter(troll, ROOM),
            services.talking.say(troll, ROOM, "x", "c"),
            services.talking.like(troll, ROOM, 1),
            services.gifting.give(troll, ROOM, "rose", 1, "k"),
            services.members.follow(troll, ROOM),
            services.access.enter(troll, ROOM),
        ):
            assert await refusal(asked) == "banned"
        elsewhere = viewer("troll", room="r2")
        await services.talking.say(elsewhere, RoomId("r2"), "elsewhere", "c")
        assert await services.moderating.lift(host(), ROOM, TROLL, Act.UNBAN)
        await services.rooms.enter(troll, ROOM)
        await services.moderating.sanction(MODERATOR, ROOM, TROLL, Act.KICK, ms=5_000)
        assert await refusal(services.rooms.enter(troll, ROOM)) == "kicked"
        house.clock.pass_ms(5_000)
        await services.rooms.enter(troll, ROOM)


async def test_nobody_reaches_above_themselves(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        act = house.services.moderating.sanction
        host_user = UserId("h1")
        assert await refusal(act(viewer(), ROOM, TROLL, Act.MUTE)) == "forbidden"
        assert await refusal(act(MODERATOR, ROOM, TROLL, Act.BAN)) == "forbidden"
        assert await refusal(act(MODERATOR, ROOM, TROLL, Act.MUTE, ms=2 * DAY_MS)) == "forbidden"
        assert await refusal(act(MODERATOR, ROOM, host_user, Act.MUTE)) == "forbidden"
        assert await refusal(act(MODERATOR, ROOM, MODERATOR.user, Act.MUTE)) == "invalid"
        assert await refusal(act(merchant_actor("m9"), ROOM, TROLL, Act.BAN)) == "no_such_room"
        await mute(house, host(), ms=20 * DAY_MS)
        assert await refusal(mute(house, ms=1_000)) == "forbidden", "the host's is not shortened"
        lift = house.services.moderating.lift
        assert await refusal(lift(MODERATOR, ROOM, TROLL, Act.UNMUTE)) == "forbidden"
        assert await refusal(say(house, "still")) == "muted"
        await act(merchant_actor(), ROOM, host_user, Act.MUTE)
        assert await refusal(house.services.talking.say(host(), ROOM, "x", "c")) == "muted"
        await act(host(), ROOM, MODERATOR.user, Act.MUTE)
        assert await refusal(house.services.talking.say(MODERATOR, ROOM, "x", "c")) == "muted"


async def test_slow_mode_words_links_and_contacts(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        moderating = house.services.moderating
        await moderating.set_rules(host(), ROOM, {"slow_ms": 5_000})
        await say(house, "one")
        with pytest.raises(Refused) as refused:
            await say(house, "two")
        assert (refused.value.code, refused.value.retry_ms) == ("slow_mode", 5_000)
        await say(house, "other", user="u2")
        await house.services.talking.say(host(), ROOM, "host", "c")
        await house.services.talking.say(host(), ROOM, "host again", "c")
        entry = await house.services.rooms.enter(viewer("u3"), ROOM)
        assert entry.snapshot.slow_ms == 5_000
        rules = {"slow_ms": 0, "links": "mask", "contacts": "refuse"}
        await moderating.set_rules(host(), ROOM, rules)
        await moderating.change_words(host(), ROOM, **listed("赌场"))
        await moderating.change_words(
            merchant_actor(), None, **listed("诈骗", action=WordAction.REFUSE)
        )
        house.heard.clear()
        await say(house, "去這個賭場 shop.com 看")
        assert await refusal(say(house, "打13800138000")) == "contacts"
        assert await refusal(say(house, "诈-骗")) == "words"
        assert [fact.text for fact in house.facts("danmaku")] == ["去這個** ******** 看"]
        await house.services.talking.say(host(), ROOM, "赌场 13800138000", "c")
        assert house.facts("danmaku")[-1].text == "赌场 13800138000", "keepers are not judged"
        await moderating.change_words(host(), ROOM, add=[], remove=["赌场"])
        await say(house, "赌场")
        assert house.facts("danmaku")[-1].text == "赌场"
        assert [word.word for word in await moderating.words(merchant_actor(), None)] == ["诈骗"]
        assert await refusal(moderating.words(host(), None)) == "forbidden"
        bad = moderating.set_rules(host(), ROOM, {"slow_ms": 10**9})
        assert await refusal(bad) == "invalid"


async def test_repeated_text_is_damped(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        for spelling in ("买它", "买 它", "买它!", "買它", "买它", "买它", "买它"):
            await say(house, spelling)
        weights = [fact.weight for fact in house.facts("danmaku")]
        assert [weight > 0 for weight in weights] == [True] * 5 + [False] * 2
        assert len((await house.services.rooms.enter(viewer(), ROOM)).snapshot.texts) == 5
        await house.services.moderating.set_rules(host(), ROOM, {"repeats": 0})
        await say(house, "买它")
        assert 0 < house.facts("danmaku")[-1].weight <= 1


async def test_a_reported_line_is_judged_and_taken_off(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        reviewing = house.services.reviewing
        said = await say(house, "buy my stuff")
        for user in ("u2", "u3", "u2"):
            await reviewing.report(viewer(user), ROOM, said.id, "spam")
        assert [fact.count for fact in house.facts("report")] == [1, 2]
        (waiting,) = await reviewing.queue(MODERATOR, ROOM)
        assert (waiting.text, waiting.count, waiting.held) == ("buy my stuff", 2, False)
        assert await reviewing.resolve(MODERATOR, ROOM, said.id, ReportState.UPHELD)
        assert not await reviewing.resolve(MODERATOR, ROOM, said.id, ReportState.UPHELD)
        await house.settle()
        assert [fact.lines for fact in house.facts("deleted")] == [(said.id,)]
        entry = await house.services.rooms.enter(viewer(), ROOM)
        assert (entry.snapshot.texts, entry.offset) == ((), 1)
        assert await reviewing.queue(MODERATOR, ROOM) == []
        again = reviewing.report(viewer("u4"), ROOM, said.id, "spam")
        assert await refusal(again) == "no_such_line"
        assert await refusal(reviewing.report(viewer("u4"), ROOM, said.id, "why")) == "invalid"
        assert await refusal(reviewing.queue(viewer(), ROOM)) == "forbidden"


async def test_one_person_cannot_fill_the_queue(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        lines = [await say(house, f"line {number}") for number in range(OPEN_MAX + 1)]
        for line in lines[:-1]:
            await house.services.reviewing.report(viewer("u2"), ROOM, line.id, "other")
        last = house.services.reviewing.report(viewer("u2"), ROOM, lines[-1].id, "other")
        assert await refusal(last) == "rate"


async def test_a_line_held_back_is_shown_when_it_is_released(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        await house.services.moderating.change_words(
            host(), ROOM, **listed("退款", action=WordAction.REVIEW)
        )
        first, second = await say(house, "我要退款"), await say(house, "快退款")
        assert (first.held, second.held) == (True, True)
        assert house.facts("danmaku") == []
        assert [fact.held for fact in house.facts("report")] == [True, True]
        resolve = house.services.reviewing.resolve
        assert await resolve(MODERATOR, ROOM, first.id, ReportState.RELEASED)
        assert await resolve(MODERATOR, ROOM, second.id, ReportState.DISMISSED)
        assert [
            (event.id, event.fact.text) for event in house.heard if event.fact.KIND == "danmaku"
        ] == [(first.id, "我要退款")]


async def test_the_trail_tells_who_did_what_and_cannot_be_changed(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        said = await say(house, "<b>buy</b>")
        await mute(house, ms=60_000, reason="spam\x00\u202e")
        await house.services.moderating.delete_line(host(), ROOM, said.id, reason="advert")
        await house.services.moderating.set_rules(host(), ROOM, {"slow_ms": 3_000})
        refused = mute(house, reason="x" * 201)
        assert await refusal(refused) == "invalid"
        lines, following = await house.services.moderating.trail(MODERATOR, ROOM, None)
        assert following is None
        assert [(line.actor, line.role, line.act, line.target) for line in lines] == [
            ("h1", "host", "set_rules", "r1"),
            ("h1", "host", "delete_line", said.id),
            ("mo", "moderator", "mute", "troll"),
        ]
        assert (lines[1].reason, lines[1].detail) == ("advert", "troll: <b>buy</b>")
        assert (lines[2].reason, lines[2].detail) == ("spam", "60000 ms")
        for change in ("DELETE FROM audit", "UPDATE audit SET actor = 'x'"):
            with pytest.raises(DBAPIError, match="append-only"):
                await house.store.run(lambda tx, change=change: tx.execute(text(change)))  # type: ignore[misc]
        for number in range(60):
            await house.services.moderating.delete_line(host(), ROOM, EventId(f"l{number}"))
        first, cursor = await house.services.moderating.trail(host(), ROOM, None)
        rest, end = await house.services.moderating.trail(host(), ROOM, cursor)
        assert (len(first), len(rest), end) == (50, 13, None)
        assert await refusal(house.services.moderating.trail(host(), ROOM, "x")) == "invalid"


async def test_a_change_on_another_node_counts_here_within_its_time(url: str) -> None:
    clock = Clock()
    async with open_house(url, clock=clock) as house:
        await house.make_room(host="h1")
        await say(house, "hello")
        another = Access(house.store, Standing(house.store, clock))
        moderating = house.services.moderating
        assert await another.enter(viewer("troll"), ROOM)
        await moderating.sanction(host(), ROOM, TROLL, Act.BAN)
        clock.pass_ms(FRESH_MS)
        assert await refusal(another.enter(viewer("troll"), ROOM)) == "banned"


class Flaky:
    """A store that can stop answering."""

    reads = 0
    broken = False

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self, command: Any) -> Any:
        Flaky.reads += 1
        if Flaky.broken:
            await asyncio.sleep(0)
            raise Refused("unavailable")
        return await self._store.run(command)


async def test_many_at_once_look_once_and_a_silent_store_leaves_what_is_known(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Flaky, "broken", False)
    async with open_house(url) as house:
        await house.make_room(host="h1")
        await mute(house)
        standing = Standing(Flaky(house.store), house.clock)  # type: ignore[arg-type]
        await standing.of(DEFAULT_TENANT, ROOM)
        Flaky.reads, Flaky.broken = 0, True
        house.clock.pass_ms(FRESH_MS)
        found = await asyncio.gather(*(standing.of(DEFAULT_TENANT, ROOM) for _ in range(20)))
        assert Flaky.reads == 1
        at = house.clock()
        assert all(one.find(TROLL, Bar.MUTE, role=Role.VIEWER, at=at) for one in found)
        unknown = Standing(Flaky(house.store), house.clock)  # type: ignore[arg-type]
        assert await refusal(unknown.of(DEFAULT_TENANT, ROOM)) == "unavailable"
