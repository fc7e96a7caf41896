"""What the bus promises between nodes, on one Redis, under Sentinel, and on a cluster."""

import asyncio
import random

import pytest

from liveroom.bus.port import Publication
from liveroom.bus.topology import partition_of
from liveroom.domain.ids import RoomId
from liveroom.observe import BUS_REPAIRED
from tests.nodes import Nodes, entered, publish_until_taken, until, watch
from tests.redis import Guarded, RedisServer, redis_server

ROOM, OTHER = RoomId("r1"), RoomId("r2")


@pytest.fixture(
    params=[
        "redis",
        pytest.param("sentinel", marks=pytest.mark.slow),
        pytest.param("cluster", marks=pytest.mark.slow),
    ]
)
def nodes(request: pytest.FixtureRequest) -> Nodes:
    if request.param == "redis":
        return Nodes(request.getfixturevalue("redis").url)
    if request.param == "sentinel":
        return Nodes(request.getfixturevalue("sentinel_redis").url)
    return Nodes(request.getfixturevalue("clustered_redis"))


async def test_every_node_sees_durable_events_once_and_in_order(nodes: Nodes) -> None:
    rooms = [RoomId(f"room{index}") for index in range(8)]
    async with nodes.running(3) as made:
        screens = {room: [(await watch(bus, room))[0] for bus in made] for room in rooms}
        for turn in range(30):
            for room in rooms:
                committed = nodes.ledger.commit(room, 1 + turn % 3)
                await publish_until_taken(made[turn % 3], room, committed)
        for room in rooms:
            expected = list(range(1, len(nodes.ledger.events[room]) + 1))
            await until(lambda r=room, e=expected: all(s.numbers == e for s in screens[r]))


async def test_relays_that_race_and_repeat_double_nothing(nodes: Nodes) -> None:
    async with nodes.running(3) as made:
        screens = [(await watch(bus, ROOM))[0] for bus in made]
        committed = nodes.ledger.commit(ROOM, 60)
        chance = random.Random(5)
        pages = []
        for _ in range(40):
            first = chance.randrange(50)
            pages.append(committed[first : first + chance.randrange(1, 20)])
        pages.append(committed)
        await asyncio.gather(
            *(publish_until_taken(made[index % 3], ROOM, page) for index, page in enumerate(pages))
        )
        await until(lambda: all(screen.numbers == list(range(1, 61)) for screen in screens))


async def test_fleeting_news_reach_the_others_merged_and_their_own_node_at_once(
    nodes: Nodes,
) -> None:
    async with nodes.running(2) as (here, there):
        mine, _ = await watch(here, ROOM)
        theirs, _ = await watch(there, ROOM)
        names = [f"n{index}" for index in range(200)]
        for name in names:
            await here.publish(Publication(ROOM, (entered(ROOM, name),), likes=2))
        assert mine.fleeting == names
        await until(lambda: theirs.fleeting == names and theirs.likes == 400)
        assert mine.likes == 400


async def test_a_room_nobody_watches_here_is_not_heard_here(nodes: Nodes) -> None:
    async with nodes.running(2) as (here, there):
        everything: list[RoomId] = []
        there.subscribe_all(lambda publication: everything.append(publication.room))
        screen, leave = await watch(there, ROOM)
        await here.publish(Publication(OTHER, likes=1))
        await here.publish(Publication(ROOM, likes=1))
        await until(lambda: screen.likes == 1)
        leave()
        await publish_until_taken(here, ROOM, nodes.ledger.commit(ROOM))
        again, _ = await watch(there, ROOM)
        await publish_until_taken(here, ROOM, nodes.ledger.commit(ROOM))
        await until(lambda: again.numbers == [2])
        assert screen.numbers == []
        assert OTHER not in everything


async def test_personal_events_reach_every_node(nodes: Nodes) -> None:
    async with nodes.running(2) as (here, there):
        screen, _ = await watch(there, ROOM)
        for _ in range(5):
            await publish_until_taken(here, ROOM, [nodes.ledger.commit_for(ROOM, "u1")])
        await until(lambda: screen.personal == [1, 2, 3, 4, 5])


async def test_who_subscribes_late_misses_nothing_committed_after_ready(nodes: Nodes) -> None:
    async with nodes.running(2) as (here, there):
        stop = asyncio.Event()

        async def go_on() -> None:
            while not stop.is_set():
                await publish_until_taken(here, ROOM, nodes.ledger.commit(ROOM))

        giving = asyncio.create_task(go_on())
        for _ in range(20):
            screen, leave = await watch(there, ROOM)
            snapshot = len(nodes.ledger.events[ROOM])
            await until(lambda s=snapshot, v=screen: v.numbers and v.numbers[-1] > s + 3)
            shown = screen.numbers
            assert shown == list(range(shown[0], shown[-1] + 1))
            assert shown[0] <= snapshot + 1
            leave()
        stop.set()
        await giving


