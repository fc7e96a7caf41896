"""HTTP/1.1 within bounds: how large a request's head may be, and how long a request may take.

Uvicorn bounds neither: a client could send headers for ever, or one byte a minute. Both are
ended here, before any of our code runs for them; bodies are bounded by the application.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 32 * 1024
"""Request line and headers together; more is answered with 431 and the connection closed.

Checked once per read, so one read more may be held for a moment.
"""

REQUEST_WITHIN_S = 20.0
"""From a request's first byte (or the connection's opening) to its last; then it is closed."""

_TOO_LARGE_BODY = (
    b'{"type":"/docs#too_large","title":"Request Header Fields Too Large","status":431,'
    b'"detail":"The headers are too large; send less than 32 KiB.","code":"too_large"}'
)
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: application/problem+json\r\n"
    b"content-length: " + str(len(_TOO_LARGE_BODY)).encode() + b"\r\n"
    b"connection: close\r\n\r\n" + _TOO_LARGE_BODY
)


class BoundedHttp(HttpToolsProtocol):
    """Uvicorn's protocol with a bounded head and a deadline for each request."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; its first request must come soon."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a connection."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read a piece of a request; end the connection when its head outgrows the bound."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX:
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        super().on_message_begin()
        self._in_head = True
        if self._deadline is None:
            self._arm()

    def on_headers_complete(self) -> None:
        """Note that a request's head is complete."""
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that a request is complete; the next one has its own deadline."""
        super().on_message_complete()
        self._in_head = True
        self._disarm()

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_WITHIN_S, self._end)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._deadline = None
        self.transport.close()
