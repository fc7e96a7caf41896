"""The Autobahn cases against the gateway's shell: RFC 6455 as others read it.

The connection is the gateway's own, with its library settings and its prepared frames; only
the session echoes. Two things differ, both on purpose: messages may be as large, and come in as
many fragments, as the cases want, and there is no `bye`, which is not of the RFC.
"""

import random
from contextlib import suppress
from typing import Any, cast

import pytest
from kosoku import FailureError, run_fuzzingclient
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from liveroom.edge.backlog import Backlog, essential
from liveroom.edge.connection import SHELL, Connection
from liveroom.protocol.codec import Codec, write_frame

CORE = [f"{group}.*" for group in (*range(1, 8), 9, 10)]
"""Groups 1 to 10; there is no eighth."""
CORE_CASES = 301
LARGEST_MESSAGE = 16 * 1024 * 1024
MOST_FRAGMENTS = LARGEST_MESSAGE // 64
"""The library allows 4,096 (WEBSOCKETS_MAX_FRAGMENTS); cases 9.3 and 9.4 send more."""

LIBRARY_FAILS = {"7.1.5"}
"""A close inside a fragmented message: the library closes at once, by choice."""
LIBRARY_NOT_STRICT = {
    *("3.2", "3.3", "3.4", "4.1.3", "4.1.4", "4.1.5", "4.2.3", "4.2.4", "4.2.5", "5.15"),
    *("6.4.1", "6.4.2", "6.4.3", "6.4.4"),
}
"""It may fail the connection before it hands on what came just before, and it checks UTF-8
by message. 3.4, 4.1.5 and 4.2.5 are the same choice; they depend on how the bytes arrive."""


class EchoCodec:
    """Frames what came in as it came."""

    is_text = True

    def frame(self, message: str | bytes) -> bytes:
        payload = message.encode() if isinstance(message, str) else message
        return write_frame(payload, is_text=isinstance(message, str))


class EchoConnection(Connection):
    """The gateway's connection, whose frames are what came in."""

    def begin(self) -> None:
        super().begin()
        self.backlog = Backlog(
            cast(Codec, EchoCodec()), self._write, skipped=lambda _: None, bytes_max=1 << 30
        )
        if self.paused:
            self.backlog.pause()

    def _say_bye(self, code: int, why: str) -> None:
        pass


async def echo(connection: ServerConnection) -> None:
    assert isinstance(connection, EchoConnection)
    connection.begin()
    with suppress(ConnectionClosed):
        while True:
            connection.offer(essential(cast(Any, await connection.recv())))


def make(*args: Any, **kwargs: Any) -> EchoConnection:
    return EchoConnection(*args, chance=random.random, bytes_max=1 << 30, **kwargs)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_core_case_passes_but_for_what_the_library_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("websockets.asyncio.messages.MAX_FRAGMENTS", MOST_FRAGMENTS)
    settings = SHELL | {"max_size": LARGEST_MESSAGE + 1, "create_connection": make}
    async with serve(echo, "127.0.0.1", 0, **settings) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        try:
            results = await run_fuzzingclient(f"ws://127.0.0.1:{port}", cases=CORE, concurrency=2)
        except FailureError as failure:
            results = failure.results
    assert len(results) == CORE_CASES
    assert {one.case_id for one in results if not one.passed} <= LIBRARY_FAILS
    not_strict = {one.case_id for one in results if one.behavior.value == "NON-STRICT"}
    assert not_strict <= LIBRARY_NOT_STRICT
