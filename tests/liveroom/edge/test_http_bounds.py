"""A real listener keeps its bounds: endless heads and dribbled requests end, others live on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvloop
from litestar import Litestar, Request, Response, route

from liveroom.config import Address
from liveroom.edge import http_bounds
from liveroom.edge.http_bounds import HEAD_BYTES_MAX
from liveroom.edge.listener import Listener, bind

WITHIN_S = 5.0
MUCH = bytes(16 * 1024 * 1024)
"""More than all buffers between two sockets hold."""
MUCH_PIECE = len(MUCH) // 32

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with serving() as listener:
        yield listener


@asynccontextmanager
async def serving() -> AsyncIterator[Listener]:
    async def echo(request: Request) -> Response[bytes]:  # type: ignore[type-arg]
        return Response(await request.body(), media_type="application/octet-stream")

    async def much() -> Response[bytes]:
        return Response(MUCH, media_type="application/octet-stream")

    handlers = [
        route("/", http_method=["GET", "POST"], status_code=200)(echo),
        route("/much", http_method=["GET"], status_code=200)(much),
    ]
    app = Litestar(handlers, openapi_config=None, logging_config=None)
    listener = Listener(app, bind(Address("127.0.0.1", 0)))
    await listener.start()
    yield listener
    await listener.stop()


async def connect(listener: Listener) -> Streams:
    return await asyncio.open_connection("127.0.0.1", listener.port)


async def answer(streams: Streams) -> bytes:
    """Read one answer with a content length."""
    async with asyncio.timeout(WITHIN_S):
        head = await streams[0].readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await streams[0].readexactly(length)


async def test_a_head_within_the_bound_is_answered_again_and_again(listener: Listener) -> None:
    streams = await connect(listener)
    for _ in range(3):
        padding = b"x" * (HEAD_BYTES_MAX - 200)
        streams[1].write(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + padding + b"\r\n\r\n")
        assert (await answer(streams)).startswith(b"HTTP/1.1 200")
    streams[1].close()


@pytest.mark.parametrize("line", [b"X: %s\r\n" % (b"a" * 1_000), b"a" * 1_000], ids=["many", "one"])
async def test_an_endless_head_is_answered_431_and_closed(listener: Listener, line: bytes) -> None:
    streams = await connect(listener)
    streams[1].write(b"GET / HTTP/1.1\r\nHost: a\r\nY: ")
    received = b""
    async with asyncio.timeout(WITHIN_S):
        try:
            for _ in range(100_000):
                streams[1].write(line)
                await streams[1].drain()
        except ConnectionError:
            received = b"closed"
        else:
            received = await streams[0].read()
    assert received
    good = await connect(listener)
    good[1].write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await answer(good)).startswith(b"HTTP/1.1 200")
    good[1].close()
    streams[1].close()


async def test_a_head_just_over_the_bound_gets_a_problem_document(listener: Listener) -> None:
    streams = await connect(listener)
    streams[1].write(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * HEAD_BYTES_MAX)
    found = await answer(streams)
    assert found.startswith(b"HTTP/1.1 431")
    assert b'"code":"too_large"' in found
    async with asyncio.timeout(WITHIN_S):
        assert await streams[0].read() == b""
    streams[1].close()


@pytest.mark.parametrize("body", [b"", b"abc"], ids=["bare", "body"])
def test_a_large_head_that_comes_in_one_read_is_refused_too(body: bytes) -> None:
    async def scenario() -> None:
        async with serving() as listener:
            streams = await connect(listener)
            head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % len(body)
            one = head + b"X: " + b"a" * HEAD_BYTES_MAX + b"\r\n\r\n" + body
            streams[1].write(one + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            async with asyncio.timeout(WITHIN_S):
                found = await streams[0].read()
            assert found.startswith(b"HTTP/1.1 431")
            assert found.count(b"HTTP/1.1") == 1
            streams[1].close()

    uvloop.run(scenario())  # it reads more at once than a head may have


@pytest.mark.parametrize(
    "piece",
    [
        b"",
        b"GET",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
    ],
    ids=["silent", "line", "head", "body"],
)
async def test_a_request_that_never_ends_is_closed_at_its_deadline(
    listener: Listener, piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bounds, "REQUEST_WITHIN_S", 0.2)
    streams = await connect(listener)
    streams[1].write(piece)
    async with asyncio.timeout(WITHIN_S):
        assert await streams[0].read() == b""
    streams[1].close()


async def test_a_connection_outlives_the_deadlines_of_answered_requests(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bounds, "REQUEST_WITHIN_S", 0.2)
    streams = await connect(listener)
    loop = asyncio.get_running_loop()
    started = loop.time()
    while loop.time() - started < 0.5:
        body = b"x" * 1_000
        streams[1].write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + body)
        assert (await answer(streams)).endswith(body)
    streams[1].close()


async def ask_for_much(listener: Listener) -> Streams:
    """Ask for more than anybody buffers, and read nothing yet."""
    streams = await asyncio.open_connection("127.0.0.1", listener.port, limit=1024)
    streams[1].write(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n")
    return streams


async def test_who_does_not_read_the_answer_is_cut_off(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bounds, "STALLED_AFTER_S", 0.3)
    streams = await ask_for_much(listener)
    cut: list[asyncio.Event] = []
    lost = http_bounds.BoundedHttp.connection_lost

    def note(self: http_bounds.BoundedHttp, exc: Exception | None) -> None:
        lost(self, exc)
        cut[0].set()

    cut.append(asyncio.Event())
    monkeypatch.setattr(http_bounds.BoundedHttp, "connection_lost", note)
    async with asyncio.timeout(WITHIN_S):
        await cut[0].wait()
    streams[1].close()


async def test_a_slow_reader_who_goes_on_reading_gets_everything(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bounds, "STALLED_AFTER_S", 0.3)
    streams = await ask_for_much(listener)
    received = 0
    async with asyncio.timeout(4 * WITHIN_S):
        while received < len(MUCH):
            received += len(await streams[0].readexactly(MUCH_PIECE))
            await asyncio.sleep(0.04)
    streams[1].close()


async def test_what_is_no_http_gets_a_problem_document(listener: Listener) -> None:
    for piece in (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        streams = await connect(listener)
        streams[1].write(piece)
        found = await answer(streams)
        assert found.startswith(b"HTTP/1.1 400")
        assert b'"code":"bad_request"' in found
        streams[1].close()


def test_who_leaves_amid_piled_up_requests_writes_no_tracebacks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        request = b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n"
        async with serving() as listener:
            for _ in range(3):
                streams = await asyncio.open_connection("127.0.0.1", listener.port, limit=1024)
                streams[1].write(request * 20)
                assert await streams[0].read(1024)
                streams[1].transport.abort()
            good = await connect(listener)
            for _ in range(20):  # until all of theirs had their turn
                good[1].write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await answer(good)).startswith(b"HTTP/1.1 200")
            good[1].close()

    uvloop.run(scenario())  # as in production: its sockets refuse writes after their end
    assert [record for record in caplog.records if record.exc_info] == []
