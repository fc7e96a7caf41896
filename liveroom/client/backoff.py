"""How long to wait before coming back: full jitter, and the server's own hint first.

Pure: the random source is passed in, so a thousand clients spread and a test repeats.
"""

from random import Random

BASE_S = 0.5
CAP_S = 30.0
COME_BACK_FIRST = 4000
COME_BACK_LAST = 4099
GOODBYE_FIRST = 4100
GOODBYE_LAST = 4199
EXPIRED = 4101


def may_come_back(code: int) -> bool:
    """Whether a connection closed with this code may be opened again (interface.md)."""
    return not GOODBYE_FIRST <= code <= GOODBYE_LAST


class Backoff:
    """Delays that double up to a cap, each drawn from zero to its bound ("full jitter")."""

    def __init__(self, random: Random, *, base_s: float = BASE_S, cap_s: float = CAP_S) -> None:
        self._random = random
        self._base_s = base_s
        self._cap_s = cap_s
        self._failures = 0

    @property
    def failures(self) -> int:
        """Failures since the last success."""
        return self._failures

    def succeeded(self) -> None:
        """Start again from the shortest delay."""
        self._failures = 0

    def delay_s(self, after_ms: int | None = None) -> float:
        """Count one failure and say how long to wait; never less than the server asked."""
        bound = min(self._cap_s, self._base_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        jitter: float = self._random.random()
        if after_ms is None:
            return jitter * bound
        return max(0, after_ms) / 1000 + jitter * self._base_s
