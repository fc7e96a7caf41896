"""One connection in a room, and what somebody who is coming in has been told already."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import final

from liveroom.domain.events import Event
from liveroom.domain.ids import EventId, UserId
from liveroom.edge.connection import Connection
from liveroom.edge.event_stream import EventStream
from liveroom.protocol.batch import Tick
from liveroom.protocol.codec import Codec


@dataclass(slots=True)
class Coming:
    """What was flushed while somebody was coming in."""

    ticks: list[Tick] = field(default_factory=list)
    personal: list[Event] = field(default_factory=list)


@final
class Viewer:
    """One connection in a room.

    `floor` and `personal` are the room's and the person's last event that the viewer has.
    """

    __slots__ = ("backlog", "codec", "coming", "connection", "floor", "is_host", "personal", "user")

    def __init__(
        self, connection: Connection | EventStream, *, user: UserId, is_host: bool
    ) -> None:
        self.connection = connection
        self.codec: Codec = connection.codec
        self.backlog = connection.backlog
        self.user = user
        self.is_host = is_host
        self.floor = 0
        self.personal = 0
        self.coming: Coming | None = Coming()


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What a welcome contained: event numbers, and which events without one it showed."""

    epoch: str
    offset: int
    personal: int
    shown: frozenset[EventId] = frozenset()


def not_in(position: Position, ticks: Iterable[Tick], viewer: Viewer) -> Iterator[Event]:
    """Pick from what was flushed meanwhile what the welcome did not contain."""
    for tick in ticks:
        for event in tick.host if viewer.is_host else tick.everyone:
            if event.n is not None:
                if event.n > position.offset:
                    yield event
            elif event.id not in position.shown:
                yield event
