"""How much one session may send us: packets and bytes a second, with room for bursts.

Authenticated packets only are charged, so nobody can use up another's budget. Over it they
are dropped; who stays over it for long is cut off. Pure.
"""

BURST_S = 2.0
"""A budget saves up this many seconds: a key frame, or a pause of our own reading."""
OVER_S_MAX = 10.0
"""Dropping for this long without a pause ends the session; outcome `flood`."""
PAUSE_S = 1.0
"""This long without a drop starts the count of OVER_S_MAX anew."""


class Budget:
    """Two token buckets that empty together.

    Args:
        packets_per_s: what the session may send in the long run.
        bytes_per_s: the same in bytes.
        now: the moment it starts, full.

    """

    __slots__ = ("_at", "_bytes", "_bytes_per_s", "_dropped_at", "_over_since", "_packets", "_rate")

    def __init__(self, packets_per_s: float, bytes_per_s: float, *, now: float) -> None:
        self._rate = packets_per_s
        self._bytes_per_s = bytes_per_s
        self._packets = packets_per_s * BURST_S
        self._bytes = bytes_per_s * BURST_S
        self._at = now
        self._over_since = now
        self._dropped_at = float("-inf")

    def take(self, size: int, *, now: float) -> bool:
        """Charge one packet; False when it is too much and must be dropped."""
        elapsed = now - self._at
        if elapsed > 0:
            self._at = now
            self._packets = min(self._packets + elapsed * self._rate, self._rate * BURST_S)
            self._bytes = min(
                self._bytes + elapsed * self._bytes_per_s, self._bytes_per_s * BURST_S
            )
        if self._packets >= 1 and self._bytes >= size:
            self._packets -= 1
            self._bytes -= size
            return True
        if now - self._dropped_at > PAUSE_S:
            self._over_since = now
        self._dropped_at = now
        return False

    def is_abused(self, *, now: float) -> bool:
        """Say whether packets have been dropped for so long that the session should end."""
        return self._dropped_at == now and now - self._over_since >= OVER_S_MAX
