"""A visit's frames over plain HTTP: server-sent events in, a request for each command out.

Speaks like the part of a websocket that `RoomClient` uses, so that nothing above it differs.
For networks that block websockets.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

import httpx
import msgspec
from websockets.exceptions import ConnectionClosedError

OPEN_WITHIN_S = 10.0
SILENT_AFTER_S = 25.0
"""The server shows life every 10 s; silence for so long means that the stream is dead."""
DATA = "data: "
LOST = 1006


class EventSocket:
    """One stream of events and the way to its commands."""

    def __init__(self, http: httpx.AsyncClient, base_url: str, reply: httpx.Response) -> None:
        self._http = http
        self._base_url = base_url
        self._reply = reply
        self._lines = reply.aiter_lines()
        self._id = ""
        self._is_open = True
        self._patience: asyncio.Timeout | None = None
        self.close_code: int | None = None
        self.close_reason = ""
        self.transport = self

    async def begin(self) -> None:
        """Read the stream's id, which comes first."""
        first = await self._next()
        if first is None:
            raise ConnectionClosedError(None, None)
        self._id = msgspec.json.decode(first, type=dict[str, Any])["id"]

    async def send(self, frame: str) -> None:
        """Post one frame.

        Raises:
            ConnectionClosedError: the stream is over, or the frame does not get through.

        """
        address = f"{self._base_url}/v1/events/{self._id}"
        headers = {"Content-Type": "application/json"}
        try:
            reply = await self._http.post(address, content=frame, headers=headers)
        except httpx.TransportError:
            self.abort()
            raise ConnectionClosedError(None, None) from None
        if reply.status_code != httpx.codes.ACCEPTED:
            self.abort()
            raise ConnectionClosedError(None, None)

    async def close(self, code: int = 1000) -> None:
        """End the stream."""
        self.close_code = code
        self.abort()

    def abort(self) -> None:
        """Read no further, and wake who reads."""
        self._is_open = False
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        frame = await self._next()
        if frame is None:
            if self.close_code is None:
                self.close_code = LOST
            raise StopAsyncIteration
        bye = msgspec.json.decode(frame, type=dict[str, Any])
        if bye.get("t") == "bye":
            self.close_code, self.close_reason = bye["code"], bye.get("why", "")
        return frame

    async def _next(self) -> str | None:
        while self._is_open:
            try:
                async with asyncio.timeout(SILENT_AFTER_S) as self._patience:
                    line = await anext(self._lines)
            except (StopAsyncIteration, TimeoutError, httpx.TransportError):
                return None
            finally:
                self._patience = None
            if line.startswith(DATA):
                return line.removeprefix(DATA)
        return None


@asynccontextmanager
async def open_events(
    http: httpx.AsyncClient,
    base_url: str,
    room: str,
    token: str | None,
    resume: Mapping[str, Any] | None,
) -> AsyncIterator[EventSocket]:
    """Open a stream of events.

    Raises:
        ConnectionClosedError: the server does not open one.

    """
    request = http.build_request(
        "GET",
        f"{base_url}/v1/events",
        params={"room": room, **(resume or {})},
        headers={"Authorization": f"Bearer {token}"},
        timeout=httpx.Timeout(OPEN_WITHIN_S, read=None),
    )
    reply = await http.send(request, stream=True)
    try:
        if reply.status_code != httpx.codes.OK:
            raise ConnectionClosedError(None, None)
        socket = EventSocket(http, base_url, reply)
        await socket.begin()
        yield socket
    finally:
        with suppress(httpx.TransportError):
            await reply.aclose()
