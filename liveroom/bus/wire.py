"""News as bytes between nodes: MessagePack arrays, one message per room and publication.

A node of another version may know kinds that this one does not: those events are left out
and counted, never an error. Pure: the sender's name and time are passed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from liveroom.domain.events import FACTS, Event
from liveroom.domain.ids import EventId, RoomId, UserId

VERSION: Final = 1
"""Raised when the arrays change their meaning; fields may be added at their ends without."""


class _WireEvent(msgspec.Struct, array_like=True, frozen=True):
    id: str
    at: int
    kind: str
    fact: msgspec.Raw
    n: int | None = None
    pn: int | None = None
    cid: str | None = None
    to: str | None = None


class _WireNews(msgspec.Struct, array_like=True, frozen=True):
    version: int
    node: str
    at: int
    likes: int
    events: list[_WireEvent]


@dataclass(frozen=True, slots=True)
class News:
    """A message from a node: sent at `at` (its UTC ms); `unknown` events were left out."""

    node: str
    at: int
    likes: int
    events: tuple[Event, ...]
    unknown: int = 0


class UnreadableError(ValueError):
    """Bytes that no version of ours has written."""


_decoder = msgspec.msgpack.Decoder(_WireNews)
_encoder = msgspec.msgpack.Encoder()


def encode(events: Sequence[Event], *, likes: int, node: str, at: int) -> bytes:
    """Write a message."""
    wired = [
        _WireEvent(
            event.id,
            event.at,
            event.fact.KIND,
            msgspec.Raw(_encoder.encode(event.fact)),
            event.n,
            event.pn,
            event.cid,
            event.to,
        )
        for event in events
    ]
    return _encoder.encode(_WireNews(VERSION, node, at, likes, wired))


def decode(room: RoomId, data: bytes) -> News:
    """Read a message.

    Raises:
        UnreadableError: it is not one, or its version is unknown.

    """
    try:
        wired = _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise UnreadableError(str(error)) from error
    if wired.version != VERSION:
        raise UnreadableError(f"version {wired.version}")
    events = [_event_of(room, one) for one in wired.events]
    known = tuple(event for event in events if event is not None)
    return News(wired.node, wired.at, wired.likes, known, len(events) - len(known))


def _event_of(room: RoomId, wired: _WireEvent) -> Event | None:
    kind = FACTS.get(wired.kind)
    if kind is None:
        return None
    try:
        fact = msgspec.msgpack.decode(wired.fact, type=kind)
    except msgspec.MsgspecError as error:
        raise UnreadableError(str(error)) from error
    return Event(
        id=EventId(wired.id),
        room=room,
        at=wired.at,
        fact=fact,
        n=wired.n,
        pn=wired.pn,
        cid=wired.cid,
        to=None if wired.to is None else UserId(wired.to),
    )
