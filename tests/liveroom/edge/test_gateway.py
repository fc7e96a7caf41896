"""Viewers come in, talk, give and see each other over real websockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from liveroom.domain.actors import Role
from liveroom.observe import (
    EVENT_DELIVERY_SECONDS,
    EVENTS_DROPPED,
    GATEWAY_CONNECTIONS,
    GATEWAY_FRAMES,
    LOOP_LAG_SECONDS,
)
from liveroom.protocol.batch import TEXTS_PER_S
from liveroom.protocol.codec import JSON, MSGPACK, Codec
from liveroom.protocol.messages import Batch, No, Ok, Pong, ToYou, Welcome
from tests.liveroom.edge.gateway_house import (
    EPOCH,
    ROOM,
    House,
    open_house,
    text_fact,
    token,
    wait_until,
)


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


@pytest.mark.parametrize("codec", [JSON, MSGPACK])
async def test_welcome_has_everything_in_both_subprotocols(house: House, codec: Codec) -> None:
    guest = await house.guest("ming", codec=codec)
    welcome = guest.welcome
    assert (welcome.epoch, welcome.offset, welcome.personal) == (EPOCH, 0, 0)
    assert welcome.resumed is False
    assert welcome.tick_ms == 100
    assert welcome.you["user"] == "ming"
    assert welcome.room["id"] == "r1"
    assert {"stage", "pin", "rounds", "counters", "texts"} <= set(welcome.snapshot)
    assert welcome.snapshot["counters"]["online"] == 1


async def test_a_browser_that_offers_json_gets_json_text(house: House) -> None:
    guest = await house.connect(codec=JSON, subprotocols=["liveroom.json.v1"])
    assert guest.websocket.subprotocol == "liveroom.json.v1"
    await guest.send(t="hello", token=token("ming"), room="r1")
    data = await guest.websocket.recv()
    assert isinstance(data, str)
    assert json.loads(data)["t"] == "welcome"


async def test_offering_only_unknown_subprotocols_is_refused(house: House) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await house.connect(subprotocols=["soap"])
    assert refused.value.response.status_code == 400


@pytest.mark.parametrize("path", ["/", "/v1/ws/", "/v1/wsx", "/metrics"])
async def test_other_paths_are_not_found(house: House, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{house.gateway.port}{path}")
    assert refused.value.response.status_code == 404


async def test_a_text_reaches_everybody_and_is_answered(house: House) -> None:
    anna, ming = await house.guest("anna"), await house.guest("ming", codec=JSON)
    await ming.send(t="say", id="c1", text="  你好\u202e ")
    answer = await ming.answer("c1")
    assert isinstance(answer, Ok)
    assert answer.text == "你好"
    seen = await anna.event("danmaku")
    assert (seen["user"], seen["text"], seen["cid"]) == ("ming", "你好", "c1")
    assert seen["id"] == answer.event


async def test_a_gift_is_answered_once_and_seen_by_all_once_with_its_number(house: House) -> None:
    anna, ming = await house.guest("anna"), await house.guest("ming")
    await ming.send(t="gift", id="g1", gift="rose", count=3)
    await ming.send(t="gift", id="g1", gift="rose", count=3)
    first, second = await ming.answer("g1"), await ming.answer("g1")
    assert isinstance(first, Ok)
    assert (first.n, first.coins_left) == (1, 99)
    assert second == first
    await house.fake.gift_of("somebody")
    for guest in (anna, ming):
        await guest.event("gift", n=2)
        assert [event["n"] for event in guest.events if event["k"] == "gift"] == [1, 2]


async def test_batches_say_the_last_offset_and_the_counters(house: House) -> None:
    ming = await house.guest("ming")
    await house.fake.gift_of("anna")
    batch = await ming.expect(Batch, lambda batch: bool(batch.events))
    assert (batch.epoch, batch.offset) == (EPOCH, 1)
    assert batch.counters.online == 1


async def test_likes_come_as_a_counter_never_as_messages(house: House) -> None:
    anna, ming = await house.guest("anna"), await house.guest("ming")
    for _ in range(3):
        await ming.send(t="like", n=5)
    await anna.expect(Batch, lambda batch: batch.counters.likes == 15)
    assert anna.events == []


async def test_people_coming_and_going_change_the_counter(house: House) -> None:
    anna = await house.guest("anna")
    ming = await house.guest("ming")
    await anna.expect(Batch, lambda batch: batch.counters.online == 2)
    await ming.websocket.close()
    await anna.expect(Batch, lambda batch: batch.counters.online == 1)
    assert house.gateway.online(anna.welcome.room["id"]) == 1


async def test_two_sockets_of_one_person_are_one_online(house: House) -> None:
    await house.guest("ming")
    second = await house.guest("ming")
    assert second.welcome.snapshot["counters"]["online"] == 1
    assert house.gateway.connections == 2


@pytest.mark.parametrize("codec", [JSON, MSGPACK])
async def test_ask_hands_its_arguments_on_as_json(house: House, codec: Codec) -> None:
    ming = await house.guest("ming", codec=codec)
    await ming.send_map({"t": "ask", "id": "a1", "do": "follow", "with": {"x": [1, "二"]}})
    answer = await ming.answer("a1")
    assert isinstance(answer, Ok)
    assert ming.raw == {"t": "ok", "id": "a1", "following": True, "followers": 1}
    assert json.loads(house.fake.asked[0][1]) == {"x": [1, "二"]}


async def test_ping_is_answered(house: House) -> None:
    ming = await house.guest("ming")
    await ming.send(t="ping")
    assert (await ming.expect(Pong)).at > 0


async def test_personal_events_reach_all_sockets_of_one_person_and_nobody_else(
    house: House,
) -> None:
    anna = await house.guest("anna")
    phone, tablet = await house.guest("ming"), await house.guest("ming", codec=JSON)
    await house.fake.pay("ming")
    for guest in (phone, tablet):
        message = await guest.expect(ToYou)
        assert message.personal == 1
        assert [(e["k"], e["pn"]) for e in message.events] == [("receipt", 1)]
    await house.fake.gift_of("x")
    await anna.event("gift")
    assert [event["k"] for event in anna.events] == ["gift"]


async def test_only_the_host_sees_who_is_recognised(house: House) -> None:
    host = await house.guest("anna", Role.HOST)
    moderator = await house.guest("mod", Role.MODERATOR)
    old = await house.guest("old-friend")
    seen = await host.event("recognised")
    assert seen["user"] == "old-friend"
    assert "value" not in seen
    await house.fake.gift_of("x")
    for guest in (old, moderator):
        await guest.event("gift")
        assert "recognised" not in {event["k"] for event in guest.events}


async def test_arrival_is_told_after_the_welcome_and_leaving_when_it_closes(house: House) -> None:
    ming = await house.guest("ming")
    await wait_until(lambda: house.fake.arrived == ["ming"])
    await ming.websocket.close()
    await wait_until(lambda: house.fake.gone == ["ming"])


async def test_commands_of_one_connection_keep_their_order(house: House) -> None:
    ming = await house.guest("ming")
    for index in range(8):
        await ming.send(t="gift", id=f"g{index}", gift="rose", count=1)
    answers = [await ming.answer(f"g{index}") for index in range(8)]
    assert [answer.n for answer in answers if isinstance(answer, Ok)] == list(range(1, 9))


async def test_a_refused_command_is_answered_and_the_connection_lives(house: House) -> None:
    ming = await house.guest("ming")
    await ming.send(t="gift", id="g1", gift="yacht", count=1)
    answer = await ming.answer("g1")
    assert isinstance(answer, No)
    assert answer.code == "no_such_gift"
    await ming.send(t="ping")
    await ming.expect(Pong)


async def test_a_command_before_welcome_is_refused(house: House) -> None:
    house.fake.entering.clear()
    ming = await house.connect()
    await ming.send(t="hello", token=token("ming"), room="r1")
    await ming.send(t="say", id="c1", text="early")
    answer = await ming.answer("c1")
    assert isinstance(answer, No)
    assert answer.code == "bad_request"
    house.fake.entering.set()
    await ming.expect(Welcome)
    assert house.fake.texts == []


async def test_our_own_fault_ends_only_that_connection(house: House) -> None:
    anna, ming = await house.guest("anna"), await house.guest("ming")
    house.fake.breaks = True
    await ming.send(t="say", id="c1", text="boom")
    bye, code = await ming.closed()
    assert code == 1011
    assert bye is not None
    assert "broken" not in bye.why
    assert bye.after_ms
    await house.fake.gift_of("x")
    await anna.event("gift")


async def test_who_ends_the_stream_without_a_close_has_left_before_anything_is_written(
    house: House,
) -> None:
    """Writing after the end would raise, between the end and the loss of the connection."""
    await house.guest("anna")
    await house.guest("ming")
    ming = next(c for c in house.gateway._connections if c.remote_address == house.address_of(1))
    ming.eof_received()
    assert house.gateway.online(ROOM) == 1


async def test_an_empty_room_is_not_listened_to(house: House) -> None:
    ming = await house.guest("ming")
    assert house.fake.bus.is_heard(ming.welcome.room["id"])
    await ming.websocket.close()
    await wait_until(lambda: not house.fake.bus.is_heard(ming.welcome.room["id"]))


async def test_an_idle_room_sends_nothing(house: House) -> None:
    ming = await house.guest("ming")
    await ming.expect(Batch)  # the counter after coming in
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.7):
            await ming.websocket.recv()


async def test_bytes_that_are_no_http_harm_nobody(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.gateway.port)
    writer.write(bytes(range(256)) * 64)
    await writer.drain()
    async with asyncio.timeout(5):
        with suppress(ConnectionError):
            await reader.read()
    writer.close()
    ming = await house.guest("ming")
    await ming.send(t="ping")
    await ming.expect(Pong)


async def test_what_happens_is_measured(house: House) -> None:
    frames, delivered = counted(GATEWAY_FRAMES), counted(EVENT_DELIVERY_SECONDS, "money")
    anna = await house.guest("anna")
    await house.guest("ming")
    assert GATEWAY_CONNECTIONS._value.get() == 2
    await house.fake.gift_of("x")
    await anna.event("gift")
    await wait_until(lambda: counted(EVENT_DELIVERY_SECONDS, "money") == delivered + 1)
    assert counted(GATEWAY_FRAMES) >= frames + 4
    assert counted(LOOP_LAG_SECONDS) > 0


async def test_what_is_left_out_is_counted_by_class_and_not_as_delivered(house: House) -> None:
    anna = await house.guest("anna")
    before = counted(EVENT_DELIVERY_SECONDS, "text"), counted(EVENTS_DROPPED, "text", "sampled")
    await house.fake.publish(
        *(house.fake.event(text_fact("x", f"text {number}")) for number in range(60))
    )
    await house.fake.gift_of("x")
    await anna.event("gift")
    await wait_until(
        lambda: counted(EVENTS_DROPPED, "text", "sampled") == before[1] + 60 - TEXTS_PER_S
    )
    await wait_until(lambda: counted(EVENT_DELIVERY_SECONDS, "text") == before[0] + TEXTS_PER_S)


def counted(metric: Any, *labels: str) -> float:
    """Read a counter, or the count of a histogram."""
    (family,) = (metric.labels(*labels) if labels else metric).collect()
    return sum(s.value for s in family.samples if s.name.endswith(("_total", "_count")))


def test_it_runs_on_uvloop_as_well() -> None:
    async def evening() -> None:
        async with open_house() as house:
            anna, ming = await house.guest("anna"), await house.guest("ming", codec=JSON)
            await ming.send(t="say", id="c", text="hi")
            await ming.answer("c")
            await anna.event("danmaku")
            await house.fake.gift_of("x")
            await ming.event("gift")
            await ming.websocket.send("{")
            bye, code = await ming.closed()
            assert (code, bye is not None) == (4106, True)

    uvloop.run(evening())
