"""When to ask a publisher for a key frame: many wishes become at most one request a second.

In: wishes (a viewer's PLI or FIR, a leg that starts) and key frames that arrived. Out: "ask
now", again and again until one arrived. Must not know how a request is written.
"""

from typing import final

INTERVAL_S = 1.0
"""The least time between two requests for one track."""


@final
class KeyframeRequests:
    """The coalescing of one track."""

    __slots__ = ("_asked_at", "_wanted", "arrived_at", "asked", "can_ask")

    def __init__(self, *, can_ask: bool) -> None:
        self.can_ask = can_ask
        self.asked = 0
        self.arrived_at: float | None = None
        self._asked_at: float | None = None
        self._wanted = False

    def want(self) -> None:
        """Note that somebody cannot decode; without agreed feedback this has no effect."""
        self._wanted = self.can_ask

    def arrived(self, *, now: float) -> None:
        """Note a key frame; all wishes are granted."""
        self.arrived_at = now
        self._wanted = False

    def forget(self) -> None:
        """Drop the wish: nobody waits any more, or nobody could tell a key frame."""
        self._wanted = False

    def due(self) -> float | None:
        """Return when to ask next; minus infinity means at once, None never."""
        if not self._wanted:
            return None
        return float("-inf") if self._asked_at is None else self._asked_at + INTERVAL_S

    def take(self, *, now: float) -> bool:
        """Say whether to ask now, and if so note that it was asked."""
        due = self.due()
        if due is None or due > now:
            return False
        self._asked_at = now
        self.asked += 1
        return True
