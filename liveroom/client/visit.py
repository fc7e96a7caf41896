"""The values of a visit to a room, as a client sees them, and the HTTP join that begins it.

Flows in: JSON and decoded frames. Flows out: frozen values and refusals.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec


class CommandRefused(Exception):  # noqa: N818 - it is an answer, not an error
    """The server said `no` to one command; the connection lives."""

    def __init__(self, code: str, why: str, retry_ms: int | None = None) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code
        self.why = why
        self.retry_ms = retry_ms


class RoomClosed(Exception):  # noqa: N818 - it says how the visit ended
    """The visit is over: the server said goodbye, or the client was closed."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(f"{code} {why}")
        self.code = code
        self.why = why


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """One thing that happened in the room; `fields` holds what belongs to its kind."""

    kind: str
    id: str
    at: int
    fields: Mapping[str, Any]
    n: int | None = None
    pn: int | None = None
    cid: str | None = None
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the server said on entering."""

    you: Mapping[str, Any]
    room: Mapping[str, Any]
    snapshot: Mapping[str, Any]
    epoch: str
    offset: int
    personal: int
    resumed: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """The HTTP answer to a join: where the room's parts are."""

    gateway_url: str
    whep_url: str
    whip_url: str | None
    token: str
    body: Mapping[str, Any]


async def join(http: httpx.AsyncClient, base_url: str, room: str, token: str | None) -> Joined:
    """Ask over HTTP for all that is needed to enter a room.

    Raises:
        CommandRefused: with the problem document's code.
        httpx.TransportError: the server is not there.

    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    reply = await http.post(f"{base_url.rstrip('/')}/v1/rooms/{room}/join", headers=headers)
    if reply.status_code >= 400:
        raise refusal_of(reply)
    body = msgspec.json.decode(reply.content, type=dict[str, Any])
    return Joined(
        gateway_url=str(body["gateway_url"]),
        whep_url=str(body["whep_url"]),
        whip_url=body.get("whip_url"),
        token=str(body.get("token") or token or ""),
        body=body,
    )


def refusal_of(reply: httpx.Response) -> CommandRefused:
    """Read a problem document into the refusal it carries."""
    try:
        body = msgspec.json.decode(reply.content, type=dict[str, Any])
    except msgspec.DecodeError:
        body = {}
    return CommandRefused(
        str(body.get("code") or f"http_{reply.status_code}"),
        str(body.get("detail") or body.get("title") or reply.reason_phrase),
        body.get("retry_ms"),
    )


_ENVELOPE = frozenset({"k", "id", "at", "n", "pn", "cid"})


def read_event(raw: Mapping[str, Any], *, personal: bool) -> RoomEvent:
    """Turn an event map into a value."""
    return RoomEvent(
        kind=str(raw.get("k")),
        id=str(raw.get("id", "")),
        at=raw.get("at", 0),
        fields={key: value for key, value in raw.items() if key not in _ENVELOPE},
        n=raw.get("n"),
        pn=raw.get("pn"),
        cid=raw.get("cid"),
        personal=personal,
    )
