"""The ASGI app: rows become routes, refusals become problem documents, answers get headers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, route
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import Message, Scope

from liveroom.domain.refusals import Refused
from liveroom.edge.api import (
    coins,
    events,
    gifts,
    health,
    imports,
    loyalty,
    media,
    members,
    moderation,
    parcels,
    refunds,
    replays,
    rooms,
    sessions,
    shop,
    stage,
    webhooks,
)
from liveroom.edge.api.access import acting, authenticate, find_room, owned, permit, settled
from liveroom.edge.api.backend import Backend
from liveroom.edge.api.documents import docs_page, openapi
from liveroom.edge.api.problems import MEDIA_TYPE, problem_of, refusal_of
from liveroom.edge.api.rates import Throttle
from liveroom.edge.api.requests import client_address, lower_headers
from liveroom.edge.api.table import ANYONE, Call, Plain, Row, read_key
from liveroom.edge.api.values import check_json, decode
from liveroom.edge.origins import Origins
from liveroom.observe import HTTP_REQUESTS, logger

BODY_BYTES_MAX = 64 * 1024
"""A larger request body is refused as `too_large`."""

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
API_CSP = "default-src 'none'; frame-ancestors 'none'"
DOCS_CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
API_CORS = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, Liveroom-Admin-Key, Liveroom-Merchant"
    ),
    "Access-Control-Expose-Headers": "Location, Retry-After, WWW-Authenticate",
    "Access-Control-Max-Age": "600",
}
READING = frozenset({"GET", "HEAD", "OPTIONS"})

_encoder = msgspec.json.Encoder()


async def _open_api(_call: Call) -> Plain:
    return Plain(_encoder.encode(openapi(ROWS)), "application/json")


async def _docs(_call: Call) -> Plain:
    return Plain(docs_page(ROWS).encode(), "text/html")


ROWS: tuple[Row, ...] = (
    *health.ROWS,
    *rooms.ROWS,
    *shop.ROWS,
    *refunds.ROWS,
    *parcels.ROWS,
    *members.ROWS,
    *gifts.ROWS,
    *coins.ROWS,
    *imports.ROWS,
    *loyalty.ROWS,
    *stage.ROWS,
    *sessions.ROWS,
    *replays.ROWS,
    *moderation.ROWS,
    *webhooks.ROWS,
    Row(
        method="GET",
        path="/openapi.json",
        summary="This API as an OpenAPI 3.1 document.",
        handle=_open_api,
        access=ANYONE,
    ),
    Row(
        method="GET",
        path="/docs",
        summary="This API for people.",
        handle=_docs,
        access=ANYONE,
    ),
)
"""The whole API but for media and pages."""


def build_api(
    backend: Backend, *, pages: Sequence[HTTPRouteHandler] = (), origins: Origins | None = None
) -> Litestar:
    """Make the ASGI app of pages, REST, WHIP and WHEP.

    Args:
        backend: what the handlers reach.
        pages: route handlers of the browser pages.
        origins: the allow-list of browsers' origins; made from the settings by default.

    """
    config = backend.config
    allowed = origins or Origins(
        config.origins, lambda: backend.addresses().http_url, config.http.host
    )
    doors = _Doors(backend, allowed, Throttle(config.limits, started_at=backend.now_ms()))
    return Litestar(
        [
            *(_endpoint(path, rows, doors) for path, rows in _by_path().items()),
            *media.media_handlers(backend),
            *events.event_handlers(backend, allowed),
            *replays.file_handlers(backend),
            *pages,
        ],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=BODY_BYTES_MAX,
        before_send=[_header_writer(allowed, media_open=config.origins in ((), ("*",)))],
        exception_handlers={Exception: _answer_exception, HTTPException: _answer_exception},
        debug=False,
    )


def _by_path() -> dict[str, dict[str, Row]]:
    """Group the rows by path: one handler each, so that 405 and OPTIONS name all methods."""
    paths: dict[str, dict[str, Row]] = {}
    for row in ROWS:
        paths.setdefault(row.path, {})[row.method] = row
    return paths


@dataclass(frozen=True, slots=True)
class _Doors:
    """What every endpoint shares."""

    backend: Backend
    origins: Origins
    throttle: Throttle


def _endpoint(path: str, rows: Mapping[str, Row], doors: _Doors) -> HTTPRouteHandler:
    async def handle(request: Request[Any, Any, Any]) -> Response[bytes]:
        row = rows["GET" if request.method == HttpMethod.HEAD else request.method]
        headers = lower_headers(request)
        if row.method not in READING and not doors.origins.allows(
            headers.get("origin"), headers.get("host")
        ):
            raise Refused("forbidden", "Pages of this origin may not ask; add it to --origins.")
        return _answer(row, await _carry_out(row, doors, request, headers))

    methods = [HttpMethod(method) for method in rows]
    if HttpMethod.GET in methods:  # RFC 9110 section 9.1: what knows GET knows HEAD
        methods.append(HttpMethod.HEAD)
    made = route(
        path.replace("}", ":str}"),
        http_method=methods,
        status_code=200,
        include_in_schema=False,
    )(handle)
    assert isinstance(made, HTTPRouteHandler)
    return made


async def _carry_out(
    row: Row, doors: _Doors, request: Request[Any, Any, Any], headers: dict[str, str]
) -> object:
    backend = doors.backend
    claims = authenticate(backend, row.access, headers)
    actor = None if claims is None else acting(claims, headers)
    room = None
    if row.names_room:
        room = await find_room(backend, request.path_params["room"])
        actor = None if actor is None else owned(actor, room)
    elif actor is not None:
        actor = await settled(backend, actor)
    if actor is not None:
        permit(row.access, actor)
        if row.rate is not None:
            doors.throttle.admit(row.rate, actor, at=backend.now_ms())
    if row.body is not None:
        check_json(headers.get("content-type"))
    raw = await request.body() if row.method not in READING else b""
    call = Call(
        backend=backend,
        actor=actor,
        claimed=None if claims is None else claims.tenant,
        room=room,
        key=read_key(row, headers),
        path=request.path_params,
        query={name: value for name, value in request.query_params.items() if name in row.query},
        headers=headers,
        raw=raw,
        address=client_address(request),
    )
    if row.body is None:
        return await row.handle(call)
    return await row.handle(call, decode(row.body, raw))


def _answer(row: Row, value: object) -> Response[bytes]:
    if isinstance(value, Plain):
        media_type = value.media_type
        if media_type.startswith("text/"):  # the framework adds the charset itself
            media_type = media_type.removesuffix("; charset=utf-8")
        kept = (
            {} if value.fresh_s is None else {"Cache-Control": f"public, max-age={value.fresh_s}"}
        )
        return Response(
            value.content, status_code=value.status, media_type=media_type, headers=kept
        )
    return Response(
        _encoder.encode(value),
        status_code=row.status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _answer_exception(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    refused, headers = refusal_of(error)
    if refused.code == "internal":
        logger("api").error("request_failed", path=request.scope["path"], exc_info=error)
    return Response(
        _encoder.encode(problem_of(refused)),
        status_code=refused.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **headers},
    )


def _header_writer(
    origins: Origins, *, media_open: bool
) -> Callable[[Message, Scope], Awaitable[None]]:
    async def write(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        headers = MutableScopeHeaders.from_message(message)
        path = scope["path"]
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("Content-Security-Policy", DOCS_CSP if path == "/docs" else API_CSP)
        if media.is_media_path(path):
            _write_cors(headers, scope, media.CORS, None if media_open else origins)
        elif path.startswith("/v1/"):
            _write_cors(headers, scope, API_CORS, origins)
        template = scope.get("path_template") or "unmatched"
        HTTP_REQUESTS.labels(template, str(message["status"])).inc()

    return write


def _write_cors(
    headers: MutableScopeHeaders, scope: Scope, wanted: Mapping[str, str], origins: Origins | None
) -> None:
    """Let a browser page read the answer: of the listed origins, or of all (None)."""
    if origins is None:
        headers.setdefault("Access-Control-Allow-Origin", "*")
        for name, value in wanted.items():
            headers.setdefault(name, value)
        return
    asked = {name: value for name, value in scope["headers"] if name in (b"origin", b"host")}
    headers.setdefault("Vary", "Origin")
    origin = asked.get(b"origin", b"").decode("latin-1")
    if origin and origins.allows(origin, asked.get(b"host", b"").decode("latin-1")):
        headers["Access-Control-Allow-Origin"] = origin
        for name, value in wanted.items():
            headers.setdefault(name, value)
