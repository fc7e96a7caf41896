"""How fast a stream flows: a running total, looked at now and then, becomes bits per second.

In: totals of bytes and moments. Out: the rate between the last two looks. Whoever reports
periodically looks then, so that a rate costs nothing per packet.
"""

from typing import final

WINDOW_S_MIN = 0.5
"""Looks closer together than this are skipped: a rate over less says little."""


@final
class Meter:
    """The rate of one stream."""

    __slots__ = ("_at", "_total", "bps")

    def __init__(self) -> None:
        self._at: float | None = None
        self._total = 0
        self.bps = 0

    def look(self, total: int, *, now: float) -> None:
        """Take the total of bytes so far."""
        if self._at is not None:
            elapsed = now - self._at
            if elapsed < WINDOW_S_MIN:
                return
            self.bps = round((total - self._total) * 8 / elapsed)
        self._at, self._total = now, total
