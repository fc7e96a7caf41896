"""Which server has which partition: one for all, Sentinel's master, or a cluster's slots.

Rooms are spread over a fixed number of partitions. A partition's keys and channels share a
hash tag, so that one script can touch them all wherever a cluster keeps them.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from zlib import crc32

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError

from liveroom.bus.address import BusAddress, Kind, Server
from liveroom.domain.ids import RoomId

PARTITIONS: Final = 16
"""The same on all nodes of an installation."""
COMMAND_S_MAX: Final = 1.0
"""A command without an answer by then has failed; whether it was carried out is unknown."""
CONNECTIONS_MAX: Final = 8
"""To one server, for commands of one process; further commands wait."""


def partition_of(room: RoomId) -> int:
    """Say which partition carries a room."""
    return crc32(room.encode()) % PARTITIONS


def client_for(server: Server, address: BusAddress, *, sentinel: bool = False) -> Redis:
    """Make a client that tries once: when to try again is decided by who owns it."""
    pool = BlockingConnectionPool(
        max_connections=CONNECTIONS_MAX,
        timeout=COMMAND_S_MAX,
        connection_class=SSLConnection if address.tls else Connection,
        host=server.host,
        port=server.port,
        db=0 if sentinel else address.database,
        username=None if sentinel else address.user,
        password=None if sentinel else address.password,
        protocol=2,
        socket_timeout=COMMAND_S_MAX,
        socket_connect_timeout=COMMAND_S_MAX,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


class Topology:
    """Finds the owners of the partitions."""

    def __init__(self, address: BusAddress) -> None:
        self._address = address
        self._seeds = list(address.servers)
        self._tags = [f"{{{address.prefix}:{number}}}" for number in range(PARTITIONS)]

    def tag(self, partition: int) -> str:
        """Name a partition's keys: they begin with its tag."""
        return self._tags[partition]

    async def owners(self) -> tuple[Server, ...]:
        """Say which server has each partition now.

        Raises:
            RedisError: nobody who could know answers.

        """
        if self._address.kind is Kind.SINGLE:
            return (self._address.servers[0],) * PARTITIONS
        if self._address.kind is Kind.SENTINEL:
            return (await self._master(),) * PARTITIONS
        return await self._cluster()

    async def _master(self) -> Server:
        clients = [client_for(one, self._address, sentinel=True) for one in self._seeds]
        sentinel = Sentinel([])  # type: ignore[no-untyped-call]
        sentinel.sentinels = clients
        try:
            host, port = await sentinel.discover_master(self._address.master or "")
        finally:
            await asyncio.gather(*(client.aclose() for client in clients))
        return Server(str(host), int(port))

    async def _cluster(self) -> tuple[Server, ...]:
        failure: Exception = RedisError("no server is known")
        for seed in list(self._seeds):
            client = client_for(seed, self._address)
            try:
                ranges = await client.execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
            except (RedisError, OSError) as error:
                failure = error
                continue
            finally:
                await client.aclose()
            owners = self._spread(ranges, seed)
            if owners is not None:
                # Ask those next time who are there now, and the configured ones as well.
                self._seeds = list(dict.fromkeys([*owners, *self._address.servers]))
                return owners
        raise RedisError(f"no server of the cluster knows all slots: {failure}") from failure

    def _spread(self, ranges: Sequence[Any], asked: Server) -> tuple[Server, ...] | None:
        owners = []
        for tag in self._tags:
            slot = key_slot(tag.encode())
            found = next((row for row in ranges if int(row[0]) <= slot <= int(row[1])), None)
            if found is None:
                return None
            host, port = found[2][0], int(found[2][1])
            name = host.decode() if isinstance(host, bytes) else str(host or "")
            owners.append(Server(name or asked.host, port))
        return tuple(owners)
