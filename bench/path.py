"""A network path of chosen badness: what becomes of each packet, decided by a seed.

In: moments at which packets are put in. Out: the moment at which each comes out, or None for
one that is lost. One object a direction; two of the same seed treat the same packets alike.
Pure: `bench.relay` does it to real datagrams, simulations to their own in virtual time.
"""

from dataclasses import dataclass
from random import Random
from typing import final

JITTER_HOLD_S = 0.1
"""Delay drifts from one drawn value to the next in this time: queues fill and drain, and a
delay drawn for each packet alone would mostly reorder, or hide behind the packet before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """One direction of a path.

    `delay_s` is the least; up to `jitter_s` comes on top and keeps the order. `loss` and
    `reordered` are shares of the packets; one that is reordered stays behind for up to
    `held_back_s` more while others overtake it.
    """

    loss: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    reordered: float = 0.0
    held_back_s: float = 0.02


def issue_quality(loss: float) -> Quality:
    """Return what the release figures are taken with: 60 ms there and back, 30 ms of jitter."""
    return Quality(loss=loss, delay_s=0.03, jitter_s=0.03, reordered=0.02)


@final
class Path:
    """One direction.

    Args:
        quality: how bad.
        random: seeded by the caller.

    """

    __slots__ = ("_came", "_from", "_next", "_quality", "_random", "_until", "lost", "passed")

    def __init__(self, quality: Quality, random: Random) -> None:
        self._quality = quality
        self._random = random
        self._until = float("-inf")
        self._from = self._next = random.uniform(0, quality.jitter_s)
        self._came = float("-inf")
        self.lost = self.passed = 0

    def fate(self, now: float) -> float | None:
        """Return when a packet that is put in now comes out; None: never."""
        quality, random = self._quality, self._random
        # As many draws whatever comes out, so that one fate does not change those of the others.
        is_lost = random.random() < quality.loss
        is_reordered = random.random() < quality.reordered
        held_back_s = random.uniform(0, quality.held_back_s)
        jitter_s = self._jitter_s(now)
        if is_lost:
            self.lost += 1
            return None
        self.passed += 1
        comes = max(self._came, now + quality.delay_s + jitter_s)
        if is_reordered:
            return comes + held_back_s
        self._came = comes
        return comes

    def _jitter_s(self, now: float) -> float:
        if now >= self._until:
            self._from = self._next
            self._next = self._random.uniform(0, self._quality.jitter_s)
            self._until = now + JITTER_HOLD_S
        left = (self._until - now) / JITTER_HOLD_S
        return self._next + (self._from - self._next) * left
