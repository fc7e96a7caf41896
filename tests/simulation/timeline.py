"""Virtual time: what happens when, and what a bad path makes of it."""

import heapq
import itertools


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

    def carry(self, path, call, *arguments):
        """Call with the arguments when a path gives them out, if it does."""
        moment = path.fate(self.now)
        if moment is not None:
            self.at(moment, call, *arguments)
