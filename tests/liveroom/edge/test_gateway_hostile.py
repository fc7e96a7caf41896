"""Overload and hostile clients over real sockets: money is complete, and nobody costs much."""

import asyncio
import socket
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio

from liveroom.edge.connection import OPEN_WITHIN_S, UNSENT_BYTES_MAX, Connection
from liveroom.protocol.batch import TEXTS_PER_S
from liveroom.protocol.codec import JSON, MSGPACK
from liveroom.protocol.messages import Bye, Welcome
from liveroom.protocol.session import HELLO_WITHIN_S
from tests.liveroom.edge.gateway_house import (
    ROOM,
    Guest,
    House,
    gift_fact,
    open_house,
    text_fact,
    wait_until,
)
from tests.liveroom.edge.test_gateway_load import DeafGuest

VIEWERS = 40
FLOOD_PER_S = 2_000
"""Ten times what a busy room says."""
FLOOD_S = 3
GIFTS_PER_S = 30
COST_BYTES_MAX = 256 * 1024
"""What somebody who never reads may cost: our backlog, the transport's buffer, the kernel's."""


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


async def flood(house: House) -> None:
    """Publish texts and gifts at a steady pace, however late the loop is."""
    loop = asyncio.get_running_loop()
    started, texts, gifts = loop.time(), 0, 0
    while (passed := loop.time() - started) < FLOOD_S:
        due = int(passed * FLOOD_PER_S) - texts
        texts += due
        events = [house.fake.event(text_fact("crowd", f"text {number}")) for number in range(due)]
        if int(passed * GIFTS_PER_S) > gifts:
            gifts += 1
            events.append(house.fake.commit(gift_fact("anna")))
        await house.fake.publish(*events)
        await asyncio.sleep(0.005)


async def watch(guest: Guest, gifts: int) -> None:
    await guest.event("gift", n=gifts)


@pytest.mark.slow
async def test_ten_times_too_much_text_loses_no_money_and_keeps_its_order(house: House) -> None:
    guests = [
        await house.guest(f"u{index}", codec=(MSGPACK, JSON)[index % 2]) for index in range(VIEWERS)
    ]
    reading = [asyncio.create_task(_read_on(guest)) for guest in guests]
    await flood(house)
    gifts = len(house.fake.history)
    assert gifts > GIFTS_PER_S
    await wait_until(lambda: all(_numbers(guest)[-1:] == [gifts] for guest in guests), 20)
    for task in reading:
        task.cancel()
    for guest in guests:
        assert _numbers(guest) == list(range(1, gifts + 1))
        texts = [event for event in guest.events if event["k"] == "danmaku"]
        assert len(texts) <= TEXTS_PER_S * (FLOOD_S + 3)
        assert texts


async def _read_on(guest: Guest) -> None:
    with suppress(TimeoutError):
        while True:
            await guest.read()


def _numbers(guest: Guest) -> list[int]:
    return [event["n"] for event in guest.events if event["k"] == "gift"]


@pytest.mark.slow
async def test_those_who_never_read_stay_under_their_bound_and_are_told_to_come_back(
    house: House,
) -> None:
    """20 of them beside one who reads; their welcome is the last that they take."""
    anna = await house.guest("anna")
    deaf = [DeafGuest(house, f"deaf{index}") for index in range(20)]
    for one in deaf:
        await one.enter()
    await wait_until(lambda: house.gateway.online(ROOM) == 21)
    connections = [c for c in house.gateway._connections if c.backlog is not None]
    most = 0
    while house.gateway.online(ROOM) > 1:
        await house.fake.publish(*(house.fake.commit(gift_fact("x" * 60)) for _ in range(50)))
        await anna.event("gift", n=len(house.fake.history))
        most = max(most, *map(_held, connections))
    assert most + UNSENT_BYTES_MAX <= COST_BYTES_MAX
    assert _numbers(anna) == list(range(1, len(house.fake.history) + 1))
    for one in deaf:
        bye = (await one.read_to_the_end())[-1]
        assert isinstance(bye, Bye)
        assert bye.code == 4001
        one.socket.close()


def _held(connection: Connection) -> int:
    """What we keep for somebody: the backlog, and what the transport has not handed on."""
    return connection.backlog.bytes + connection.transport.get_write_buffer_size()


