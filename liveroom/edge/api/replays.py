"""Routes of what can be seen again: explanations, the last broadcast, files, pictures of rooms."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from litestar import Request, Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from liveroom.domain.events import ProductCard
from liveroom.domain.ids import RoomId
from liveroom.domain.recordings import Part
from liveroom.domain.refusals import Refused
from liveroom.edge.api.backend import Backend
from liveroom.edge.api.rooms import BroadcastShown, present_broadcast
from liveroom.edge.api.table import ANYONE, VISITORS, Call, Number, Plain, Row
from liveroom.edge.api.values import is_id
from liveroom.edge.ranges import read_range
from liveroom.protocol.present import present_product
from liveroom.service.replays import Explanation

CHUNK_BYTES: Final = 256 * 1024
RANGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""A ranged answer is no longer: players ask again, and one that pauses holds no connection."""
PREVIEW_FRESH_S: Final = 10
SEPARATOR: Final = "-"
"""Between segment and recording in the name of a part: ids made here have none."""
MATROSKA: Final = b"\x1a\x45\xdf\xa3"


class PartShown(msgspec.Struct, frozen=True, kw_only=True):
    """A file to play; `url` opens for some hours."""

    url: str
    duration_ms: Number


class SegmentShown(msgspec.Struct, frozen=True, kw_only=True):
    """The newest explanation of a product."""

    id: str
    product: dict[str, Any]
    opened_at: Number
    duration_ms: Number
    parts: list[PartShown]


class SegmentList(msgspec.Struct, frozen=True, kw_only=True):
    """Explanations that can be seen, newest first."""

    segments: list[SegmentShown]


class ReplayShown(msgspec.Struct, frozen=True, kw_only=True):
    """The last broadcast that is over; null where nothing was recorded."""

    broadcast: BroadcastShown | None
    parts: list[PartShown]


async def list_segments(call: Call) -> dict[str, Any]:
    """List the newest explanation of each product that can be seen."""
    room = call.place().id
    found = await call.backend.services.replays.explanations(call.actor, room)
    return {"segments": [_segment(call, each) for each in found]}


async def show_replay(call: Call) -> dict[str, Any]:
    """Show the last broadcast that is over."""
    found = await call.backend.services.replays.last(call.actor, call.place().id)
    if found is None:
        return {"broadcast": None, "parts": []}
    return {
        "broadcast": present_broadcast(call.place(), found.broadcast),
        "parts": [_part(call, part, part.recording) for part in found.parts],
    }


async def preview(call: Call) -> Plain:
    """Draw what the host shows, for lists and links; rooms behind tokens have no picture."""
    room = call.place()
    jpeg = await call.backend.media.picture(room.id) if room.anonymous else None
    if jpeg is None:
        raise Refused("not_found", "There is no picture of this room right now.")
    return Plain(jpeg, "image/jpeg", fresh_s=PREVIEW_FRESH_S)


def _segment(call: Call, found: Explanation) -> dict[str, Any]:
    segment = found.segment
    card: ProductCard = found.product
    names = {part: f"{segment.id}{SEPARATOR}{part.recording}" for part in found.parts}
    return {
        "id": segment.id,
        "product": present_product(card),
        "opened_at": segment.opened_at,
        "duration_ms": sum(part.to_ms - part.from_ms for part in found.parts),
        "parts": [_part(call, part, name) for part, name in names.items()],
    }


def _part(call: Call, part: Part, name: str) -> dict[str, Any]:
    room = call.place().id
    query = call.backend.replay_links.query(room, name, now=call.backend.now_ms())
    url = f"/v1/rooms/{room}/replays/{name}?{query}"
    return {"url": url, "duration_ms": part.to_ms - part.from_ms}


def file_handlers(backend: Backend) -> list[HTTPRouteHandler]:
    """Make the route of recorded files (RFC 9110 section 14: ranges)."""

    async def serve(request: Request[Any, Any, Any]) -> Response[Any]:
        room, name = request.path_params["room"], request.path_params["file"]
        path = await _find(backend, room, name, dict(request.query_params))
        size = path.stat().st_size
        asked = read_range(request.headers.get("range"), size, longest=RANGE_BYTES_MAX)
        headers = {
            "Accept-Ranges": "bytes",
            "Cache-Control": "private, max-age=3600",
            "Content-Disposition": "inline",
        }
        if asked is None:
            headers["Content-Range"] = f"bytes */{size}"
            return Response(b"", status_code=416, headers=headers)
        first, count = asked
        if count != size:
            headers["Content-Range"] = f"bytes {first}-{first + count - 1}/{size}"
        file = await asyncio.to_thread(path.open, "rb")
        headers["Content-Length"] = str(count)
        media_type = await asyncio.to_thread(_sniff, file)
        if request.method == HttpMethod.HEAD:
            file.close()
            return Response(b"", headers=headers, media_type=media_type)
        return Stream(
            _read(file, first, count),
            status_code=200 if count == size else 206,
            headers=headers,
            media_type=media_type,
        )

    made = route(
        "/v1/rooms/{room:str}/replays/{file:str}",
        http_method=[HttpMethod.GET, HttpMethod.HEAD],
        status_code=200,
        include_in_schema=False,
    )(serve)
    assert isinstance(made, HTTPRouteHandler)
    return [made]


async def _find(backend: Backend, room: str, name: str, query: dict[str, str]) -> Path:
    folder = backend.config.recordings
    if not is_id(room) or not is_id(name) or folder is None:
        raise Refused("not_found")
    until, signature = query.get("until", ""), query.get("sig", "")
    if not backend.replay_links.opens(room, name, until, signature, now=backend.now_ms()):
        raise Refused("forbidden", "This address has expired; open the room again.")
    path = folder / name
    segment, is_part, recording = name.partition(SEPARATOR)
    if is_part and not path.is_file():
        part = await backend.services.replays.part(RoomId(room), segment, recording)
        await backend.media.cut(recording, name, from_s=part.from_ms / 1000, to_s=part.to_ms / 1000)
    if not path.is_file():
        raise Refused("not_found", "This recording is not here any more.")
    return path


def _sniff(file: BinaryIO) -> str:
    head = file.read(len(MATROSKA))
    return "video/webm" if head == MATROSKA else "video/mp4"


async def _read(file: BinaryIO, first: int, count: int) -> AsyncIterator[bytes]:
    with file:
        await asyncio.to_thread(file.seek, first)
        while count:
            chunk = await asyncio.to_thread(file.read, min(CHUNK_BYTES, count))
            if not chunk:
                return
            count -= len(chunk)
            yield chunk


ROWS: tuple[Row, ...] = (
    Row(
        method="GET",
        path="/v1/rooms/{room}/segments",
        summary="List explanations of products that can be seen again.",
        handle=list_segments,
        access=VISITORS,
        answer=SegmentList,
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/replay",
        summary="Show the last broadcast that is over.",
        handle=show_replay,
        access=VISITORS,
        answer=ReplayShown,
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/preview.jpg",
        summary="Draw what the host shows now.",
        handle=preview,
        access=ANYONE,
        refusals=("not_found",),
    ),
)
