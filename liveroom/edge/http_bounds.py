"""HTTP/1.1 within bounds: how large a head may be, how long a request and its reader may take.

Uvicorn bounds none: a client could send headers for ever, one byte a minute, or ask and never
read the answer. All are ended here, without our own code; bodies are bounded by the application.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_BYTES_MAX = 32 * 1024
"""Request line and headers together; more is answered with 431 and the connection closed.

An unfinished head is looked at once per read, so one read more may be held for a moment.
"""
HEADER_EXTRA_BYTES = 4
"""What stands around a header's name and value: a colon, a blank, a line's end."""

REQUEST_WITHIN_S = 20.0
"""From a request's first byte (or the connection's opening) to its last; then it is closed."""

STALLED_AFTER_S = 20.0
"""How long somebody may read next to nothing of an answer that waits; then they are cut off."""

READ_BYTES_MIN = 16 * 1024
"""What they must read in that time."""

_UNREADABLE_BODY = (
    b'{"type":"/docs#bad_request","title":"Bad Request","status":400,'
    b'"detail":"This is not HTTP/1.1 (RFC 9112); correct the client.","code":"bad_request"}'
)
UNREADABLE = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"content-type: application/problem+json\r\n"
    b"content-length: " + str(len(_UNREADABLE_BODY)).encode() + b"\r\n"
    b"connection: close\r\n\r\n" + _UNREADABLE_BODY
)
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
        self._parsed_bytes = 0
        self._is_refused = False
        self._deadline: asyncio.TimerHandle | None = None
        self._reader_watch: asyncio.TimerHandle | None = None
        self._answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; its first request must come soon."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a connection."""
        self._disarm()
        self._unwatch()
        self.pipeline.clear()
        if self._answering is not None:  # uvicorn tells the request read last, not this one
            self._answering.disconnected = True
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Note that an answer waits to be read; it must not wait for ever."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Note that the answer was read."""
        self._unwatch()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and close."""
        self.transport.write(UNREADABLE)
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Read a piece of a request; end the connection when its head outgrows the bound."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse_head()

    def on_message_begin(self) -> None:
        """Note that a request begins."""
        super().on_message_begin()
        self._in_head = True
        self._parsed_bytes = 0
        if self._deadline is None:
            self._arm()

    def on_url(self, url: bytes) -> None:
        """Count a piece of the request line."""
        self._parsed_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._parsed_bytes += len(name) + len(value) + HEADER_EXTRA_BYTES
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note that a request's head is complete; one too large came within one read."""
        if self._parsed_bytes > HEAD_BYTES_MAX:
            self._refuse_head()
        if self._is_refused:
            return
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is complete; the next one has its own deadline."""
        if self._is_refused:
            return
        super().on_message_complete()
        self._in_head = True
        self._disarm()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse_head(self) -> None:
        if not self._is_refused:
            self._is_refused = True
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_WITHIN_S, self._end)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._deadline = None
        self.transport.close()

    def _watch(self) -> None:
        self._unwatch()
        waiting = self.transport.get_write_buffer_size()
        self._reader_watch = self.loop.call_later(STALLED_AFTER_S, self._look, waiting)

    def _unwatch(self) -> None:
        if self._reader_watch is not None:
            self._reader_watch.cancel()
            self._reader_watch = None

    def _look(self, waited: int) -> None:
        if self.transport.get_write_buffer_size() > waited - READ_BYTES_MIN:
            self.transport.abort()  # a close would wait for the reader again
        else:
            self._watch()
