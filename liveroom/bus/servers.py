"""The Redis servers of a bus: which there are, a line to each that listens, a client to ask.

It owns the outer loop: it looks for the partitions' owners, connects, and after a loss comes
back with full jitter. What has to be said on a new line is its owner's business.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from liveroom.bus.address import BusAddress, Server
from liveroom.bus.line import Line, Listener, open_line
from liveroom.bus.topology import PARTITIONS, Topology, client_for
from liveroom.observe import BUS_RECONNECTS, logger

LOOK_EVERY_S: Final = 1.0
"""How often the owners are looked up: a failover that closed no connection is seen by then."""
BACKOFF_S: Final = 0.1
BACKOFF_S_MAX: Final = 1.5
START_S_MAX: Final = 3.0
"""How long a start waits for the broker; then it goes on without."""

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Owner:
    """What the servers call: partitions can be heard (on the same server as before?), or not."""

    up: Callable[[Sequence[int], Line, str], None]
    down: Callable[[Sequence[int]], None]
    message: Callable[[bytes, bytes], None]
    heard: Callable[[bytes], None]
    unheard: Callable[[bytes], None]


@final
class Servers:
    """Keeps the connections."""

    def __init__(self, address: BusAddress, owner: Owner) -> None:
        self.topology = Topology(address)
        self._address = address
        self._owner = owner
        self._owners: tuple[Server, ...] = ()
        self._lines: dict[Server, Line] = {}
        self._heard: dict[Server, list[int]] = {}
        self._clients: dict[Server, Redis] = {}
        self._failures: dict[Server, int] = {}
        self._woken = asyncio.Event()
        self._looked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Connect; a broker that does not answer in time is waited for while all else goes on."""
        self._task = asyncio.create_task(self._tend(), name="bus-servers")
        with suppress(TimeoutError):
            async with asyncio.timeout(START_S_MAX):
                await self._looked.wait()
        if not self.is_whole:
            _log.error("the bus does not answer; going on alone", bus=str(self._address))

    async def close(self) -> None:
        """Let go of everything."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for line in list(self._lines.values()):
            line.close()
        for client in self._clients.values():
            await client.aclose()

    @property
    def is_whole(self) -> bool:
        """Whether every partition can be heard."""
        return sum(map(len, self._heard.values())) == PARTITIONS

    def line(self, partition: int) -> Line | None:
        """Return what listens to a partition, None while nothing does."""
        line = self._lines.get(self._owners[partition]) if self._owners else None
        return line if line is not None and line.is_open else None

    def client(self, partition: int) -> Redis | None:
        """Return whom to ask about a partition, None while nobody is known."""
        return self._client(self._owners[partition]) if self._owners else None

    def look_again(self) -> None:
        """Look for the owners now: somebody was told that a partition moved."""
        self._woken.set()

    def _client(self, server: Server) -> Redis:
        client = self._clients.get(server)
        if client is None:
            client = self._clients[server] = client_for(server, self._address)
        return client

    # The outer loop.

    async def _tend(self) -> None:
        while not self._closed:
            try:
                await self._look()
            except (RedisError, OSError) as error:  # TimeoutError is an OSError
                _log.warning("no owners of the bus found", why=str(error))
            except Exception:
                _log.exception("tending the bus failed")
            self._woken.clear()
            # Not `wait_for`: in Python 3.11 it may swallow the cancellation of `close`.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await self._woken.wait()

    def _pause_s(self) -> float:
        failures = max(self._failures.values(), default=0)
        if not self._owners or failures:
            bound = min(BACKOFF_S_MAX, BACKOFF_S * 2.0 ** min(failures, 10))
            return random.uniform(0.02, bound)  # noqa: S311 - jitter is no secret
        return LOOK_EVERY_S

    async def _look(self) -> None:
        owners = await self.topology.owners()
        if owners != self._owners:
            await self._move(owners)
        await asyncio.gather(
            *(self._connect(server) for server in set(owners) if server not in self._lines)
        )
        if self.is_whole:
            self._looked.set()

    async def _move(self, owners: tuple[Server, ...]) -> None:
        """Give up what listens where partitions were, and listen where they are."""
        before, self._owners = self._owners, owners
        if before:
            _log.info("partitions of the bus moved", to=sorted({str(one) for one in owners}))
        for server in {old for old, new in zip(before, owners, strict=False) if old != new}:
            # All its channels anew: simpler than to move some, and rare.
            if (line := self._lines.get(server)) is not None:
                line.close()
                self._lost(line)
            if server not in owners and (client := self._clients.pop(server, None)) is not None:
                await client.aclose()
        for server, line in list(self._lines.items()):
            if self._heard[server] != _partitions(owners, server):
                line.close()
                self._lost(line)

    async def _connect(self, server: Server) -> None:
        listener = Listener(self._owner.message, self._owner.heard, self._owner.unheard, self._lost)
        try:
            info = await self._client(server).info("server")
            line = await open_line(server, self._address, listener)
        except (RedisError, OSError) as error:
            failures = self._failures[server] = self._failures.get(server, 0) + 1
            if failures == 1:
                _log.warning("the bus is away", server=str(server), why=str(error))
            return
        if self._closed or not line.is_open:
            line.close()
            return
        if self._failures.pop(server, 0):
            _log.info("the bus is back", server=str(server))
        self._lines[server] = line
        self._heard[server] = _partitions(self._owners, server)
        BUS_RECONNECTS.inc()
        self._owner.up(self._heard[server], line, str(info.get("run_id", "")))

    def _lost(self, line: Line) -> None:
        if self._lines.get(line.server) is not line:
            return
        del self._lines[line.server]
        partitions = self._heard.pop(line.server)
        if not self._closed:
            self._owner.down(partitions)
            self._woken.set()


def _partitions(owners: Sequence[Server], server: Server) -> list[int]:
    return [number for number, owner in enumerate(owners) if owner == server]
