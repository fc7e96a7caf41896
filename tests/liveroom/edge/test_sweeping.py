"""Writing past the transports: every byte once and in order, however sockets behave."""

import asyncio
import errno
import random
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop

from liveroom.edge import sweeping
from liveroom.edge.sweeping import NOT_DIRECT, WRITE_ALL, descriptor_of, rest_of
from tests.liveroom.edge.gateway_house import House, open_house, wait_until


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    with ours, theirs:
        yield ours, theirs


def test_a_frame_goes_to_every_socket_and_nothing_is_told(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    assert WRITE_ALL is not None
    ours, theirs = pair
    assert WRITE_ALL([ours.fileno()] * 3, b"frame") == []
    assert theirs.recv(100) == b"frame" * 3


def test_what_a_socket_does_not_take_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    assert WRITE_ALL is not None
    ours, theirs = pair
    frame = bytes(1_000_000)
    (row,) = WRITE_ALL([ours.fileno()], frame)
    assert row[0] == 0
    assert 0 < row[1] < len(frame)
    assert WRITE_ALL([ours.fileno()], b"x") == [(0, -errno.EAGAIN)]
    theirs.close()
    assert WRITE_ALL([ours.fileno()], b"x") == [(0, -errno.EPIPE)]
    assert rest_of(b"frame", 2) == b"ame"
    assert rest_of(b"frame", -errno.EPIPE) == b"frame"


def test_a_number_that_is_no_socket_harms_nobody(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    assert WRITE_ALL is not None
    gone = socket.socket()
    number = gone.fileno()
    gone.close()
    assert WRITE_ALL([number, pair[0].fileno()], b"x") == [(0, -errno.EBADF)]
    assert pair[1].recv(9) == b"x"
    with pytest.raises(ValueError, match="whole number"):
        WRITE_ALL([NOT_DIRECT], b"x")
    with pytest.raises(OverflowError):
        WRITE_ALL([1 << 80], b"x")
    with pytest.raises(TypeError):
        WRITE_ALL(["1"], b"x")  # type: ignore[list-item]


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sweeping.SWITCH, "python")
    assert sweeping.compiled_loop() is None


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("seed", range(3))
def test_direct_and_indirect_writes_keep_their_order(run: Callable[[Any], Any], seed: int) -> None:
    run(_mix(random.Random(seed)))


async def _mix(chance: random.Random) -> None:
    """Frames of all sizes, some past the transport and some through it, to a slow reader."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[asyncio.Transport] = loop.create_future()

    class Server(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
            arrived.set_result(transport)  # type: ignore[arg-type]

    server = await loop.create_server(Server, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    transport = await arrived
    transport.set_write_buffer_limits(1 << 30)
    descriptor = descriptor_of(transport)
    assert descriptor != NOT_DIRECT
    assert WRITE_ALL is not None
    sent, direct = bytearray(), 0
    got = bytearray()
    for number in range(400):
        frame = bytes([number % 256]) * chance.choice([1, 200, 5_000, 100_000])
        sent += frame
        if chance.random() < 0.3 or transport.get_write_buffer_size():
            transport.write(frame)
        else:
            direct += 1
            for _, taken in WRITE_ALL([descriptor], frame):
                transport.write(rest_of(frame, taken))
        if chance.random() < 0.4:
            got += await reader.read(1 << 20)
    while len(got) < len(sent):
        got += await reader.read(1 << 20)
    assert direct > 20
    assert got == sent
    transport.abort()
    writer.close()
    server.close()


async def test_who_left_or_is_leaving_is_never_written_to_directly() -> None:
    async with open_house() as house:
        guest = await house.guest("ming")
        (connection,) = house.gateway._connections
        await wait_until(connection.is_direct)
        connection.transport.write(bytes(1 << 22))
        assert not connection.is_direct()
        connection.transport.abort()
        assert not connection.is_direct()
        await wait_until(lambda: connection.descriptor == NOT_DIRECT)
        guest.websocket.transport.abort()


async def test_a_room_is_the_same_with_and_without_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def evening(house: House) -> list[int]:
        guests = [await house.guest(f"u{number}") for number in range(5)]
        for _ in range(20):
            await house.fake.gift_of("x")
        for guest in guests:
            await guest.event("gift", n=20)
        return [event["n"] for guest in guests for event in guest.events if event["k"] == "gift"]

    async with open_house() as house:
        with_loop = await evening(house)
    monkeypatch.setattr(sweeping, "WRITE_ALL", None)
    async with open_house() as house:
        assert await evening(house) == with_loop == list(range(1, 21)) * 5
        assert {c.descriptor for c in house.gateway._connections} == {NOT_DIRECT}
