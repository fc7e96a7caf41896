"""One pulse for all connections: who has been silent is pinged, who stays silent is dead.

A task for each connection, as the library offers, costs more memory than all else that an idle
viewer needs. Here connections lie in slots, and one timer goes round. It knows no frames.
"""

import asyncio
from typing import Protocol, final

BEAT_EVERY_S = 10.0
"""Each connection's turn. Silent for one: it is pinged. Silent for another: it is dead."""

SLOTS = 101
"""Connections are spread over so many moments; prime, as their addresses come in strides."""


class Beating(Protocol):
    """What can be asked whether it is alive."""

    def beat(self) -> None:
        """Ping, or give up, if nothing was heard since the last time."""
        ...


@final
class Heartbeat:
    """Calls every connection's `beat` in turn, as long as there are any."""

    __slots__ = ("_count", "_loop", "_next", "_slots", "_timer")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._slots: list[set[Beating]] = [set() for _ in range(SLOTS)]
        self._next = 0
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Beating) -> None:
        """Take a connection in."""
        self._slots[hash(connection) % SLOTS].add(connection)
        self._count += 1
        if self._timer is None:
            self._arm()

    def discard(self, connection: Beating) -> None:
        """Let a connection go, if it is here."""
        slot = self._slots[hash(connection) % SLOTS]
        if connection not in slot:
            return
        slot.remove(connection)
        self._count -= 1
        if not self._count and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = self._loop.call_later(BEAT_EVERY_S / SLOTS, self._beat)

    def _beat(self) -> None:
        self._arm()
        slot = self._slots[self._next]
        self._next = (self._next + 1) % SLOTS
        for connection in tuple(slot):
            connection.beat()
