"""Routes for a shop's backend: say something into a room, read it as it is, webhooks out."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from liveroom.domain.actors import Role
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.webhooks import KINDS, URL_CHARS_MAX, Endpoint
from liveroom.edge.api.access import find_room, owned
from liveroom.edge.api.table import (
    BEARERS,
    MERCHANTS,
    PRINTED,
    Call,
    Id,
    Key,
    Number,
    Row,
)
from liveroom.edge.welcoming import present_snapshot
from liveroom.protocol.present import present_room
from liveroom.service.announcing import Announced, Announcement
from liveroom.service.webhooks import EndpointState

NAME_PATTERN = r"^[a-z][a-z0-9_.-]{0,31}\Z"
Kind = Annotated[str, Meta(max_length=32)]
Text = Annotated[str, Meta(max_length=200, pattern=PRINTED)]


class EventBody(msgspec.Struct, frozen=True, kw_only=True):
    """What to say: `name` is the shop's own word, `data` up to 4 KiB; `to` one person."""

    name: Annotated[str, Meta(pattern=NAME_PATTERN)] = "notice"
    text: Text = ""
    data: dict[str, Any] = {}
    to: Id | None = None
    durable: bool = True


class EventSaid(msgspec.Struct, frozen=True, kw_only=True):
    """The event and its number: `n` in the room, `pn` for the person."""

    id: str
    n: Number | None
    pn: Number | None


class SnapshotShown(msgspec.Struct, frozen=True, kw_only=True):
    """Everything current in a room at `offset`."""

    room: dict[str, Any]
    snapshot: dict[str, Any]
    epoch: str
    offset: Number


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send what; no kinds = all, no room = all rooms of the shop."""

    url: Annotated[str, Meta(min_length=1, max_length=URL_CHARS_MAX, pattern=PRINTED)]
    kinds: Annotated[list[Kind], Meta(max_length=len(KINDS))] = []
    room: Id | None = None


class WebhookShown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An endpoint; its secret is shown only when it is created."""

    id: str
    url: str
    kinds: list[str]
    room: str | None
    paused: bool
    failures: Number
    open_until: Number
    created_at: Number
    secret: str | None = None


class WebhookList(msgspec.Struct, frozen=True, kw_only=True):
    """A shop's endpoints."""

    webhooks: list[WebhookShown]


class DeadPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events that was given up."""

    id: str
    room: str
    at: Number
    attempts: Number
    why: str | None


class WebhookState(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint, how many pages wait, and those given up."""

    webhook: WebhookShown
    waiting: Number
    dead: list[DeadPage]


class PauseBody(msgspec.Struct, frozen=True, kw_only=True):
    """Stop sending, or go on."""

    paused: bool


class Redelivered(msgspec.Struct, frozen=True, kw_only=True):
    """How many pages are on their way again."""

    pages: Number


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint is forgotten."""

    id: str


async def announce(call: Call, body: EventBody) -> Announced:
    """Say something into a room, or to one person in it."""
    said = Announcement(
        name=body.name,
        text=body.text,
        data=body.data,
        to=None if body.to is None else UserId(body.to),
        durable=body.durable,
    )
    return await call.backend.services.announcing.announce(
        call.bearer(), call.place().id, said, call.idempotency_key()
    )


async def snapshot(call: Call) -> SnapshotShown:
    """Show everything current in a room."""
    actor, room = call.bearer(), call.place().id
    entry = await call.backend.services.rooms.enter(actor, room)
    return SnapshotShown(
        room=present_room(entry.room),
        snapshot=present_snapshot(
            entry.snapshot,
            online=call.backend.online(room),
            is_host=actor.role is Role.HOST,
        ),
        epoch=entry.epoch,
        offset=entry.offset,
    )


async def create(call: Call, body: WebhookBody) -> WebhookShown:
    """Keep a new endpoint."""
    actor = call.bearer()
    if body.room is not None:
        owned(actor, await find_room(call.backend, body.room))
    made = await call.backend.services.webhooks.create(
        actor, body.url, body.kinds, None if body.room is None else RoomId(body.room)
    )
    return _shown(made, secret=made.secret)


async def list_webhooks(call: Call) -> WebhookList:
    """List the shop's endpoints."""
    found = await call.backend.services.webhooks.list(call.bearer())
    return WebhookList(webhooks=[_shown(endpoint) for endpoint in found])


