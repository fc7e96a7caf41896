"""Routes that look into the media: what a room's sessions carry, and each one's numbers.

A host sees how viewers fare but not where they are: addresses are the merchant's business.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from liveroom.domain.actors import Role
from liveroom.domain.refusals import Refused
from liveroom.edge.api.table import HOSTS_AND_MERCHANTS, Call, Number, Row

LISTED = 100
"""Sessions of one listing when nobody says how many."""
LISTED_MAX = 1_000

Share = Annotated[float, Meta(ge=0, le=1)]


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """How long packets stayed in the server over the last ten seconds, socket in to socket out."""

    samples: Number
    p50_ms: float | None = None
    p99_ms: float | None = None


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What all sessions carry; `loss` is the viewers' mean, `layers` counts their video legs."""

    publishers: Number
    viewers: Number
    legs: Number
    bitrate_in_bps: Number
    bitrate_out_bps: Number
    packets_out: Number
    repairs: Number
    nacks: Number
    keyframe_requests: Number
    loss: Share
    layers: dict[str, Number]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """The candidate pair in use; `remote` is null for a host."""

    local: str
    remote: str | None


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One m-line: a publisher's track (no slot) or a viewer's leg.

    `repairs` are packets that RTX brought or took, `nacks` the numbers asked for.
    """

    mid: str
    kind: str
    slot: Number | None
    codec: str | None
    layer: str | None
    ssrc: Number | None
    bitrate_bps: Number
    packets: Number
    bytes: Number
    lost: Number
    fraction_lost: Share | None
    jitter_ms: float | None
    repairs: Number
    nacks: Number
    keyframe_requests: Number
    keyframes: Number | None


class SessionShown(msgspec.Struct, frozen=True, kw_only=True):
    """One session; `silent_s` since its last authenticated sign of life."""

    id: str
    direction: str
    user: str
    role: str
    state: str
    age_s: float
    silent_s: float
    pair: Pair | None
    rtt_ms: float | None
    allowed_bps: Number | None
    streams: list[Stream]


class SessionList(msgspec.Struct, frozen=True, kw_only=True):
    """A room's media at `at` (UTC ms): publishers first, then the newest; `left_off` more."""

    at: Number
    forward: Forward
    totals: Totals
    sessions: list[SessionShown]
    left_off: Number


async def list_sessions(call: Call) -> SessionList:
    """Show what a room's sessions carry."""
    report = await call.backend.media.room_report(call.place().id, limit=_limit(call))
    found = msgspec.convert(report | {"at": call.backend.now_ms()}, SessionList)
    return msgspec.structs.replace(found, sessions=[_for(call, each) for each in found.sessions])


async def show_session(call: Call) -> SessionShown:
    """Show one session's numbers."""
    report = await call.backend.media.session_report(call.place().id, call.path["session"])
    if report is None:
        raise Refused("no_such_session")
    return _for(call, msgspec.convert(report, SessionShown))


def _for(call: Call, session: SessionShown) -> SessionShown:
    if session.pair is None or call.bearer().role is not Role.HOST:
        return session
    pair = msgspec.structs.replace(session.pair, remote=None)
    return msgspec.structs.replace(session, pair=pair)


def _limit(call: Call) -> int:
    asked = call.query.get("limit")
    if asked is None:
        return LISTED
    if not (asked.isascii() and asked.isdecimal()) or not 0 <= int(asked[:8]) <= LISTED_MAX:
        raise Refused("invalid", f"limit is a number from 0 to {LISTED_MAX}.")
    return int(asked)


ROWS: tuple[Row, ...] = (
    Row(
        method="GET",
        path="/v1/rooms/{room}/sessions",
        summary="Show what a room's media sessions carry.",
        handle=list_sessions,
        access=HOSTS_AND_MERCHANTS,
        answer=SessionList,
        query=("limit",),
        refusals=("invalid",),
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/sessions/{session}",
        summary="Show one media session's numbers.",
        handle=show_session,
        access=HOSTS_AND_MERCHANTS,
        answer=SessionShown,
        refusals=("no_such_session",),
    ),
)
