"""WHIP (RFC 9725) and WHEP as plain values: a request in, a `Reply` out.

Knows methods, headers, status codes and problem documents; no framework, no sockets. Who asks
was decided by the caller: `user` and `role` come from a verified token.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec

from sfu.config import IceServer
from sfu.control.desk import Desk, etag
from sfu.control.model import Ask, Direction
from sfu.control.refusals import REFUSALS, Refused
from sfu.control.sdp import OFFER_BYTES_MAX, parse_fragment
from sfu.control.session import Session
from sfu.media.model import RoomId

OFFER_TYPE = "application/sdp"
FRAGMENT_TYPE = "application/trickle-ice-sdpfrag"
PROBLEM_TYPE = "application/problem+json"
ENDPOINT_METHODS = "GET, HEAD, OPTIONS, POST"
SESSION_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH"
EXPOSED_HEADERS = "Location, ETag, Link, Accept-Post, Accept-Patch"
ALLOWED_HEADERS = "Authorization, Content-Type, If-Match"
PREFLIGHT_S = 86_400
RETRY_AFTER_S = 2
"""What a full server or a rate limit asks the client to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request; header names in lower case.

    `session` is the last part of a session URL, None at the endpoint. `base_path` is the
    endpoint's path, for Location. `address` is the client's host.
    """

    direction: Direction
    method: str
    room: str
    user: str
    role: str
    session: str | None
    headers: Mapping[str, str]
    body: bytes
    base_path: str
    address: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Signalling:
    """The WHIP and WHEP resources.

    Args:
        desk: opens, finds and closes sessions.
        ice_servers: what clients are told of in Link headers.
        allows_origin: says whether pages of an origin may ask.
        clock: monotonic seconds.

    """

    def __init__(
        self,
        desk: Desk,
        ice_servers: Sequence[IceServer],
        allows_origin: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        self._desk = desk
        self._links = ", ".join(_link(server) for server in ice_servers)
        self._allows_origin = allows_origin
        self._clock = clock
        self._endpoint = {
            "POST": self._post,
            "GET": self._nothing,
            "HEAD": self._nothing,
            "OPTIONS": self._options,
        }
        self._session = {
            "PATCH": self._patch,
            "DELETE": self._delete,
            "GET": self._present,
            "HEAD": self._present,
            "OPTIONS": self._options,
        }

    def answer(self, request: Request) -> Reply:
        """Answer one request; every refusal becomes a problem document."""
        method = request.method.upper()
        table = self._endpoint if request.session is None else self._session
        try:
            handler = table.get(method)
            if handler is None:
                raise Refused("method_not_allowed")
            reply = handler(request)
        except Refused as refused:
            reply = problem(refused)
            if refused.code == "method_not_allowed":
                reply.headers["Allow"] = _methods(request)
        reply.headers.update(self._cross_origin(request))
        return reply

    def _post(self, request: Request) -> Reply:
        if len(request.body) > OFFER_BYTES_MAX:
            raise Refused("too_large")
        if _media_type(request) != OFFER_TYPE:
            raise Refused("unsupported_media_type")
        opened = self._desk.open(
            Ask(
                direction=request.direction,
                room=RoomId(request.room),
                user=request.user,
                role=request.role,
                address=request.address,
                offer=request.body,
            ),
            now=self._clock(),
        )
        headers = {
            "Content-Type": OFFER_TYPE,
            "Location": f"{request.base_path.rstrip('/')}/{opened.session}",
            "ETag": opened.etag,
            "Accept-Patch": FRAGMENT_TYPE,
        }
        if self._links:
            headers["Link"] = self._links
        return _reply(HTTPStatus.CREATED, headers, opened.answer.encode())

    def _patch(self, request: Request) -> Reply:
        session = self._find(request)
        if _media_type(request) != FRAGMENT_TYPE:
            raise Refused("unsupported_media_type", f"Send {FRAGMENT_TYPE}.")
        condition = request.headers.get("if-match", "").strip()
        if not condition:
            raise Refused("precondition_required")
        tags = [tag.strip() for tag in condition.split(",")]
        if condition != "*" and etag(session) not in tags:
            raise Refused("precondition_failed")
        fragment = parse_fragment(request.body)
        if not fragment.ufrag or fragment.ufrag == session.ice.remote_ufrag:
            # A lite agent sends no checks, so it has no use for the other end's candidates.
            return Reply(HTTPStatus.NO_CONTENT)
        if not fragment.pwd:
            raise Refused("bad_fragment", "New ICE credentials need ice-ufrag and ice-pwd.")
        body = self._desk.restart_ice(session, fragment)
        return _reply(HTTPStatus.OK, {"Content-Type": FRAGMENT_TYPE, "ETag": etag(session)}, body)

    def _delete(self, request: Request) -> Reply:
        # RFC 9725 section 4.2: If-Match is not looked at, the session ends at once.
        self._desk.close(self._find(request), "deleted", now=self._clock())
        return _reply(HTTPStatus.OK, {}, b"")

    def _nothing(self, request: Request) -> Reply:
        return Reply(HTTPStatus.NO_CONTENT, {"Accept-Post": OFFER_TYPE})

    def _present(self, request: Request) -> Reply:
        self._find(request)
        return Reply(HTTPStatus.NO_CONTENT, {"Accept-Patch": FRAGMENT_TYPE})

    def _options(self, request: Request) -> Reply:
        accepts = (
            {"Accept-Post": OFFER_TYPE}
            if request.session is None
            else {"Accept-Patch": FRAGMENT_TYPE}
        )
        return Reply(HTTPStatus.NO_CONTENT, {"Allow": _methods(request), **accepts})

    def _find(self, request: Request) -> Session:
        return self._desk.find(
            request.session or "",
            direction=request.direction,
            room=request.room,
            user=request.user,
        )

    def _cross_origin(self, request: Request) -> dict[str, str]:
        origin = request.headers.get("origin")
        headers = {"Vary": "Origin", "Access-Control-Expose-Headers": EXPOSED_HEADERS}
        if origin is not None and self._allows_origin(origin):
            headers["Access-Control-Allow-Origin"] = origin
        if request.method.upper() == "OPTIONS":
            headers |= {
                "Access-Control-Allow-Methods": "DELETE, GET, HEAD, OPTIONS, PATCH, POST",
                "Access-Control-Allow-Headers": ALLOWED_HEADERS,
                "Access-Control-Max-Age": str(PREFLIGHT_S),
            }
        return headers


def problem(refused: Refused) -> Reply:
    """Write a refusal as a problem document (RFC 9457)."""
    document = {
        "type": f"urn:liveroom:problem:{refused.code}",
        "title": REFUSALS[refused.code].why,
        "status": refused.status,
        "code": refused.code,
        "detail": refused.why,
    }
    headers = {"Content-Type": PROBLEM_TYPE}
    if refused.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return _reply(refused.status, headers, msgspec.json.encode(document))


def _reply(status: int, headers: dict[str, str], body: bytes) -> Reply:
    # ffmpeg cannot read a chunked 201, so the length is always said.
    return Reply(int(status), {**headers, "Content-Length": str(len(body))}, body)


def _methods(request: Request) -> str:
    return ENDPOINT_METHODS if request.session is None else SESSION_METHODS


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _link(server: IceServer) -> str:
    link = f'<{server.url}>; rel="ice-server"'
    if server.username is not None and server.credential is not None:
        link += (
            f'; username="{server.username}"; credential="{server.credential}"'
            '; credential-type="password"'
        )
    return link
