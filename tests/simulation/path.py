"""A path that loses, delays and reorders, in virtual time and from one seed."""

import heapq
import itertools
from dataclasses import dataclass


@dataclass(frozen=True)
class Conditions:
    """One direction of a path; the defaults are 60 ms there and back, 30 ms jitter."""

    loss: float = 0.0
    delay_s: float = 0.03
    jitter_s: float = 0.03
    reordered: float = 0.02
    held_back_s: float = 0.02
    """By so much a packet comes late that is overtaken by others."""


class Timeline:
    """What happens when; the only clock of a simulation."""

    def __init__(self, start):
        self.now = start
        self._queue = []
        self._serial = itertools.count()

    def at(self, moment, call, *arguments):
        heapq.heappush(self._queue, (moment, next(self._serial), call, arguments))

    def next(self):
        return self._queue[0][0] if self._queue else None

    def step(self):
        moment, _, call, arguments = heapq.heappop(self._queue)
        self.now = max(self.now, moment)
        call(*arguments)


class Path:
    """One direction. Order is kept but for those held back; jitter then makes bursts."""

    def __init__(self, timeline, random, conditions):
        self._timeline, self._random, self._conditions = timeline, random, conditions
        self._last = 0.0
        self.carried = self.lost = 0

    def carry(self, call, *arguments):
        """Call with the arguments at the far end, perhaps."""
        conditions, random = self._conditions, self._random
        self.carried += 1
        if random.random() < conditions.loss:
            self.lost += 1
            return
        moment = self._timeline.now + conditions.delay_s + random.uniform(0, conditions.jitter_s)
        moment = max(moment, self._last)
        if random.random() < conditions.reordered:
            moment += conditions.held_back_s
        else:
            self._last = moment
        self._timeline.at(moment, call, *arguments)
