"""An event loop's time and timers, for tests that decide when time passes."""

import heapq
from collections.abc import Callable
from typing import Any


class Handle:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualLoop:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._heap: list[tuple[float, int, Handle, Callable[[], object]]] = []
        self._count = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> Any:
        self._count += 1
        handle = Handle()
        heapq.heappush(self._heap, (max(when, self.now), self._count, handle, callback))
        return handle

    def call_soon(self, callback: Callable[[], object]) -> Any:
        return self.call_at(self.now, callback)

    @property
    def is_idle(self) -> bool:
        return all(handle.cancelled for _, _, handle, _ in self._heap)

    def step(self) -> bool:
        """Run one callback, moving time to it; False when there is none."""
        while self._heap:
            when, _, handle, callback = heapq.heappop(self._heap)
            if not handle.cancelled:
                self.now = max(self.now, when)
                callback()
                return True
        return False

    def run_until(self, until: float) -> None:
        while self._heap and self._heap[0][0] <= until:
            self.step()
        self.now = max(self.now, until)
