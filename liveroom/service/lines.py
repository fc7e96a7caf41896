"""The last lines of each room, as the bus brings them: shown to who comes in, reported, deleted.

Kept by whoever hears them, so that on every node where a room is watched its lines are known.
"""

from collections import OrderedDict
from itertools import islice
from typing import Final

from liveroom.bus.port import Publication
from liveroom.domain.events import DanmakuSaid, Event, LinesDeleted
from liveroom.domain.ids import EventId, RoomId

SHOWN_MAX: Final = 50
"""Lines that somebody who comes in is shown."""
KEPT_MAX: Final = 200
"""Lines of a room that can still be reported; older ones have scrolled away."""
ROOMS_MAX: Final = 5_000
"""Rooms whose lines are kept; those of the one silent longest are forgotten."""


class Lines:
    """Hears what is said in all rooms."""

    def __init__(self) -> None:
        self._rooms: OrderedDict[RoomId, OrderedDict[EventId, Event]] = OrderedDict()

    def hear(self, publication: Publication) -> None:
        """Take the lines of a publication, and forget those that it deletes."""
        for event in publication.events:
            if isinstance(event.fact, DanmakuSaid):
                self._add(event)
            elif isinstance(event.fact, LinesDeleted):
                self._forget(event.room, event.fact.lines)

    def recent(self, room: RoomId) -> tuple[Event, ...]:
        """List the last lines of a room, oldest first, without those that were damped."""
        lines = self._rooms.get(room)
        if lines is None:
            return ()
        shown = (event for event in reversed(lines.values()) if _is_shown(event))
        return tuple(reversed(list(islice(shown, SHOWN_MAX))))

    def find(self, room: RoomId, line: EventId) -> Event | None:
        """Find a line that is still remembered."""
        lines = self._rooms.get(room)
        return None if lines is None else lines.get(line)

    def _forget(self, room: RoomId, gone: tuple[EventId, ...]) -> None:
        lines = self._rooms.get(room)
        if lines is not None:
            for line in gone:
                lines.pop(line, None)

    def _add(self, event: Event) -> None:
        lines = self._rooms.setdefault(event.room, OrderedDict())
        lines[event.id] = event
        if len(lines) > KEPT_MAX:
            lines.popitem(last=False)
        self._rooms.move_to_end(event.room)
        if len(self._rooms) > ROOMS_MAX:
            self._rooms.popitem(last=False)


def _is_shown(event: Event) -> bool:
    return isinstance(event.fact, DanmakuSaid) and event.fact.weight > 0
