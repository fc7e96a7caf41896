"""When the packets of one publisher's transport arrived, and when to tell it.

Without such reports a browser hardly raises its bitrate. In: transport-wide numbers as they
arrive, whatever stream they are of. Out: feedback packets, each arrival in one of them. Must
not know what the packets carry.
"""

from typing import final

from sfu.packet.rewrite import unwrap
from sfu.packet.transport_wide import TICKS_S, write_transport_wide

REPORT_AFTER_S = 0.075
"""From the first arrival not yet told of to the report; the draft wants 50 to 100 ms."""
KEPT = 4_096
"""Arrivals remembered, for packets that come after a report that had to call them missing."""
JUMP_MAX = 4_096
"""A number further from the newest begins a new numbering; what was not told yet is not told."""


@final
class Arrivals:
    """The log of one transport."""

    __slots__ = ("_count", "_first", "_highest", "_since", "_ticks")

    def __init__(self) -> None:
        self._ticks: dict[int, int] = {}
        self._first = self._highest = 0
        self._since: float | None = None
        self._count = 0

    def arrived(self, number: int, *, now: float) -> None:
        """Note a packet by its 16-bit number; one that came twice arrived when it came first."""
        if not self._ticks:
            self._first = placed = number
            self._highest = number - 1
        else:
            placed = unwrap(number, self._highest)
        if abs(placed - self._highest) > JUMP_MAX:
            self._ticks.clear()
            self._first = placed = number
            self._highest = number - 1
        if placed in self._ticks:
            return
        self._ticks[placed] = int(now * TICKS_S)
        # What comes after its report goes back to it: all from there on is told again.
        self._first = min(self._first, placed)
        self._highest = max(self._highest, placed)
        if self._since is None:
            self._since = now

    def due(self) -> float | None:
        """Return when to report; None while there is nothing to tell."""
        return None if self._since is None else self._since + REPORT_AFTER_S

    def take(self, sender: int, media: int, *, now: float) -> list[bytes]:
        """Return what is due to be told, and note that it was."""
        due = self.due()
        if due is None or due > now:
            return []
        arrivals = [self._ticks.get(number) for number in range(self._first, self._highest + 1)]
        written = write_transport_wide(sender, media, self._first, arrivals, count=self._count)
        self._count += len(written)
        self._first = self._highest + 1
        self._since = None
        if len(self._ticks) > KEPT:
            oldest = self._highest - KEPT // 2
            self._ticks = {n: t for n, t in self._ticks.items() if n > oldest}
        return written
