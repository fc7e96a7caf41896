"""How long packets stay in this process, lately: percentiles for pages that draw them.

The histogram of `observe` is for operators and only ever grows; this keeps the last
moments themselves. In: moments and seconds, from either thread. Out: percentiles of a window.
"""

from collections import deque
from dataclasses import dataclass
from typing import final

SAMPLES_MAX = 2_048
"""Batches remembered; older ones are forgotten first."""
WINDOW_S = 10.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from socket in to socket out; None while nothing was forwarded."""

    p50_s: float | None
    p99_s: float | None
    samples: int


@final
class Latencies:
    """The latest forward latencies."""

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        # Appending and copying a deque are one step each for other threads.
        self._samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES_MAX)

    def add(self, seconds: float, *, now: float) -> None:
        """Note how long the packets of one arrival took."""
        self._samples.append((now, seconds))

    def summary(self, *, now: float) -> Latency:
        """Return the percentiles of the last `WINDOW_S`."""
        seconds = sorted(took for at, took in self._samples.copy() if now - at <= WINDOW_S)
        if not seconds:
            return Latency(None, None, 0)
        last = len(seconds) - 1
        return Latency(seconds[last // 2], seconds[round(last * 0.99)], len(seconds))
