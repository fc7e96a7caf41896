"""Routes of the stage: seat, change places, bind another room's host, mute, take down."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from liveroom.domain.actors import Role
from liveroom.domain.events import Standing
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.pk import SECONDS_DEFAULT, SECONDS_MAX, SECONDS_MIN
from liveroom.domain.refusals import Refused
from liveroom.domain.seats import Stage
from liveroom.edge.api.table import Access, Call, Credential, Id, Row
from liveroom.protocol.present import present_slot

DIRECTORS = Access(Credential.REQUIRED, frozenset({Role.HOST, Role.MODERATOR}))
REFUSALS = ("no_such_slot", "slot_taken", "no_seat", "not_live", "in_pk", "in_call", "no_pk")


class Muted(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a slot's media nobody is to get."""

    audio: bool = False
    video: bool = False


class SlotBody(msgspec.Struct, frozen=True, kw_only=True):
    """One of: whom to seat, which room to have a PK with (for `seconds`), what to mute."""

    user: Id | UnsetType = UNSET
    room: Id | UnsetType = UNSET
    muted: Muted | UnsetType = UNSET
    seconds: Annotated[int, Meta(ge=SECONDS_MIN, le=SECONDS_MAX)] = SECONDS_DEFAULT


class StageShown(msgspec.Struct, frozen=True, kw_only=True):
    """Who stands where now, and how many guests there may be."""

    slots: list[dict[str, Any]]
    seats: int


def _slot(call: Call) -> int:
    text = call.path["slot"]
    if not (text.isascii() and text.isdigit() and len(text) <= 2):
        raise Refused("no_such_slot")
    return int(text)


def _shown(stage: Stage) -> StageShown:
    return StageShown(slots=[present_slot(slot) for slot in stage.slots], seats=stage.seats)


async def put(call: Call, body: SlotBody) -> StageShown:
    """Seat somebody on a slot, ask another room's host onto it (or agree), or mute it."""
    staging, actor, room = call.backend.services.staging, call.bearer(), call.place().id
    slot = _slot(call)
    if [body.user, body.room, body.muted].count(UNSET) != 2:
        raise Refused("invalid", "Send one of user, room and muted.")
    if isinstance(body.room, str):
        battling = call.backend.services.battling
        await battling.challenge(actor, room, slot, RoomId(body.room), body.seconds)
        return _shown(await staging.now(actor, room))
    if isinstance(body.muted, Muted):
        muted = body.muted
        return _shown(await staging.mute(actor, room, slot, audio=muted.audio, video=muted.video))
    assert isinstance(body.user, str)
    return _shown(await staging.place(actor, room, slot, UserId(body.user)))


async def delete(call: Call) -> StageShown:
    """Free a slot: who stood there is cut at once; with another room's host the PK ends."""
    staging, actor, room = call.backend.services.staging, call.bearer(), call.place().id
    slot = _slot(call)
    there = (await staging.now(actor, room)).at(slot)
    if there is not None and there.role is Standing.RIVAL:
        await call.backend.services.battling.leave(actor, room)
        return _shown(await staging.now(actor, room))
    return _shown(await staging.take_down(actor, room, slot))


ROWS = (
    Row(
        method="PUT",
        path="/v1/rooms/{room}/stage/{slot}",
        summary="Seat somebody on a slot (0: change places), ask for a PK, or mute it.",
        handle=put,
        access=DIRECTORS,
        body=SlotBody,
        answer=StageShown,
        refusals=REFUSALS,
    ),
    Row(
        method="DELETE",
        path="/v1/rooms/{room}/stage/{slot}",
        summary="Take down who stands on a slot.",
        handle=delete,
        access=DIRECTORS,
        answer=StageShown,
        refusals=("no_such_slot",),
    ),
)
