"""Routes of rooms: create, list, show, join, end, numbers."""

import time
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from liveroom.domain.actors import ANY_ROOM, Actor, Role
from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.domain.refusals import Refused
from liveroom.domain.rooms import Broadcast, Room, RoomDraft
from liveroom.edge.api.table import (
    ANYONE,
    HOSTS_AND_MERCHANTS,
    MERCHANTS,
    VISITORS,
    Call,
    Id,
    Number,
    Row,
    Title,
    Url,
)
from liveroom.edge.welcoming import present_snapshot
from liveroom.observe import JOIN_SECONDS
from liveroom.protocol.present import present_room

ANONYMOUS_TTL_S = 12 * 60 * 60
"""How long a visitor without a token may watch before joining again."""
ANONYMOUS_PREFIX = "anon-"

Language = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$(?!\n)")]


class RoomBody(msgspec.Struct, frozen=True, kw_only=True):
    """A room to create; without `id` one is made, `planned_at` is UTC milliseconds."""

    title: Title
    id: Id | None = None
    merchant: Id | None = None
    host: Id | None = None
    cover: Url | None = None
    language: Language = "zh"
    planned_at: Number | None = None
    anonymous: bool = True


class BroadcastShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One evening in public."""

    id: str
    title: str
    phase: str
    started_at: Number
    cover: str | None = None
    planned_at: Number | None = None
    ended_at: Number | None = None


class RoomShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A room's public fields."""

    id: str
    title: str
    merchant: str
    language: str
    live: bool
    online: Number
    followers: Number
    host: str | None = None
    host_name: str | None = None
    cover: str | None = None
    planned_at: Number | None = None
    broadcast: BroadcastShown | None = None


class RoomList(msgspec.Struct, frozen=True, kw_only=True):
    """All rooms, those on air first."""

    rooms: list[RoomShown]


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """Where events continue after this snapshot: for the websocket's hello."""

    epoch: str
    offset: Number
    personal: Number


class IceServer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a browser's RTCConfiguration."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """All that a client needs to enter; `token` is new for a visitor without one."""

    gateway_url: str
    whep_url: str
    ice_servers: list[IceServer]
    room: dict[str, Any]
    snapshot: dict[str, Any]
    resume: Resume
    whip_url: str | UnsetType = UNSET
    token: str | UnsetType = UNSET


class ReportShown(msgspec.Struct, frozen=True, kw_only=True):
    """What one broadcast brought; `revenue` in fen."""

    duration_ms: Number
    visits: Number
    orders: Number
    revenue: Number
    gifts: Number
    gift_coins: Number
    likes: Number
    new_followers: Number


class EndedShown(msgspec.Struct, frozen=True, kw_only=True):
    """A broadcast with its report once it ended; null when there is none."""

    broadcast: BroadcastShown | None
    report: ReportShown | None


class BroadcastList(msgspec.Struct, frozen=True, kw_only=True):
    """A room's evenings, newest first."""

    broadcasts: list[EndedShown]


async def create(call: Call, body: RoomBody) -> dict[str, Any]:
    """Create a room of the merchant: the body's, else the token's, else the default."""
    actor = call.bearer()
    if body.merchant is not None and body.merchant != actor.tenant:
        if call.claimed is not None:
            raise Refused("not_found", "That merchant is not yours.")
        actor = replace(actor, tenant=TenantId(body.merchant))
    if actor.room != ANY_ROOM and actor.room != body.id:
        raise Refused("other_room")
    room = await call.backend.services.rooms.create(
        actor,
        RoomDraft(
            title=body.title,
            id=None if body.id is None else RoomId(body.id),
            merchant=actor.tenant,
            host=None if body.host is None else UserId(body.host),
            cover=body.cover,
            language=body.language,
            planned_at=body.planned_at,
            anonymous=body.anonymous,
        ),
    )
    return _shown(call, room)


async def list_rooms(call: Call) -> dict[str, Any]:
    """List rooms for anyone, those on air first."""
    rooms = await call.backend.services.rooms.list()
    return {"rooms": [_shown(call, room) for room in rooms]}


async def show(call: Call) -> dict[str, Any]:
    """Show a room's public fields to anyone."""
    return _shown(call, call.place())


async def end(call: Call) -> dict[str, Any]:
    """End the broadcast that is going on and report what it brought."""
    ended = await call.backend.services.rooms.end(call.bearer(), call.place().id)
    if ended is None:
        return {"broadcast": None, "report": None}
    return _reported(call.place(), ended)