async def test_a_lost_line_is_made_up_for_from_the_stream(redis: RedisServer) -> None:
    nodes = Nodes(redis.url)
    partition = partition_of(ROOM)
    from_stream = BUS_REPAIRED.labels("stream")._value.get()
    async with nodes.running(2) as (here, there):
        screen, _ = await watch(there, ROOM)
        await publish_until_taken(here, ROOM, nodes.ledger.commit(ROOM))
        await until(lambda: screen.numbers == [1])
        for _ in range(5):
            await until(lambda: there.servers.line(partition))
            there.servers.line(partition).close()
            await publish_until_taken(here, ROOM, nodes.ledger.commit(ROOM, 10))
            await publish_until_taken(here, ROOM, [nodes.ledger.commit_for(ROOM, "u1")])
        await until(lambda: screen.numbers == list(range(1, 52)))
        await until(lambda: screen.personal == [1, 2, 3, 4, 5])
        assert BUS_REPAIRED.labels("stream")._value.get() > from_stream


@pytest.mark.slow
async def test_without_redis_the_store_feeds_every_node_and_nothing_doubles_when_it_is_back() -> (
    None
):
    with redis_server() as server:
        nodes = Nodes(server.url)
        async with nodes.running(2) as (here, there):
            screens = [(await watch(bus, ROOM))[0] for bus in (here, there)]
            await publish_until_taken(here, ROOM, nodes.ledger.commit(ROOM))
            server.kill()
            committed = nodes.ledger.commit(ROOM, 5)
            personal = [nodes.ledger.commit_for(ROOM, "u1")]
            await until(lambda: all(s.numbers == [1, 2, 3, 4, 5, 6] for s in screens), 3)
            await until(lambda: all(s.personal == [1] for s in screens), 3)
            assert here.is_degraded
            assert there.is_degraded
            late, _ = await watch(there, OTHER)
            nodes.ledger.commit(OTHER)
            await until(lambda: late.numbers == [1], 3)
            # What is fleeting still reaches the own node.
            await here.publish(Publication(ROOM, (entered(ROOM, "a"),)))
            assert screens[0].fleeting == ["a"]
            server.start()  # empty: it kept nothing
            await publish_until_taken(here, ROOM, [*committed, *personal])
            await publish_until_taken(here, ROOM, nodes.ledger.commit(ROOM, 3))
            await until(lambda: all(s.numbers == list(range(1, 10)) for s in screens), 5)
            await until(lambda: not here.is_degraded and not there.is_degraded, 5)
            assert [s.personal for s in screens] == [[1], [1]]


@pytest.mark.slow
async def test_a_frozen_redis_is_noticed_and_what_it_kept_is_not_doubled() -> None:
    with redis_server() as server:
        nodes = Nodes(server.url)
        async with nodes.running(2) as (here, there):
            screens = [(await watch(bus, ROOM))[0] for bus in (here, there)]
            await publish_until_taken(here, ROOM, nodes.ledger.commit(ROOM))
            server.freeze()
            committed = nodes.ledger.commit(ROOM, 4)
            taking = asyncio.create_task(publish_until_taken(here, ROOM, committed))
            await until(lambda: all(s.numbers == [1, 2, 3, 4, 5] for s in screens), 5)
            server.thaw()
            await taking
            await publish_until_taken(there, ROOM, nodes.ledger.commit(ROOM))
            await until(lambda: all(s.numbers == list(range(1, 7)) for s in screens), 5)


@pytest.mark.slow
async def test_a_failover_loses_nothing(sentinel_redis: Guarded) -> None:
    nodes = Nodes(sentinel_redis.url)
    async with nodes.running(2) as (here, there):
        screens = [(await watch(bus, ROOM))[0] for bus in (here, there)]
        await publish_until_taken(here, ROOM, nodes.ledger.commit(ROOM, 3))
        before = sentinel_redis.master_port()
        sentinel_redis.sentinels[0].call("SENTINEL", "FAILOVER", "live")
        async with asyncio.timeout(20):
            while await asyncio.to_thread(sentinel_redis.master_port) == before:
                await publish_until_taken(here, ROOM, nodes.ledger.commit(ROOM))
                await asyncio.sleep(0.05)
        await publish_until_taken(there, ROOM, nodes.ledger.commit(ROOM, 2))
        expected = list(range(1, len(nodes.ledger.events[ROOM]) + 1))
        await until(lambda: all(screen.numbers == expected for screen in screens))
        await until(lambda: not here.is_degraded and not there.is_degraded)


async def test_a_broker_that_is_not_there_lets_a_node_start_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("liveroom.bus.servers.START_S_MAX", 0.1)
    nodes = Nodes("redis://127.0.0.1:1")
    async with nodes.running(1) as (alone,):
        screen, _ = await watch(alone, ROOM)
        nodes.ledger.commit(ROOM)
        await until(lambda: screen.numbers == [1], 3)
        assert alone.is_degraded