@pytest.mark.slow
async def test_slow_drips_before_the_welcome_are_cut_and_cost_others_nothing(house: House) -> None:
    """One byte at a time of a handshake, and a handshake without a hello."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    head = b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nX-Drip: " + b"a" * 10_000
    dripping = [await asyncio.open_connection("127.0.0.1", house.gateway.port) for _ in range(20)]
    silent = [await house.connect() for _ in range(20)]
    ends = [asyncio.create_task(_drip(reader, writer, head)) for reader, writer in dripping]
    ming = await house.guest("ming")
    assert isinstance(ming.welcome, Welcome)
    assert loop.time() - started < HELLO_WITHIN_S
    for guest in silent:
        bye, code = await guest.closed()
        assert code == 4106
        assert bye is not None
    await asyncio.gather(*ends)
    assert loop.time() - started < max(OPEN_WITHIN_S, HELLO_WITHIN_S) + 5
    assert house.gateway.online(ROOM) == 1
    await house.fake.gift_of("x")
    await ming.event("gift", n=1)


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    """Send a byte every 50 ms until we are cut."""
    with suppress(ConnectionError):
        for byte in head:
            writer.write(bytes([byte]))
            await writer.drain()
            if reader.at_eof():
                break
            await asyncio.sleep(0.05)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_frame_that_promises_too_much_is_refused_before_it_comes(house: House) -> None:
    """The header alone says a gigabyte; nothing of it is waited for or kept."""
    ming = await house.guest("ming")
    transport = ming.websocket.transport
    transport.write(bytes([0x82, 0x80 | 127]) + (1 << 30).to_bytes(8, "big") + b"\0\0\0\0")
    bye, code = await ming.closed()
    assert code == 1009
    assert bye is not None
    assert bye.code == 1009


async def test_compression_is_never_agreed_to_and_a_compressed_bomb_is_never_inflated(
    house: House,
) -> None:
    """16 MB of zeros in 16 KB, sent as if permessage-deflate (RFC 7692) had been negotiated."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflate.compress(bytes(16 * 1024 * 1024)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    anna, ming = await house.guest("anna"), await house.guest("ming", compression="deflate")
    assert ming.websocket.protocol.extensions == []
    request, response = ming.websocket.request, ming.websocket.response
    assert "permessage-deflate" in request.headers["Sec-WebSocket-Extensions"]
    assert "Sec-WebSocket-Extensions" not in response.headers
    rsv1 = 0x40
    ming.websocket.transport.write(_masked(0x82 | rsv1, bomb[:16_000]))
    bye, code = await ming.closed()
    assert (bye and bye.code, code) == (1002, 1002)
    await house.fake.gift_of("x")
    await anna.event("gift", n=1)


async def test_many_small_fragments_never_make_a_large_message(house: House) -> None:
    ming = await house.guest("ming")
    transport = ming.websocket.transport
    transport.write(_masked(0x02, b"x" * 1_000))
    for _ in range(20):
        transport.write(_masked(0x00, b"x" * 1_000))
    bye, code = await ming.closed()
    assert (bye and bye.code, code) == (1009, 1009)


async def test_a_storm_of_pings_is_answered_and_harms_nobody(house: House) -> None:
    anna, ming = await house.guest("anna"), await house.guest("ming")
    ming.websocket.transport.write(_masked(0x89, b"p" * 125) * 2_000)
    await house.fake.gift_of("x")
    await anna.event("gift", n=1)
    await ming.event("gift", n=1)


def _masked(first: int, payload: bytes) -> bytes:
    size = bytes([0x80 | 126]) + len(payload).to_bytes(2, "big")
    if len(payload) < 126:
        size = bytes([0x80 | len(payload)])
    return bytes([first]) + size + b"\0\0\0\0" + payload


async def test_a_reset_in_the_middle_of_a_frame_frees_everything(house: House) -> None:
    await house.guest("anna")
    ming = await house.guest("ming")
    raw = ming.websocket.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    ming.websocket.transport.write(b"\x82\xfe\x10")
    ming.websocket.transport.abort()
    await wait_until(lambda: house.gateway.online(ROOM) == 1)
    assert house.gateway.connections == 1
