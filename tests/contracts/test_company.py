"""What processes on one Redis know of each other: figures, who lives, who has a room's host."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from liveroom.bus import company as timing
from liveroom.bus.company import Mine, RedisCompany
from liveroom.bus.port import Share
from liveroom.bus.redis import RedisBus
from liveroom.domain.ids import RoomId, UserId
from tests.nodes import Nodes, until
from tests.redis import RedisServer, redis_server

ROOM, OTHER = RoomId("r1"), RoomId("r2")
HOST = UserId("host")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "TELL_EVERY_S", 0.05)
    monkeypatch.setattr(timing, "FOUND_S", 0.0)


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe who is silent for a moment only."""
    monkeypatch.setattr(timing, "BELIEVED_MS", 1_000)
    monkeypatch.setattr(timing, "LEASE_MS", 1_000)


@dataclass
class Process:
    bus: RedisBus
    company: RedisCompany
    shares: dict[RoomId, Share] = field(default_factory=dict)
    changed: set[RoomId] = field(default_factory=set)
    lost: list[tuple[RoomId, str]] = field(default_factory=list)


@asynccontextmanager
async def processes(nodes: Nodes, count: int) -> AsyncIterator[list[Process]]:
    made: list[Process] = []
    for index in range(count):
        bus = nodes.make(f"node{index}")
        await bus.start()
        shares: dict[RoomId, Share] = {}
        changed: set[RoomId] = set()
        lost: list[tuple[RoomId, str]] = []
        mine = Mine(
            url=lambda index=index: f"http://node{index}",
            shares=lambda shares=shares: shares,
            changed=changed.update,
            lost=lambda room, session, lost=lost: lost.append((room, session)),
        )
        company = RedisCompany(bus, mine)
        await company.start()
        made.append(Process(bus, company, shares, changed, lost))
    try:
        yield made
    finally:
        for one in made:
            await one.company.close()
            await one.bus.close()


def stop_telling(process: Process) -> None:
    """Let a process die without a word."""
    task = process.company._task
    assert task is not None
    task.cancel()


async def test_everybody_knows_the_sums_of_the_others(redis: RedisServer) -> None:
    async with processes(Nodes(redis.url), 3) as (a, b, c):
        a.shares[ROOM] = Share(10, 2, 1.5)
        b.shares[ROOM] = Share(5, 1, 0.5)
        b.shares[OTHER] = Share(7)
        await until(lambda: c.company.share(ROOM) == Share(15, 3, 2.0))
        await until(lambda: a.company.share(ROOM) == Share(5, 1, 0.5))
        await until(lambda: a.company.share(OTHER).online == 7)
        assert b.company.share(OTHER) == Share()
        await until(lambda: c.changed == {ROOM, OTHER})
        await until(lambda: len(c.company.peers()) == 3)
        assert set(c.company.origins()) == {"http://node0", "http://node1"}


@pytest.mark.usefixtures("mortal")
async def test_a_process_that_dies_is_not_counted_for_long(redis: RedisServer) -> None:
    async with processes(Nodes(redis.url), 2) as (a, b):
        a.shares[ROOM] = Share(10)
        await until(lambda: b.company.share(ROOM).online == 10)
        stop_telling(a)
        await until(lambda: b.company.share(ROOM).online == 0)
        assert len(b.company.peers()) == 1


async def test_a_place_is_known_elsewhere_and_given_back(redis: RedisServer) -> None:
    async with processes(Nodes(redis.url), 2) as (a, b):
        await until(lambda: len(b.company.peers()) == 2)
        assert await b.company.elsewhere(ROOM) is None
        assert not await b.company.is_placed(ROOM)
        await a.company.take(ROOM, HOST, "s1")
        place = await b.company.elsewhere(ROOM)
        assert place is not None
        assert (place.url, place.user, place.session) == ("http://node0", HOST, "s1")
        assert b.company.origin_of(ROOM) == "http://node0"
        assert await a.company.elsewhere(ROOM) is None
        assert a.company.origin_of(ROOM) is None
        assert await b.company.is_placed(ROOM)
        await a.company.release(ROOM, "an older session")
        assert await b.company.elsewhere(ROOM) is not None
        await a.company.release(ROOM, "s1")
        assert await b.company.elsewhere(ROOM) is None


@pytest.mark.slow
@pytest.mark.usefixtures("mortal")
async def test_a_lease_is_kept_while_it_is_renewed_and_expires_when_its_process_dies(
    redis: RedisServer,
) -> None:
    async with processes(Nodes(redis.url), 2) as (a, b):
        await a.company.take(ROOM, HOST, "s1")
        await asyncio.sleep(2.0)  # two lifetimes of a lease
        assert await b.company.elsewhere(ROOM) is not None
        stop_telling(a)
        await until(lambda: len(b.company.peers()) == 1)
        assert not await b.company.is_placed(ROOM)


async def test_who_takes_over_fences_off_who_had_the_host(redis: RedisServer) -> None:
    async with processes(Nodes(redis.url), 2) as (a, b):
        await a.company.take(ROOM, HOST, "s1")
        await b.company.take(ROOM, HOST, "s2")
        await a.company.verify(ROOM)
        assert a.lost == [(ROOM, "s1")]
        await a.company.release(ROOM, "s1")  # its session ends: not the new one's place
        place = await a.company.elsewhere(ROOM)
        assert place is not None
        assert place.session == "s2"
        assert b.lost == []


async def test_without_redis_everybody_keeps_their_hosts_and_tells_again_when_it_is_back() -> None:
    with redis_server() as server:
        async with processes(Nodes(server.url), 2) as (a, b):
            a.shares[ROOM] = Share(3)
            await a.company.take(ROOM, HOST, "s1")
            await until(lambda: b.company.share(ROOM).online == 3)
            server.kill()
            await b.company.take(OTHER, HOST, "s2")
            assert await b.company.is_placed(ROOM)
            assert a.lost == []
            server.start()  # it has forgotten everything
            await until(lambda: len(b.company.peers()) == 2)
            async with asyncio.timeout(10):
                while await b.company.elsewhere(ROOM) is None:
                    await asyncio.sleep(0.02)
                while await a.company.elsewhere(OTHER) is None:
                    await asyncio.sleep(0.02)
            assert a.lost == b.lost == []
