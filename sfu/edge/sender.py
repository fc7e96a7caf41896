"""Who sends when: small batches at once, large ones on a thread beside the event loop.

In: jobs of one engine call. Out: they are sent in the order of the offers, one batch at a
time, so that no SRTP context is ever in two hands; what became of them goes to `report`.
A context that a closed session leaves behind lives until its last job is sent. Must not know
rooms, and never asks the loop.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final, final

from sfu.edge.fanout import Fanout, Job, Sent

INLINE_PACKETS_MAX: Final = 1_024
"""Batches up to this size are sent where they are offered while the thread is idle.

They hold the event loop up for 1 to 2 ms. The thread is not free either: on an idle machine
waking it took 27 µs and 20-25 µs of CPU, and where others want the cores it waits for one of
them and for the interpreter's lock, twice a batch.
"""
QUEUED_PACKETS_MAX: Final = 65_536
"""Packets handed to the thread and not sent yet; a batch beyond them is dropped and counted."""
CLOSE_WAIT_S: Final = 2.0
"""How long `close` waits for what is queued; it is given up after that."""

Item = tuple[Sequence[Job], Sequence[float], int]
Report = Callable[[Sent, Sequence[float]], None]


@final
class Sender:
    """The one user of a fan-out.

    A fan-out that keeps the interpreter's lock is used inline always: on a thread of its own
    a batch of 1,600 packets took 45 ms instead of 10 while the event loop was busy, because
    each of its calls had to win the lock back.

    Args:
        fanout: what sends.
        report: told what became of a batch and when its packets had arrived; on either thread.
        broken: told of a bug met on the thread.

    """

    def __init__(self, fanout: Fanout, report: Report, broken: Callable[[Exception], None]) -> None:
        self._fanout = fanout
        self._report = report
        self._broken = broken
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        # Each is written by one thread only: offers here, the thread there.
        self._handed = self._finished = 0
        self._thread: threading.Thread | None = None

    @property
    def queued(self) -> int:
        """Packets handed to the thread and not sent yet."""
        return self._handed - self._finished

    def offer(self, jobs: Sequence[Job], packets: int, arrived: Sequence[float]) -> None:
        """Send a batch, now or in its turn; called from one thread only.

        Args:
            jobs: what to send.
            packets: how many that are, feedback included.
            arrived: when the packets that caused it had arrived.

        """
        if not packets:
            return
        queued = self.queued
        if not self._fanout.releases_lock or (not queued and packets <= INLINE_PACKETS_MAX):
            self._report(self._fanout.send(jobs), arrived)
        elif queued and queued + packets > QUEUED_PACKETS_MAX:
            self._report(Sent(dropped=packets), ())
        else:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sfu-sender", daemon=True)
                self._thread.start()
            self._handed += packets
            self._queue.put((jobs, arrived, packets))

    def close(self) -> None:
        """Let the thread send what is queued, and end it."""
        if self._thread is None:
            return
        self._queue.put(None)
        self._thread.join(CLOSE_WAIT_S)
        self._thread = None

    def _run(self) -> None:
        is_open = True
        while is_open:
            # Whoever is late takes all there is: fewer, fuller calls are how to catch up.
            items = [self._queue.get()]
            while not self._queue.empty():
                items.append(self._queue.get())
            is_open = None not in items
            self._send([item for item in items if item is not None])
            # What closed sessions left behind ends now, not when the next batch comes.
            items.clear()

    def _send(self, items: Sequence[Item]) -> None:
        jobs = [job for item in items for job in item[0]]
        try:
            sent = self._fanout.send(jobs if len(items) == 1 else joined(jobs))
            self._report(sent, tuple(moment for item in items for moment in item[1]))
        except Exception as error:
            self._broken(error)
        self._finished += sum(item[2] for item in items)


def joined(jobs: Sequence[Job]) -> list[Job]:
    """Make one job of each session's and one of each roster's, to where sessions are now.

    A leg is in one roster at a time and a change makes another, so joining what went to the
    very same one leaves each stream in order.
    """
    found: dict[int, Job] = {}
    for job in jobs:
        route = job.routes[0]
        if job.numbers is not None:
            key = id(job.numbers)
        else:
            assert route is not None, "a single session's job is made when it has a route"
            key = id(route.srtp)
        earlier = found.get(key)
        if earlier is not None:
            job = job._replace(
                media=earlier.media + job.media, feedback=earlier.feedback + job.feedback
            )
        found[key] = job
    return list(found.values())
