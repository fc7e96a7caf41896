"""The relay: what was committed reaches the bus, in order, at least once.

It wakes when a commit left something in the outbox, publishes, and only then takes it out.
A crash in between publishes again; receivers know events by their numbers. On a shared store
every node relays what it finds, its own commits at once and those of a node that died at the
next look: whoever reads an event reads the earlier ones of its room too or they are published
already, so relays that race double nothing and keep the order.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from liveroom.bus.port import Bus, BusUnavailableError, Publication
from liveroom.domain.events import Event
from liveroom.domain.ids import RoomId
from liveroom.observe import logger
from liveroom.store import journal
from liveroom.store.port import Store
from liveroom.store.steps import reached

RETRY_S: Final = 1.0
"""The pause after the bus or the store failed."""
TAKE_OUT_AFTER_S: Final = 0.2
"""Published events leave the outbox with the next ones, or after this time without any."""
LOOK_EVERY_S: Final = 1.0
"""How often a node of several looks for what others committed and could not publish."""
STOP_S_MAX: Final = 5.0
"""How long a stop waits for the last events; later ones are published at the next start."""

_log = logger(__name__)


class Relay:
    """Moves events from the outbox to the bus."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._woken = asyncio.Event()
        self._draining = asyncio.Lock()  # two drains at once would publish twice
        self._stopping = False
        self._published: list[int] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Publish what is left from before, then whatever is committed from now on."""
        self._store.on_written = self._woken.set
        await self._succeeds(self.drain)
        self._task = asyncio.create_task(self._run(), name="relay")

    async def stop(self) -> None:
        """Publish the rest, then follow no more; the store still has what the bus refused."""
        self._store.on_written = None
        self._stopping = True
        self._woken.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=STOP_S_MAX)
            self._task.cancel()

    async def drain(self) -> int:
        """Publish until the outbox is empty; returns how many events went out."""
        async with self._draining:
            count = 0
            while went := await self._advance():
                count += went
            return count

    async def _advance(self) -> int:
        """Publish the next page, taking out the one before; returns how many events went out.

        One transaction does both, and under load it shares its commit with the gifts that
        came meanwhile.
        """
        pending = await self._store.run(partial(journal.advance, seqs=self._published))
        self._published = []
        for publication in by_room([one.event for one in pending]):
            reached("before_publish")
            await self._bus.publish(publication)
            reached("after_publish")
        self._published = [one.seq for one in pending]
        return len(pending)

    async def _run(self) -> None:
        while not self._stopping:
            await self._wait()
            self._woken.clear()
            if not await self._succeeds(self._follow):
                self._woken.set()
                await asyncio.sleep(RETRY_S)
        await self._succeeds(self.drain)

    async def _follow(self) -> None:
        """Publish what was committed since, leaving the last page to be taken out later."""
        async with self._draining:
            while await self._advance() >= journal.OUTBOX_PAGE:
                pass

    @staticmethod
    async def _succeeds(work: Callable[[], Awaitable[object]]) -> bool:
        try:
            await work()
        except BusUnavailableError as error:  # the bus says itself that it is away
            _log.info("relay waits for the bus", why=str(error))
            return False
        except Exception:  # whatever it is, the events are still in the outbox
            _log.exception("relay paused")
            return False
        return True

    async def _wait(self) -> None:
        """Wait for a commit; when none comes for a while, take out what was published."""
        idle_s = LOOK_EVERY_S if self._bus.is_shared else None
        timeout = TAKE_OUT_AFTER_S if self._published else idle_s
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), timeout)


def by_room(events: Sequence[Event]) -> list[Publication]:
    """Gather events into one publication per room, each room's in their order."""
    rooms: dict[RoomId, list[Event]] = {}
    for event in events:
        rooms.setdefault(event.room, []).append(event)
    return [Publication(room, tuple(found)) for room, found in rooms.items()]
