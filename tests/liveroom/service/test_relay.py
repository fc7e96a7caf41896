"""What is committed reaches the bus in order, also when the bus fails for a while."""

import asyncio

import pytest

from liveroom.bus.port import Publication
from liveroom.domain.events import Event, OrderPaid
from liveroom.domain.ids import EventId, ProductId, RoomId
from liveroom.service import relay
from liveroom.service.relay import by_room
from liveroom.store import journal
from tests.house import ROOM, House, until


def event(id: str, room: str) -> Event:
    fact = OrderPaid(product=ProductId("p"), title="t")
    return Event(id=EventId(id), room=RoomId(room), at=1, fact=fact)


def test_each_room_gets_one_publication_in_order() -> None:
    events = [event("1", "a"), event("2", "b"), event("3", "a")]
    assert [(p.room, [e.id for e in p.events]) for p in by_room(events)] == [
        ("a", ["1", "3"]),
        ("b", ["2"]),
    ]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "RETRY_S", 0.01)
    return


async def test_a_commit_wakes_the_relay(house: House) -> None:
    await house.make_product()
    await house.order("o1", "u1")
    await until(lambda: [event.n for event in house.heard] == [1])


@pytest.mark.usefixtures("impatient")
async def test_a_bus_that_fails_gets_everything_when_it_is_back(house: House) -> None:
    await house.make_product()
    publish, failures = house.bus.publish, iter([ConnectionError("down"), ConnectionError("down")])

    async def flaky(publication: Publication) -> None:
        for failure in failures:
            raise failure
        await publish(publication)

    house.bus.publish = flaky
    for i in range(3):
        await house.order(f"o{i}", f"u{i}")
    await until(lambda: len(house.heard) >= 3)
    assert [event.n for event in house.heard] == [1, 2, 3]
    assert await house.store.run(journal.unpublished) == []


async def test_two_drains_at_once_publish_once(house: House) -> None:
    await house.make_product()
    for i in range(20):
        await house.order(f"o{i}", f"u{i}")
    await asyncio.gather(*(house.settle() for _ in range(5)))
    assert [event.n for event in house.heard] == list(range(1, 21))


async def test_rooms_are_told_apart(house: House) -> None:
    await house.make_room("r2")
    await house.make_product()
    mine: list[Publication] = []
    house.bus.subscribe(ROOM, mine.append)
    await house.order("o1", "u1", room="r2")
    await house.order("o2", "u1")
    await house.settle()
    assert [publication.room for publication in mine] == ["r1"]
    assert [event.n for event in house.heard] == [1, 1]