async def show(call: Call) -> WebhookState:
    """Show an endpoint and what became of its pages."""
    return _state(await call.backend.services.webhooks.show(call.bearer(), _id(call)))


async def pause(call: Call, body: PauseBody) -> WebhookState:
    """Stop sending to an endpoint, or go on."""
    return _state(
        await call.backend.services.webhooks.pause(call.bearer(), _id(call), paused=body.paused)
    )


async def redeliver(call: Call) -> Redelivered:
    """Send pages again that were given up."""
    return Redelivered(
        pages=await call.backend.services.webhooks.redeliver(call.bearer(), _id(call))
    )


async def remove(call: Call) -> Removed:
    """Forget an endpoint."""
    await call.backend.services.webhooks.remove(call.bearer(), _id(call))
    return Removed(id=_id(call))


def _id(call: Call) -> str:
    return call.path_id("webhook", "no_such_webhook")


def _shown(endpoint: Endpoint, *, secret: str | None = None) -> WebhookShown:
    return WebhookShown(
        id=endpoint.id,
        url=endpoint.url,
        kinds=list(endpoint.kinds),
        room=endpoint.room,
        paused=endpoint.paused,
        failures=endpoint.failures,
        open_until=endpoint.open_until,
        created_at=endpoint.created_at,
        secret=secret,
    )


def _state(state: EndpointState) -> WebhookState:
    return WebhookState(
        webhook=_shown(state.endpoint),
        waiting=state.waiting,
        dead=[
            DeadPage(id=page.id, room=page.room, at=page.at, attempts=page.attempts, why=page.why)
            for page in state.dead
        ],
    )


ROWS = (
    Row(
        method="POST",
        path="/v1/rooms/{room}/events",
        summary="Say something into a room, or to one person in it.",
        handle=announce,
        access=MERCHANTS,
        body=EventBody,
        answer=EventSaid,
        status=201,
        key=Key.REQUIRED,
        refusals=("idempotency_mismatch",),
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/snapshot",
        summary="Show everything current in a room.",
        handle=snapshot,
        access=BEARERS,
        answer=SnapshotShown,
    ),
    Row(
        method="POST",
        path="/v1/webhooks",
        summary="Send a shop's events to an address, signed.",
        handle=create,
        access=MERCHANTS,
        body=WebhookBody,
        answer=WebhookShown,
        status=201,
        refusals=("no_such_room", "other_room"),
    ),
    Row(
        method="GET",
        path="/v1/webhooks",
        summary="List the shop's webhook endpoints.",
        handle=list_webhooks,
        access=MERCHANTS,
        answer=WebhookList,
    ),
    Row(
        method="GET",
        path="/v1/webhooks/{webhook}",
        summary="Show an endpoint, what waits for it, and what was given up.",
        handle=show,
        access=MERCHANTS,
        answer=WebhookState,
        refusals=("no_such_webhook",),
    ),
    Row(
        method="PUT",
        path="/v1/webhooks/{webhook}",
        summary="Stop sending to an endpoint, or go on.",
        handle=pause,
        access=MERCHANTS,
        body=PauseBody,
        answer=WebhookState,
        refusals=("no_such_webhook",),
    ),
    Row(
        method="POST",
        path="/v1/webhooks/{webhook}/redeliver",
        summary="Send pages again that were given up.",
        handle=redeliver,
        access=MERCHANTS,
        answer=Redelivered,
        refusals=("no_such_webhook",),
    ),
    Row(
        method="DELETE",
        path="/v1/webhooks/{webhook}",
        summary="Forget an endpoint.",
        handle=remove,
        access=MERCHANTS,
        answer=Removed,
        refusals=("no_such_webhook",),
    ),
)
