"""One room's durable events in the order of their numbers: nothing twice, no gap unnoticed.

Pure. What arrives may be repeated, late, or lack what was lost on the way; what leaves goes
up by one. A gap holds everything durable back until somebody has filled it from the store.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from liveroom.domain.events import Event

HELD_MAX: Final = 2_000
"""Events held back behind a gap; beyond them all are let go and read from the store instead."""


class RoomOrder:
    """Lets a room's durable events through.

    `reached` is the last number that went through, None until the room's place is known.
    """

    __slots__ = ("_held", "is_holding", "reached")

    def __init__(self) -> None:
        self.reached: int | None = None
        self.is_holding = True
        self._held: list[Event] = []

    def hold(self) -> None:
        """Keep back what arrives: something may be missing before it."""
        self.is_holding = True

    def place(self, n: int) -> None:
        """Begin after this number."""
        if self.reached is None:
            self.reached = n

    def take(self, events: Sequence[Event]) -> list[Event]:
        """Take what arrived; return what may be shown now."""
        if self.is_holding:
            self._keep(events)
            return []
        passed: list[Event] = []
        for index, event in enumerate(events):
            if self._is_ahead(event):
                self.is_holding = True
                self._keep(events[index:])
                break
            passed += self._pass([event])
        return passed

    def fill(self, events: Iterable[Event]) -> list[Event]:
        """Take what was missing, from the store or the stream; return what of it is new."""
        return self._pass(events)

    def release(self) -> list[Event]:
        """Go on after a repair; a gap that is still there holds again (see `is_holding`)."""
        assert self.reached is not None
        held, self._held = self._held, []
        self.is_holding = False
        return self.take(held)

    def _keep(self, events: Sequence[Event]) -> None:
        if len(self._held) + len(events) > HELD_MAX:
            # All of them are in the store: the repair under way brings them.
            self._held.clear()
            return
        self._held.extend(events)

    def _is_ahead(self, event: Event) -> bool:
        assert self.reached is not None
        return event.n is not None and event.n > self.reached + 1

    def _pass(self, events: Iterable[Event]) -> list[Event]:
        """Drop what is known; personal events carry their own numbers and always pass."""
        passed = []
        for event in events:
            if event.n is not None:
                assert self.reached is not None
                if event.n <= self.reached:
                    continue
                self.reached = event.n
            passed.append(event)
        return passed
