"""One heap for all that is due: the earliest moment without looking at everybody.

In: owners and when each wants to be called. Out: those whose time has come. Entries that
were moved or dropped stay in the heap until they surface, at most as many as live ones.
"""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar, final

K = TypeVar("K", bound=Hashable)

_SLACK = 64


@final
class Deadlines(Generic[K]):
    """When each owner is due; one moment each."""

    __slots__ = ("_at", "_heap", "_serial")

    def __init__(self) -> None:
        self._at: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._serial = 0

    def set(self, owner: K, at: float | None) -> None:
        """Make an owner due at a moment, or never (None)."""
        before = self._at.get(owner)
        if before == at:
            return
        if at is None:
            del self._at[owner]
            return
        self._at[owner] = at
        self._push(owner, at)
        if len(self._heap) > 2 * len(self._at) + _SLACK:
            self._heap = []
            for each, moment in self._at.items():
                self._push(each, moment)

    def pull(self, owner: K, at: float | None) -> None:
        """Make an owner due at a moment unless it is due before."""
        before = self._at.get(owner)
        if at is not None and (before is None or at < before):
            self.set(owner, at)

    def take(self, *, now: float) -> list[K]:
        """Return the owners that are due, earliest first; they are due no more."""
        taken: list[K] = []
        while self._heap and self._heap[0][0] <= now:
            at, _, owner = heapq.heappop(self._heap)
            if self._at.get(owner) == at:
                del self._at[owner]
                taken.append(owner)
        return taken

    def earliest(self) -> float | None:
        """Return the earliest moment."""
        while self._heap:
            at, _, owner = self._heap[0]
            if self._at.get(owner) == at:
                return at
            heapq.heappop(self._heap)
        return None

    def _push(self, owner: K, at: float) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (at, self._serial, owner))
