"""What a gateway refuses: each wrong frame has its code, nothing changes, others live on."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed, InvalidStatus

from liveroom.domain.actors import Role
from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.edge.callers import GatewayLimits
from liveroom.protocol.codec import JSON, MSGPACK, Codec
from liveroom.protocol.limits import Rate, Rates
from liveroom.protocol.messages import No, Ok, Pong
from tests.liveroom.edge.gateway_house import (
    TOKENS,
    House,
    open_house,
    token,
    wait_until,
)


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ({"token": "rubbish", "room": "r1"}, 4100),
        ({"token": "", "room": "r1"}, 4100),
        ({"token": token("ming")[:-4] + "AAAA", "room": "r1"}, 4100),
        (
            {"token": TOKENS.sign(TOKENS.verify(token("m"), at=0), at=1, ttl_s=1), "room": "r1"},
            4101,
        ),
        ({"token": token("ming", room="r2"), "room": "r1"}, 4102),
        ({"token": token("ming", room="*"), "room": "nowhere"}, 4102),
        ({"token": token("ming"), "room": "../r1"}, 4106),
        ({"token": 7, "room": "r1"}, 4106),
        ({"room": "r1"}, 4106),
        ({"token": token("ming"), "room": "r1", "resume": {"epoch": "e", "offset": -1}}, 4106),
    ],
)
async def test_a_bad_hello_is_told_and_closed(
    house: House, hello: dict[str, Any], code: int
) -> None:
    guest = await house.connect()
    await guest.send_map({"t": "hello"} | hello)
    bye, closed = await guest.closed()
    assert closed == code
    assert bye is not None
    assert bye.code == code
    assert bye.after_ms is msgspec.UNSET
    assert house.fake.arrived == []


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        (JSON, b"\x81\xa1t\xa5hello"),
        (JSON, "not json"),
        (JSON, "[]"),
        (JSON, "{}"),
        (JSON, '{"t":"ping"}'),
        (JSON, "[" * 10_000),
        (JSON, '{"t":"hello","token":NaN}'),
        (MSGPACK, '{"t":"ping"}'),
        (MSGPACK, b""),
        (MSGPACK, b"\xc1\xff\x00garbage"),
        (MSGPACK, b"\x91" * 10_000),
        (MSGPACK, b"\xdf\xff\xff\xff\xff"),
    ],
)
async def test_garbage_before_hello_closes_with_protocol(
    house: House, codec: Codec, data: str | bytes
) -> None:
    guest = await house.connect(codec)
    await guest.websocket.send(data)
    bye, code = await guest.closed()
    assert code == 4106
    assert bye is not None


@pytest.mark.parametrize("data", ["{", '{"t":5}', b"binary", '{"t":"gift","gift":"rose"}'])
async def test_garbage_in_a_live_session_closes_it_and_no_other(
    house: House, data: str | bytes
) -> None:
    anna, ming = await house.guest("anna"), await house.guest("ming", codec=JSON)
    await ming.websocket.send(data)
    bye, code = await ming.closed()
    assert code == 4106
    assert bye is not None
    await house.fake.gift_of("x")
    await anna.event("gift")


@pytest.mark.parametrize(
    "count", [-1, 0, 10_000, 2**53, 2**64 - 1, 1.0, 1.5, float("nan"), "1", True, None, [], {}]
)
async def test_a_gift_of_a_wrong_amount_is_refused_and_nothing_moves(
    house: House, count: Any
) -> None:
    ming = await house.guest("ming")
    await ming.send(t="gift", id="g1", gift="rose", count=count)
    answer = await ming.answer("g1")
    assert isinstance(answer, No)
    assert answer.code == "invalid"
    assert "count" in answer.why
    assert house.fake.history == []
    await ming.send(t="ping")
    await ming.expect(Pong)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ('{"t":"gift","id":"g1","gift":"rose","count":1e3}', "invalid"),
        ('{"t":"gift","id":"g1","gift":"rose","count":1' + "0" * 5_000 + "}", "invalid"),
        ('{"t":"gift","id":"g1","gift":"a/b","count":1}', "invalid"),
        ('{"t":"say","id":"g1","text":7}', "invalid"),
        ('{"t":"say","id":"g1","text":" \\u200b\\u202e "}', "text_empty"),
        ('{"t":"say","id":"g1","text":"' + "长" * 101 + '"}', "text_too_long"),
        ('{"t":"fly","id":"g1"}', "unknown_command"),
        ('{"t":"ask","id":"g1","do":"fly"}', "unknown_command"),
        ('{"t":"ask","id":"g1"}', "invalid"),
    ],
)
async def test_a_bad_value_is_refused_by_its_id_and_the_session_lives(
    house: House, frame: str, code: str
) -> None:
    ming = await house.guest("ming", codec=JSON)
    await ming.websocket.send(frame)
    answer = await ming.answer("g1")
    assert isinstance(answer, No)
    assert answer.code == code
    await ming.send(t="ping")
    await ming.expect(Pong)
    assert house.fake.history == house.fake.texts == []


async def test_an_unknown_type_without_id_is_ignored(house: House) -> None:
    ming = await house.guest("ming")
    await ming.send(t="wave", strength=9)
    await ming.send(t="ping")
    await ming.expect(Pong)
    assert not any(isinstance(message, No) for message in ming.seen)


async def test_likes_out_of_bounds_are_refused_without_an_id(house: House) -> None:
    ming = await house.guest("ming")
    await ming.send(t="like", n=-5)
    refusal = await ming.expect(No)
    assert (refusal.code, refusal.id) == ("invalid", msgspec.UNSET)
    assert house.fake.likes == 0


@pytest.mark.parametrize("size", [16 * 1024 + 1, 1024 * 1024])
async def test_a_frame_too_large_is_told_and_closed_with_1009(house: House, size: int) -> None:
    anna, ming = await house.guest("anna"), await house.guest("ming")
    await ming.websocket.send(b"x" * size)
    bye, code = await ming.closed()
    assert code == 1009
    assert bye is not None
    assert bye.code == 1009
    await house.fake.gift_of("x")
    await anna.event("gift")


async def test_hello_twice_is_not_the_protocol(house: House) -> None:
    ming = await house.guest("ming")
    await ming.send(t="hello", token=token("ming"), room="r1")
    _bye, code = await ming.closed()
    assert code == 4106


@pytest.mark.slow
async def test_silence_instead_of_hello_is_closed_after_five_seconds(house: House) -> None:
    started = asyncio.get_running_loop().time()
    guest = await house.connect()
    bye, code = await guest.closed()
    assert code == 4106
    assert bye is not None
    assert 4.9 < asyncio.get_running_loop().time() - started < 6


async def test_a_token_that_expires_ends_the_session(house: House) -> None:
    guest = await house.connect()
    await guest.send(t="hello", token=token("ming", ttl_s=1), room="r1")
    bye, code = await guest.closed()
    assert code == 4101
    assert bye is not None


async def test_a_renewed_token_keeps_the_session(house: House) -> None:
    guest = await house.connect()
    await guest.send(t="hello", token=token("ming", ttl_s=2), room="r1")
    await guest.send(t="token", id="t1", token=token("ming"))
    answer = await guest.answer("t1")
    if isinstance(answer, No):  # it came before the welcome
        await guest.send(t="token", id="t2", token=token("ming"))
        assert isinstance(await guest.answer("t2"), Ok)
    await asyncio.sleep(2.2)
    await guest.send(t="ping")
    await guest.expect(Pong)


def renewal(**claims: Any) -> str:
    actor = replace(TOKENS.verify(token("ming"), at=time.time()), **claims)
    return TOKENS.sign(actor, at=time.time(), ttl_s=60)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (lambda: token("anna"), 4100),
        (lambda: token("ming", role=Role.HOST), 4100),
        (lambda: token("ming", room="r2"), 4102),
        (lambda: renewal(tenant=TenantId("another-shop")), 4100),
        (lambda: renewal(anonymous=True), 4100),
        (lambda: "rubbish", 4100),
    ],
)
async def test_a_foreign_renewal_ends_the_session(
    house: House, given: Callable[[], str], code: int
) -> None:
    ming = await house.guest("ming")
    await ming.send(t="token", token=given())
    _bye, closed = await ming.closed()
    assert closed == code


async def test_talking_too_fast_is_refused_with_a_time_to_wait(house: House) -> None:
    ming = await house.guest("ming")
    for index in range(11):
        await ming.send(t="say", id=f"c{index}", text="hi")
    answers = [await ming.answer(f"c{index}") for index in (10,)]
    refusal = answers[0]
    assert isinstance(refusal, No)
    assert refusal.code == "rate"
    assert 0 < refusal.retry_ms <= 500
    await ming.send(t="ping")
    await ming.expect(Pong)


async def test_rates_belong_to_the_user_not_to_the_socket(house: House) -> None:
    first = await house.guest("ming")
    for index in range(10):
        await first.send(t="say", id=f"c{index}", text="hi")
    await first.answer("c9")
    await first.websocket.close()
    second = await house.guest("ming")
    await second.send(t="say", id="d", text="hi")
    answer = await second.answer("d")
    assert isinstance(answer, No)
    assert answer.code == "rate"


@pytest.mark.slow
async def test_abuse_ends_the_session_with_a_time_to_come_back() -> None:
    """Ten times over the rate for ten seconds: a low rate keeps the flood small."""
    limits = GatewayLimits(rates=Rates(say=Rate(0.1, 1)))
    async with open_house(limits) as house:
        ming = await house.guest("ming")
        reading = asyncio.create_task(ming.closed(within_s=20))
        with suppress(ConnectionClosed):
            while not reading.done():
                await ming.send(t="say", id="c", text="x")
                await asyncio.sleep(0.2)
        bye, code = await reading
        assert code == 4008
        assert bye is not None
        assert isinstance(bye.after_ms, int)
        assert bye.after_ms > 0


async def test_too_many_sockets_of_one_user_are_sent_away() -> None:
    async with open_house(GatewayLimits(sockets_per_user=2)) as house:
        first, _second = await house.guest("ming"), await house.guest("ming")
        third = await house.connect()
        await third.send(t="hello", token=token("ming"), room="r1")
        bye, code = await third.closed()
        assert code == 4003
        assert bye is not None
        assert isinstance(bye.after_ms, int)
        await house.guest("anna")
        await first.websocket.close()
        await wait_until(lambda: house.gateway.connections == 2)
        await house.guest("ming")


async def test_too_many_sockets_of_one_address_are_refused_at_the_door() -> None:
    async with open_house(GatewayLimits(sockets_per_address=2)) as house:
        first = await house.guest("a")
        await house.guest("b")
        with pytest.raises(InvalidStatus) as refused:
            await house.connect()
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["Retry-After"] == "1"
        await first.websocket.close()
        await wait_until(lambda: house.gateway.connections == 1)
        await house.guest("c")


async def test_too_many_handshakes_a_second_are_refused_at_the_door() -> None:
    async with open_house(GatewayLimits(accepts_per_s=3)) as house:
        for _ in range(3):
            await house.connect()
        with pytest.raises(InvalidStatus) as refused:
            await house.connect()
        assert refused.value.response.status_code == 503


async def test_a_foreign_origin_is_refused_and_our_own_passes() -> None:
    def allows(origin: str | None, host: str | None) -> bool:
        assert host is not None
        return origin in (None, "https://shop.example")

    async with open_house(allows_origin=allows) as house:
        await house.connect(origin="https://shop.example")
        await house.connect()
        with pytest.raises(InvalidStatus) as refused:
            await house.connect(origin="https://evil.example")
        assert refused.value.response.status_code == 403


async def test_somebody_kicked_is_told_on_all_their_sockets(house: House) -> None:
    phone, tablet = await house.guest("ming"), await house.guest("ming")
    anna = await house.guest("anna")
    assert house.gateway.disconnect(RoomId("r1"), UserId("ming"), 4103) == 2
    for guest in (phone, tablet):
        bye, code = await guest.closed()
        assert code == 4103
        assert bye is not None
    await anna.send(t="ping")
    await anna.expect(Pong)


async def test_a_bad_utf8_text_is_told_and_closed_with_1007(house: House) -> None:
    ming = await house.guest("ming", codec=JSON)
    await ming.websocket.send(b"\xff\xfe", text=True)
    bye, code = await ming.closed()
    assert code == 1007
    assert bye is not None


@pytest.mark.slow
async def test_a_handshake_that_never_comes_is_cut(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.gateway.port)
    writer.write(b"GET /v1/ws HTTP/1.1\r\nHost: x\r\n")
    async with asyncio.timeout(7):
        with suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=repr)
async def test_a_storm_of_random_frames_never_breaks_the_server(
    house: House, codec: Codec, caplog: pytest.LogCaptureFixture
) -> None:
    seed = 20261123
    chance = random.Random(seed)
    anna = await house.guest("anna")
    with capture_logs() as ours:
        for round_ in range(25):
            ming = await house.guest(f"ming{round_}", codec=codec)
            with suppress(ConnectionClosed):
                for _ in range(30):
                    await ming.websocket.send(storm(codec, chance))
            await ming.websocket.close()
            assert ming.websocket.close_code in (1000, 1007, 1009, 4008, 4100, 4106), seed
    await house.fake.gift_of("x" * 3)
    await anna.event("gift")
    assert not [line for line in ours if line["log_level"] == "error"], seed
    assert not caplog.records, seed


def storm(codec: Codec, chance: random.Random) -> str | bytes:
    """Make a frame: mostly a message with wrong values, sometimes torn, sometimes noise."""
    values = [None, True, -1, 0, 2**63, 1e308, "", "x" * 300, [], [[[]]], {"a": {}}, "é\u202e"]
    fields: dict[str, Any] = {
        key: chance.choice(values)
        for key in ("id", "n", "count", "gift", "text", "do", "with", "token", "room", "resume")
        if chance.random() < 0.5
    }
    if chance.random() < 0.8:
        fields["id"] = f"c{chance.random()}"
    fields["t"] = chance.choice(["say", "like", "gift", "ask", "ping", "token", "fly", 5])
    data = msgspec.json.encode(fields) if codec is JSON else msgspec.msgpack.encode(fields)
    if chance.random() < 0.03:
        data = data[: chance.randrange(len(data))]
    if chance.random() < 0.02:
        data = chance.randbytes(chance.randrange(200))
    return data.decode("utf-8", "replace") if codec is JSON else data
