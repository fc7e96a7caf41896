"""Routes of the stage: seat, change places, bind another room's host, mute, take down."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from liveroom.domain.actors import Role
from liveroom.domain.ids import UserId
from liveroom.domain.refusals import Refused
from liveroom.domain.seats import Stage
from liveroom.edge.api.table import Access, Call, Credential, Id, Row
from liveroom.protocol.present import present_slot

DIRECTORS = Access(Credential.REQUIRED, frozenset({Role.HOST, Role.MODERATOR}))
REFUSALS = ("no_such_slot", "slot_taken", "no_seat")


class Muted(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a slot's media nobody is to get."""

    audio: bool = False
    video: bool = False


class SlotBody(msgspec.Struct, frozen=True, kw_only=True):
    """One of: whom to seat, or what to mute."""

    user: Id | UnsetType = UNSET
    muted: Muted | UnsetType = UNSET


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
    """Seat somebody on a slot, or mute it."""
    staging, actor, room = call.backend.services.staging, call.bearer(), call.place().id
    slot = _slot(call)
    if (body.user is UNSET) == (body.muted is UNSET):
        raise Refused("invalid", "Send one of user and muted.")
    if isinstance(body.muted, Muted):
        muted = body.muted
        return _shown(await staging.mute(actor, room, slot, audio=muted.audio, video=muted.video))
    assert isinstance(body.user, str)
    return _shown(await staging.place(actor, room, slot, UserId(body.user)))


async def delete(call: Call) -> StageShown:
    """Free a slot: who stood there is cut at once."""
    staging, actor, room = call.backend.services.staging, call.bearer(), call.place().id
    return _shown(await staging.take_down(actor, room, _slot(call)))


ROWS = (
    Row(
        method="PUT",
        path="/v1/rooms/{room}/stage/{slot}",
        summary="Seat somebody on a slot (0: change places), or mute it.",
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