def present_broadcast(room: Room, broadcast: Broadcast) -> Any:
    """Make the public map of one evening."""
    return present_room(replace(room, broadcast=broadcast))["broadcast"]


def _reported(room: Room, broadcast: Broadcast) -> dict[str, Any]:
    return {"broadcast": present_broadcast(room, broadcast), "report": broadcast.report}


async def list_broadcasts(call: Call) -> dict[str, Any]:
    """List a room's evenings with their reports, newest first."""
    found = await call.backend.services.rooms.broadcasts(call.bearer(), call.place().id)
    return {"broadcasts": [_reported(call.place(), broadcast) for broadcast in found]}


async def join(call: Call) -> Joined:
    """Tell a client everything it needs to enter; a visitor without a token gets one."""
    started = time.perf_counter()
    backend, room = call.backend, call.place()
    actor, token = call.actor, None
    if actor is None:
        actor, token = _visitor(call)
    entry = await backend.services.rooms.enter(actor, room.id)
    media = await _media_address(call)
    publishes = actor.role is Role.HOST or (
        actor.role is Role.GUEST and await backend.services.staging.may_publish(room.id, actor.user)
    )
    joined = Joined(
        gateway_url=backend.addresses().gateway_url,
        whep_url=f"{media}/whep",
        whip_url=f"{media}/whip" if publishes else UNSET,
        ice_servers=[],
        room=_shown(call, entry.room),
        snapshot=present_snapshot(
            entry.snapshot, online=backend.online(room.id), is_host=actor.role is Role.HOST
        ),
        resume=Resume(epoch=entry.epoch, offset=entry.offset, personal=entry.personal),
        token=token or UNSET,
    )
    JOIN_SECONDS.labels("http").observe(time.perf_counter() - started)
    return joined


async def _media_address(call: Call) -> str:
    """Say where the room's media is: at the node that has the host, else here."""
    place = await call.backend.company.elsewhere(call.place().id)
    origin = call.backend.addresses().http_url if place is None else place.url
    return f"{origin}/v1/rooms/{call.place().id}"


async def numbers(call: Call) -> dict[str, int | float]:
    """Show what the board shows."""
    return await call.backend.services.numbers.of(call.bearer(), call.place().id)


def _visitor(call: Call) -> tuple[Actor, str]:
    """Let somebody without a token watch, where the room allows it."""
    room = call.place()
    if not room.anonymous:
        raise Refused("no_token", "This room wants a token: Authorization: Bearer TOKEN.")
    actor = Actor(
        user=UserId(ANONYMOUS_PREFIX + call.backend.new_id()),
        role=Role.VIEWER,
        room=room.id,
        tenant=room.tenant,
        anonymous=True,
    )
    at = call.backend.now_ms() / 1000
    return actor, call.backend.tokens.sign(actor, at=at, ttl_s=ANONYMOUS_TTL_S)


def _shown(call: Call, room: Room) -> dict[str, Any]:
    return present_room(room) | {"online": call.backend.online(room.id)}


ROWS = (
    Row(
        method="POST",
        path="/v1/rooms",
        summary="Create a room.",
        handle=create,
        access=MERCHANTS,
        body=RoomBody,
        answer=RoomShown,
        status=201,
        refusals=("exists",),
    ),
    Row(
        method="GET",
        path="/v1/rooms",
        summary="List rooms, those on air first.",
        handle=list_rooms,
        access=ANYONE,
        answer=RoomList,
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}",
        summary="Show a room's public fields.",
        handle=show,
        access=ANYONE,
        answer=RoomShown,
    ),
    Row(
        method="POST",
        path="/v1/rooms/{room}/end",
        summary="End the broadcast that is going on.",
        handle=end,
        access=MERCHANTS,
        answer=EndedShown,
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/broadcasts",
        summary="List a room's broadcasts with their reports.",
        handle=list_broadcasts,
        access=HOSTS_AND_MERCHANTS,
        answer=BroadcastList,
    ),
    Row(
        method="POST",
        path="/v1/rooms/{room}/join",
        summary="Get all that a client needs to enter.",
        handle=join,
        access=VISITORS,
        answer=Joined,
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/numbers",
        summary="Show a room's numbers.",
        handle=numbers,
        access=HOSTS_AND_MERCHANTS,
        answer=dict[str, int | float | dict[str, int]],
    ),
)
