"""What every bus promises, shown on each implementation."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from liveroom.bus.local import LocalBus
from liveroom.bus.port import Bus, Publication
from liveroom.domain.events import Entered, Event
from liveroom.domain.ids import EventId, RoomId, UserId
from tests.nodes import Nodes

HERE, THERE = RoomId("here"), RoomId("there")


@pytest_asyncio.fixture(params=["local", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    if request.param == "local":
        made: Bus = LocalBus()
    else:
        made = Nodes(request.getfixturevalue("redis").url).make("only")
    await made.start()
    yield made
    await made.close()


def news(room: RoomId, name: str) -> Publication:
    fact = Entered(user=UserId(name), name=name, tier="basic")
    return Publication(room, (Event(id=EventId(name), room=room, at=1, fact=fact),), likes=2)


async def test_subscribers_get_their_room_in_order(bus: Bus) -> None:
    taken: list[Publication] = []
    bus.subscribe(HERE, taken.append)
    sent = [news(HERE, f"n{index}") for index in range(50)]
    for publication in sent:
        await bus.publish(publication)
        await bus.publish(news(THERE, "other"))
    assert taken == sent


async def test_every_subscriber_gets_every_publication_once(bus: Bus) -> None:
    first: list[Publication] = []
    second: list[Publication] = []
    bus.subscribe(HERE, first.append)
    bus.subscribe(HERE, second.append)
    await bus.publish(news(HERE, "a"))
    assert first == second == [news(HERE, "a")]


async def test_one_callable_may_subscribe_twice_and_leave_once(bus: Bus) -> None:
    taken: list[Publication] = []
    leave = bus.subscribe(HERE, taken.append)
    bus.subscribe(HERE, taken.append)
    leave()
    await bus.publish(news(HERE, "a"))
    assert len(taken) == 1


async def test_nothing_comes_after_unsubscribing_and_doing_it_twice_is_harmless(bus: Bus) -> None:
    taken: list[Publication] = []
    leave = bus.subscribe(HERE, taken.append)
    await bus.publish(news(HERE, "a"))
    leave()
    leave()
    await bus.publish(news(HERE, "b"))
    assert [publication.events[0].id for publication in taken] == ["a"]


async def test_who_subscribes_to_all_hears_every_room(bus: Bus) -> None:
    taken: list[RoomId] = []
    leave = bus.subscribe_all(lambda publication: taken.append(publication.room))
    await bus.publish(news(HERE, "a"))
    await bus.publish(news(THERE, "b"))
    leave()
    leave()
    await bus.publish(news(HERE, "c"))
    assert taken == [HERE, THERE]


async def test_a_failing_subscriber_does_not_stop_the_others(bus: Bus) -> None:
    taken: list[Publication] = []

    def fail(_publication: Publication) -> None:
        raise RuntimeError("a subscriber's bug")

    bus.subscribe(HERE, fail)
    bus.subscribe(HERE, taken.append)
    bus.subscribe_all(taken.append)
    await bus.publish(news(HERE, "a"))
    await bus.publish(news(HERE, "b"))
    assert len(taken) == 4


async def test_subscribing_and_leaving_during_a_delivery_is_safe(bus: Bus) -> None:
    taken: list[str] = []

    def once(publication: Publication) -> None:
        taken.append(publication.events[0].id)
        leave()
        bus.subscribe(HERE, lambda later: taken.append(later.events[0].id + "-later"))

    leave = bus.subscribe(HERE, once)
    await bus.publish(news(HERE, "a"))
    await bus.publish(news(HERE, "b"))
    assert taken == ["a", "b-later"]


async def test_a_room_that_was_just_subscribed_to_becomes_ready(bus: Bus) -> None:
    taken: list[Publication] = []
    leave = bus.subscribe(HERE, taken.append)
    async with asyncio.timeout(5):
        await bus.ready(HERE)
        await bus.ready(THERE)
    await bus.publish(news(HERE, "a"))
    leave()
    bus.subscribe(HERE, taken.append)
    async with asyncio.timeout(5):
        await bus.ready(HERE)
    await bus.publish(news(HERE, "b"))
    assert [publication.events[0].id for publication in taken] == ["a", "b"]


async def test_a_bus_that_is_up_is_not_degraded(bus: Bus) -> None:
    assert not bus.is_degraded


async def test_a_closed_bus_delivers_nothing(bus: Bus) -> None:
    taken: list[Publication] = []
    bus.subscribe(HERE, taken.append)
    await bus.close()
    await bus.publish(news(HERE, "a"))
    assert taken == []
