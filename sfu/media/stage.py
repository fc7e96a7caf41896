"""Rooms and their slots: which publisher each shows, which legs look at each.

In: bindings and legs. Out: the same, looked up from either side. A slot without a source
and a source that is not publishing yet are both fine; viewers stay. Must not know packets.
"""

from dataclasses import dataclass, field
from typing import final

from sfu.media.leg import Leg
from sfu.media.model import Kind, RoomId, SessionId


@dataclass(slots=True)
class _Slot:
    source: SessionId | None = None
    muted: frozenset[Kind] = frozenset()
    # A dict is an ordered set: legs leave in any order.
    legs: dict[Leg, None] = field(default_factory=dict)


Place = tuple[RoomId, int]


@final
class Stage:
    """The slots of all rooms."""

    __slots__ = ("_places", "_slots")

    def __init__(self) -> None:
        self._slots: dict[Place, _Slot] = {}
        self._places: dict[SessionId, dict[Place, None]] = {}

    def bind(self, room: RoomId, slot: int, source: SessionId | None) -> None:
        """Put a source on a slot, or nobody."""
        place = (room, slot)
        entry = self._slots.setdefault(place, _Slot())
        if entry.source is not None:
            self._leave(entry.source, place)
        entry.source = source
        if source is not None:
            self._places.setdefault(source, {})[place] = None
        self._sweep(place)

    def source(self, room: RoomId, slot: int) -> SessionId | None:
        """Return who is on a slot."""
        entry = self._slots.get((room, slot))
        return None if entry is None else entry.source

    def mute(self, room: RoomId, slot: int, kinds: frozenset[Kind]) -> None:
        """Keep these kinds of a slot from all who look at it, whoever stands there."""
        place = (room, slot)
        self._slots.setdefault(place, _Slot()).muted = kinds
        self._sweep(place)

    def muted(self, room: RoomId, slot: int) -> frozenset[Kind]:
        """Return which kinds of a slot nobody gets."""
        entry = self._slots.get((room, slot))
        return frozenset() if entry is None else entry.muted

    def shared(self) -> dict[RoomId, dict[SessionId, int]]:
        """Return who stands on which slot in the rooms where more than one does."""
        rooms: dict[RoomId, dict[SessionId, int]] = {}
        for source, places in self._places.items():
            for room, slot in places:
                rooms.setdefault(room, {})[source] = slot
        return {room: sources for room, sources in rooms.items() if len(sources) > 1}

    def places(self, source: SessionId) -> tuple[Place, ...]:
        """Return every slot a source is on."""
        return tuple(self._places.get(source, ()))

    def legs(self, room: RoomId, slot: int) -> tuple[Leg, ...]:
        """Return the legs that look at a slot."""
        entry = self._slots.get((room, slot))
        return () if entry is None else tuple(entry.legs)

    def enter(self, room: RoomId, leg: Leg) -> None:
        """Let a leg look at its slot."""
        self._slots.setdefault((room, leg.spec.slot), _Slot()).legs[leg] = None

    def leave(self, room: RoomId, leg: Leg) -> None:
        """Let a leg look away; a slot that nobody uses is forgotten."""
        place = (room, leg.spec.slot)
        entry = self._slots.get(place)
        if entry is not None:
            entry.legs.pop(leg, None)
            self._sweep(place)

    def _leave(self, source: SessionId, place: Place) -> None:
        places = self._places[source]
        places.pop(place, None)
        if not places:
            del self._places[source]

    def _sweep(self, place: Place) -> None:
        entry = self._slots[place]
        if entry.source is None and not entry.legs and not entry.muted:
            del self._slots[place]
