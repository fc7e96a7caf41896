"""Routes of a visit over plain HTTP: one long answer of events, and a request for each command.

For clients whose network blocks websockets. The conversation is the gateway's; only what is
wrong with the request itself is refused here, all else is told in the stream as a websocket
would be told.
"""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from liveroom.domain.refusals import Refused
from liveroom.edge.api.backend import Backend
from liveroom.edge.api.requests import client_address, lower_headers
from liveroom.edge.api.values import is_id
from liveroom.edge.event_stream import EventStream, Streams
from liveroom.edge.origins import Origins
from liveroom.protocol.codec import FRAME_BYTES_MAX
from liveroom.protocol.messages import NUMBER_MAX

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Nothing on the way keeps or gathers events."""
RETRY_MS = 1_000


def event_handlers(backend: Backend, origins: Origins) -> list[HTTPRouteHandler]:
    """Make the routes of streams and their commands."""
    return [_stream_handler(backend), _command_handler(backend, origins)]


def _streams(backend: Backend) -> Streams:
    if backend.streams is None:
        raise Refused("unavailable")
    return backend.streams


def _stream_handler(backend: Backend) -> HTTPRouteHandler:
    async def open_stream(request: Request[Any, Any, Any]) -> Stream:
        streams = _streams(backend)
        hello = _hello(lower_headers(request), dict(request.query_params))
        opened = streams.open_stream(client_address(request))
        if opened is None:
            raise Refused("full", retry_ms=RETRY_MS)
        opened.feed(hello)
        return Stream(_leaving(opened), media_type="text/event-stream", headers=HEADERS)

    made = route("/v1/events", http_method=HttpMethod.GET, status_code=200, include_in_schema=False)
    handler = made(open_stream)
    assert isinstance(handler, HTTPRouteHandler)
    return handler


async def _leaving(opened: EventStream) -> AsyncIterator[bytes]:
    """Give the chunks; when the client is gone, so is the visit."""
    try:
        async for chunk in opened.chunks():
            yield chunk
    finally:
        opened.abort()


def _hello(headers: dict[str, str], query: dict[str, str]) -> str:
    """Write the hello that a websocket's client would send.

    Raises:
        Refused: `no_token`, `invalid`.

    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused("no_token")
    room = query.get("room", "")
    if not is_id(room):
        raise Refused("invalid", "room: name it in the query.")
    hello: dict[str, Any] = {"t": "hello", "token": token.strip(), "room": room}
    if "epoch" in query:
        hello["resume"] = {"epoch": query["epoch"], "offset": _number(query, "offset")}
        if "personal" in query:
            hello["resume"]["personal"] = _number(query, "personal")
    return msgspec.json.encode(hello).decode()


def _number(query: dict[str, str], name: str) -> int:
    text = query.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= NUMBER_MAX):
        raise Refused("invalid", f"{name}: a whole number.")
    return int(text)


def _command_handler(backend: Backend, origins: Origins) -> HTTPRouteHandler:
    async def take_command(request: Request[Any, Any, Any]) -> Response[bytes]:
        headers = lower_headers(request)
        if not origins.allows(headers.get("origin"), headers.get("host")):
            raise Refused("forbidden", "Pages of this origin may not ask; add it to --origins.")
        found = _streams(backend).stream(request.path_params["stream"])
        if found is None or not found.is_open():
            raise Refused("no_such_stream")
        frame = await request.body()
        if len(frame) > FRAME_BYTES_MAX:
            raise Refused("too_large")
        try:
            text = frame.decode()
        except UnicodeDecodeError:
            raise Refused("bad_request", "The frame is not UTF-8.") from None
        if not found.feed(text):
            raise Refused("rate", retry_ms=RETRY_MS)
        return Response(
            b"{}",
            status_code=202,
            media_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    made = route(
        "/v1/events/{stream:str}",
        http_method=HttpMethod.POST,
        status_code=202,
        include_in_schema=False,
    )(take_command)
    assert isinstance(made, HTTPRouteHandler)
    return made
