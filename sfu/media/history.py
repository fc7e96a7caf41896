"""The recent packets of one track, shared by the repairs of all its legs.

In: packets as the track accepted them. Out: a packet by its unwrapped sequence number.
One ring per track; a leg keeps only shifts. Must not know who asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

VIDEO_PACKETS = 4096
"""Two seconds up to 2,000 packets a second; with 1,500-byte datagrams at most 6 MiB a track."""
AUDIO_PACKETS = 1024
"""Twenty seconds of 20 ms frames."""

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

    __slots__ = ("_mask", "_ring", "capacity")

    def __init__(self, capacity: int) -> None:
        assert capacity > 0, capacity
        assert capacity & (capacity - 1) == 0, capacity
        self.capacity = capacity
        self._mask = capacity - 1
        self._ring: list[Stored | None] = [None] * capacity

    def put(self, stored: Stored) -> None:
        """Keep a packet, and forget the one a whole ring older."""
        self._ring[stored.sequence & self._mask] = stored

    def get(self, sequence: int) -> Stored | None:
        """Return the packet with this number while it is kept."""
        stored = self._ring[sequence & self._mask]
        return stored if stored is not None and stored.sequence == sequence else None
