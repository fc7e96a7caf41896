"""The room client against a real server: enter, act, see, and come back without a gap."""

import asyncio
from typing import Any

import httpx
import pytest

from liveroom.client.room import RoomClient
from liveroom.client.visit import CommandRefused, RoomClosed, RoomEvent
from tests.server import RunningServer

pytestmark = pytest.mark.slow


async def _take(client: RoomClient, kind: str, count: int) -> list[RoomEvent]:
    return [await client.next_event(kind) for _ in range(count)]


@pytest.fixture
def room(server: RunningServer, request: pytest.FixtureRequest) -> str:
    name = f"client-{abs(hash(request.node.name)) % 10**8}"
    return server.room(name, host=f"{name}-host")


def _client(server: RunningServer, room: str, user: str, **kwargs: Any) -> RoomClient:
    return RoomClient(server.base, room, server.token(user, room=room, name=user), **kwargs)


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
async def test_a_person_is_welcomed_and_hears_what_others_say(
    server: RunningServer, room: str, encoding: str
) -> None:
    async with (
        _client(server, room, "anna", encoding=encoding) as anna,
        _client(server, room, "bert", encoding=encoding) as bert,
    ):
        answer = await bert.say("晚上好", id="b-1")
        heard = await anna.next_event("danmaku")

    assert anna.welcome is not None
    assert anna.welcome.you["user"] == "anna"
    assert not anna.welcome.resumed
    assert answer["text"] == "晚上好"
    assert (heard.fields["user"], heard.fields["text"], heard.cid) == ("bert", "晚上好", "b-1")
    assert anna.timings.join_s > 0
    assert anna.timings.welcome_s > 0


async def test_a_gift_given_twice_under_one_id_is_one_gift(
    server: RunningServer, room: str
) -> None:
    giver = server.member(f"{room}-giver", coins=100)
    async with _client(server, room, giver) as client:
        first = await client.gift("rose", 3, id="g-1")
        again = await client.gift("rose", 3, id="g-1")
        event = await client.next_event("gift")

        assert again == first
        assert first["coins_left"] == 97
        assert event.n == first["n"]
        assert event.cid == "g-1"


async def test_a_refusal_comes_with_its_code_and_the_visit_goes_on(
    server: RunningServer, room: str
) -> None:
    poor = server.member(f"{room}-poor", coins=1)
    async with _client(server, room, poor) as client:
        with pytest.raises(CommandRefused) as refused:
            await client.gift("rocket")
        with pytest.raises(CommandRefused) as unknown:
            await client.ask("no_such_thing")
        still = await client.gift("rose")

    assert refused.value.code == "not_enough_coins"
    assert unknown.value.code == "unknown_command"
    assert still["coins_left"] == 0


async def test_after_a_broken_connection_nothing_is_missing_and_nothing_comes_twice(
    server: RunningServer, room: str
) -> None:
    giver = server.member(f"{room}-rich", coins=1_000)
    async with (
        _client(server, room, "watcher") as watcher,
        _client(server, room, giver) as client,
    ):
        for number in range(10):
            await client.gift("rose", id=f"g-{number}")
            if number == 4:
                await _take(watcher, "gift", 3)
                await watcher.break_connection()
        rest = await _take(watcher, "gift", 7)

        assert [event.cid for event in rest] == [f"g-{number}" for number in range(3, 10)]
        assert watcher.connects == 2
        assert watcher.welcome is not None
        assert watcher.welcome.resumed


async def test_a_command_without_an_answer_is_sent_again_after_the_break(
    server: RunningServer, room: str
) -> None:
    giver = server.member(f"{room}-cut", coins=10)
    async with _client(server, room, giver) as client:
        giving = asyncio.create_task(client.gift("rose", id="once"))
        await asyncio.sleep(0)
        await client.break_connection()
        answer = await giving

        assert answer["coins_left"] == 9
        assert (await client.gift("rose", id="once"))["n"] == answer["n"]


async def test_likes_are_counted(server: RunningServer, room: str) -> None:
    async with _client(server, room, "fan") as client:
        await client.like(7)
        async with asyncio.timeout(10):
            while client.counters.get("likes") != 7:
                client._arrived.clear()
                await client._arrived.wait()


async def test_a_visitor_without_a_token_may_watch_but_not_speak(
    server: RunningServer, room: str
) -> None:
    async with RoomClient(server.base, room, None) as client:
        with pytest.raises(CommandRefused) as refused:
            await client.say("hello")

    assert refused.value.code == "anonymous"


async def test_a_token_of_another_room_is_refused_at_the_door(
    server: RunningServer, room: str
) -> None:
    token = server.token("anna", room="elsewhere")

    with pytest.raises(CommandRefused) as refused:
        await RoomClient(server.base, room, token).open()

    assert refused.value.code == "other_room"


async def test_a_closed_client_says_so(server: RunningServer, room: str) -> None:
    async with _client(server, room, "gone") as client:
        pass

    with pytest.raises(RoomClosed):
        await client.say("too late")
    assert [event async for event in client if event.kind == "never"] == []


async def test_a_server_that_is_not_there_is_waited_for_until_closed() -> None:
    states: list[str] = []
    async with httpx.AsyncClient(timeout=0.5) as http:
        client = RoomClient("http://127.0.0.1:9", "r", None, http=http, on_state=states.append)
        opening = asyncio.create_task(client.open())
        async with asyncio.timeout(5):
            while "reconnecting" not in states:
                await asyncio.sleep(0.01)
        await client.close()
        opening.cancel()

    assert states[:2] == ["joining", "unreachable"]
