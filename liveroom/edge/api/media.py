"""WHIP and WHEP routes (RFC 9725, WHEP draft): who may, then the media core answers.

Every verb is set by hand, because the media core knows what the standards want of each.
Preflights need no token. Where no origins are listed, browser pages from anywhere may ask:
a token is the only authority.
"""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

from liveroom.domain.actors import Actor, Role
from liveroom.domain.ids import RoomId
from liveroom.domain.refusals import Refused
from liveroom.edge.api.access import acting, authenticate, find_room, owned
from liveroom.edge.api.backend import Backend
from liveroom.edge.api.requests import client_address, lower_headers
from liveroom.edge.api.table import BEARERS
from liveroom.edge.api.values import is_id

PUBLISHERS = frozenset({Role.HOST, Role.GUEST})
VERBS = (
    HttpMethod.POST,
    HttpMethod.PATCH,
    HttpMethod.DELETE,
    HttpMethod.GET,
    HttpMethod.HEAD,
    HttpMethod.PUT,
    HttpMethod.OPTIONS,
)
CORS: Mapping[str, str] = {
    "Access-Control-Allow-Methods": "POST, PATCH, DELETE, OPTIONS, GET",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Expose-Headers": "Location, ETag, Link, Accept-Post, Accept-Patch, Retry-After",
    "Access-Control-Max-Age": "600",
}


def is_media_path(path: str) -> bool:
    """Whether a path is a WHIP or WHEP endpoint or session."""
    parts = path.split("/")
    return path.startswith("/v1/rooms/") and len(parts) >= 5 and parts[4] in ("whip", "whep")


async def check_publisher(backend: Backend, actor: Actor, room: RoomId) -> None:
    """Refuse who may not publish: others than hosts, and guests without a seat."""
    if actor.role not in PUBLISHERS:
        raise Refused("forbidden", "Publishing needs a token of role host, or guest with a seat.")
    if actor.role is Role.GUEST and not await backend.services.staging.may_publish(
        room, actor.user
    ):
        raise Refused("no_seat")


async def _check_place(backend: Backend, actor: Actor, room: RoomId) -> None:
    """Refuse a host while another one is live on another node; the same one moves here."""
    if actor.role is Role.HOST:
        place = await backend.company.elsewhere(room)
        if place is not None and place.user != actor.user:
            raise Refused("host_live")


async def _admit(backend: Backend, kind: str, room: str, headers: Mapping[str, str]) -> Actor:
    claims = authenticate(backend, BEARERS, headers)
    assert claims is not None
    place = await find_room(backend, room)
    actor = owned(acting(claims, headers), place)
    await backend.services.access.enter(actor, place.id)  # not who was kicked or banned
    if kind == "whip":
        await check_publisher(backend, actor, place.id)
    return actor


def media_handlers(backend: Backend) -> list[HTTPRouteHandler]:
    """Make the routes of both endpoints and their sessions."""
    return [_handler(backend, "whip"), _handler(backend, "whep")]


def _handler(backend: Backend, kind: str) -> HTTPRouteHandler:
    base = f"/v1/rooms/{{room:str}}/{kind}"

    async def handle(request: Request[Any, Any, Any]) -> Response[bytes]:
        headers = lower_headers(request)
        room, session = request.path_params["room"], request.path_params.get("session")
        user = role = ""
        body = b""
        if request.method != HttpMethod.OPTIONS:
            actor = await _admit(backend, kind, room, headers)
            user, role = actor.user, str(actor.role)
            if kind == "whip" and session is None and request.method == HttpMethod.POST:
                await _check_place(backend, actor, RoomId(room))
                await backend.services.rooms.introduce(actor, RoomId(room))
            body = await request.body()
        elif not is_id(room):
            raise Refused("no_such_room")
        port = backend.media.whip if kind == "whip" else backend.media.whep
        reply = await port(
            method=str(request.method),
            room=room,
            user=user,
            role=role,
            session=session,
            headers=headers,
            body=body,
            base_path=f"/v1/rooms/{room}/{kind}",
            address=client_address(request),
        )
        return _response(reply.status, reply.headers, reply.body)

    made = route(
        [base, base + "/{session:str}"],
        http_method=list(VERBS),
        status_code=200,
        include_in_schema=False,
        name=kind,
    )(handle)
    assert isinstance(made, HTTPRouteHandler)
    return made


def _response(status: int, headers: Mapping[str, str], body: bytes) -> Response[bytes]:
    names = {name.lower(): value for name, value in headers.items()}
    media_type = names.pop("content-type", None)
    names.pop("content-length", None)
    response = Response(
        content=body,
        status_code=status,
        headers=names,
        media_type=media_type or "application/octet-stream",
    )
    return response
