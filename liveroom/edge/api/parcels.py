"""Routes of parcels: what is on its way, where somebody wants it, what the warehouse says."""

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from liveroom.domain.ids import OrderId, UserId
from liveroom.domain.orders import TIME_MAX
from liveroom.domain.parcels import ADDRESS_FIELD_LENGTH_MAX, Address, Parcel, ParcelState
from liveroom.domain.refusals import Refused
from liveroom.edge.api.table import (
    ANYONE,
    BEARERS,
    MERCHANTS,
    PRINTED,
    Call,
    Id,
    Key,
    Number,
    Row,
    Title,
)
from liveroom.edge.api.values import is_id
from liveroom.edge.notices import read_shipment_notice
from liveroom.service.parcelling import ParcelDraft

Text = Annotated[str, Meta(min_length=1, max_length=ADDRESS_FIELD_LENGTH_MAX, pattern=PRINTED)]
OptionalText = Annotated[str, Meta(max_length=ADDRESS_FIELD_LENGTH_MAX, pattern=PRINTED)]


class AddressBody(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody wants their parcels."""

    name: Text
    phone: Text
    line: Text
    city: Text
    region: OptionalText = ""
    postcode: OptionalText = ""
    country: OptionalText = ""


class ParcelBody(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel to send; `promised_at` (UTC ms) is when it leaves at the latest."""

    member: Id
    title: Title
    order: Id | None = None
    promised_at: Annotated[int, Meta(ge=0, le=TIME_MAX)] | None = None


class MoveBody(msgspec.Struct, frozen=True, kw_only=True):
    """Where a parcel is now."""

    state: ParcelState
    carrier: Text | None = None
    tracking: Text | None = None


class ParcelShown(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel; times UTC ms. `late` = it should have left by now, `first` = first purchase.

    `alerted_at` is when the shop was alerted that a first purchase is late.
    """

    id: str
    member: str
    title: str
    state: ParcelState
    order: str | None
    carrier: str | None
    tracking: str | None
    promised_at: Number
    created_at: Number
    changed_at: Number
    first: bool
    late: bool
    alerted_at: Number | None
    address: AddressBody | None


class ParcelList(msgspec.Struct, frozen=True, kw_only=True):
    """Parcels, newest first."""

    parcels: list[ParcelShown]


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A notice was understood; so many parcels moved."""

    moved: Number


def _shown(parcel: Parcel, *, at: int) -> ParcelShown:
    address = None if parcel.address is None else AddressBody(**asdict(parcel.address))
    fields = {name: getattr(parcel, name) for name in _PLAIN}
    return ParcelShown(**fields, late=parcel.late(at), address=address)


_PLAIN = tuple(name for name in ParcelShown.__struct_fields__ if name not in ("late", "address"))


def _list(call: Call, parcels: list[Parcel]) -> ParcelList:
    at = call.backend.now_ms()
    return ParcelList(parcels=[_shown(one, at=at) for one in parcels])


async def send(call: Call, body: ParcelBody) -> ParcelShown:
    """Open a parcel."""
    draft = ParcelDraft(
        member=UserId(body.member),
        title=body.title,
        order=None if body.order is None else OrderId(body.order),
        promised_at=body.promised_at,
    )
    parcel = await call.backend.services.parcelling.send(
        call.bearer(), draft, call.idempotency_key()
    )
    return _shown(parcel, at=call.backend.now_ms())


async def move(call: Call, body: MoveBody) -> ParcelShown:
    """Say where a parcel is."""
    parcel = await call.backend.services.parcelling.move(
        call.bearer(),
        call.path_id("parcel", "no_such_parcel"),
        body.state,
        carrier=body.carrier,
        tracking=body.tracking,
    )
    return _shown(parcel, at=call.backend.now_ms())


async def list_parcels(call: Call) -> Any:
    """List the shop's parcels."""
    member, late = call.query.get("member"), call.query.get("late", "false")
    if late not in ("true", "false") or (member is not None and not is_id(member)):
        raise Refused("invalid", "late is true or false, member a member's id.")
    found = await call.backend.services.parcelling.listed(
        call.bearer(), member=None if member is None else UserId(member), late=late == "true"
    )
    return _list(call, found)


async def list_mine(call: Call) -> Any:
    """List one's own parcels."""
    return _list(call, await call.backend.services.parcelling.mine(call.bearer()))


async def set_address(call: Call, body: AddressBody) -> AddressBody:
    """Keep where one wants one's parcels."""
    address = Address(**msgspec.structs.asdict(body))
    kept = await call.backend.services.parcelling.set_address(call.bearer(), address)
    return AddressBody(**asdict(kept))


async def take_notice(call: Call) -> Moved:
    """Take the warehouse's signed word on an order's parcels."""
    notice = read_shipment_notice(
        call.raw,
        call.headers.get("liveroom-signature", ""),
        secret=call.backend.config.notice_secret,
        at=call.backend.now_ms() // 1000,
    )
    return Moved(moved=await call.backend.services.parcelling.noticed(notice))


ROWS = (
    Row(
        method="POST",
        path="/v1/parcels",
        summary="Open a parcel: a physical reward, or a part of an order.",
        handle=send,
        access=MERCHANTS,
        body=ParcelBody,
        answer=ParcelShown,
        status=201,
        key=Key.REQUIRED,
        refusals=("no_such_user", "no_such_order", "idempotency_mismatch"),
    ),
    Row(
        method="GET",
        path="/v1/parcels",
        summary="List parcels: of a member, or those that are late.",
        handle=list_parcels,
        access=MERCHANTS,
        answer=ParcelList,
        query=("member", "late"),
        refusals=("invalid",),
    ),
    Row(
        method="PUT",
        path="/v1/parcels/{parcel}",
        summary="Say where a parcel is.",
        handle=move,
        access=MERCHANTS,
        body=MoveBody,
        answer=ParcelShown,
        refusals=("no_such_parcel", "parcel_elsewhere"),
    ),
    Row(
        method="GET",
        path="/v1/me/parcels",
        summary="List my parcels.",
        handle=list_mine,
        access=BEARERS,
        answer=ParcelList,
        refusals=("anonymous",),
    ),
    Row(
        method="PUT",
        path="/v1/me/address",
        summary="Say where I want my parcels.",
        handle=set_address,
        access=BEARERS,
        body=AddressBody,
        answer=AddressBody,
        refusals=("anonymous",),
    ),
    Row(
        method="POST",
        path="/v1/shipments/notice",
        summary="Report where an order's parcels are (the warehouse, signed).",
        handle=take_notice,
        access=ANYONE,
        answer=Moved,
        refusals=(
            "bad_token", "bad_request", "invalid", "unavailable", "no_such_order",
            "parcel_elsewhere",
        ),
    ),
)  # fmt: skip
