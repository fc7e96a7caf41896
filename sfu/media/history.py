"""The recent packets of one track, shared by the repairs and replays of all its legs.

In: packets as the track accepted them. Out: a packet by its unwrapped sequence number.
One ring per track; a leg keeps only shifts. Must not know who asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

VIDEO_PACKETS = 8192
"""Two seconds up to 4,000 packets a second, twelve up to 680."""
AUDIO_PACKETS = 1024
"""Twenty seconds of 20 ms frames."""
HISTORY_BYTES_MAX = 8 * 1024 * 1024
"""Payload bytes kept of one track; beyond them the oldest packets are forgotten."""

NOTHING_PASSED: Mapping[str, bytes] = {}


@dataclass(slots=True, eq=False)
class Stored:
    """One accepted packet; nobody writes into it again.

    `send_time` is the 24-bit abs-send-time it was first forwarded with: a plain resend must
    be the same bytes (see `Srtp.protect_rtp`). `passed` holds extension values kept by URI.
    """

    sequence: int
    timestamp: int
    marker: bool
    payload_type: int
    payload: bytes
    send_time: bytes
    arrived: float
    passed: Mapping[str, bytes] = field(default_factory=lambda: NOTHING_PASSED)


@final
class History:
    """A ring of packets; the newer one of two that share a place stays."""

    __slots__ = ("_bytes", "_mask", "_ring", "_tail", "bytes_max", "capacity")

    def __init__(self, capacity: int, *, bytes_max: int = HISTORY_BYTES_MAX) -> None:
        assert capacity > 0, capacity
        assert capacity & (capacity - 1) == 0, capacity
        self.capacity = capacity
        self.bytes_max = bytes_max
        self._mask = capacity - 1
        self._ring: list[Stored | None] = [None] * capacity
        self._bytes = 0
        self._tail = 0

    def put(self, stored: Stored) -> None:
        """Keep a packet, and forget the one a whole ring older."""
        at = stored.sequence & self._mask
        before = self._ring[at]
        if before is not None:
            self._bytes -= len(before.payload)
        self._ring[at] = stored
        self._bytes += len(stored.payload)
        if self._bytes > self.bytes_max:
            self._shrink(stored)

    def get(self, sequence: int) -> Stored | None:
        """Return the packet with this number while it is kept."""
        stored = self._ring[sequence & self._mask]
        return stored if stored is not None and stored.sequence == sequence else None

    def reaches(self, sequence: int, highest: int) -> bool:
        """Say whether nothing from a number on has been forgotten; `highest` is the newest."""
        return sequence > max(self._tail - 1, highest - self.capacity)

    def holes(self, first: int, last: int) -> list[int]:
        """Return the numbers from `first` to `last` that are not kept."""
        ring, mask = self._ring, self._mask
        return [
            sequence
            for sequence in range(first, last + 1)
            if (stored := ring[sequence & mask]) is None or stored.sequence != sequence
        ]

    def _shrink(self, newest: Stored) -> None:
        """Forget from the far end of the ring on; what was put last stays."""
        self._tail = max(self._tail, newest.sequence + 1 - self.capacity)
        while self._bytes > self.bytes_max and self._tail < newest.sequence:
            at = self._tail & self._mask
            oldest = self._ring[at]
            if oldest is not None and oldest is not newest:
                self._bytes -= len(oldest.payload)
                self._ring[at] = None
            self._tail += 1
