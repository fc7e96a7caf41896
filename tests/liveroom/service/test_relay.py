"""What is committed reaches the bus in order, also when the bus fails for a while."""

import asyncio

import pytest

from liveroom.bus.port import Publication
from liveroom.domain.events import Event, OrderPaid
from liveroom.domain.ids import EventId, ProductId, RoomId
from liveroom.service import relay
from liveroom.service.relay import by_room
from liveroom.store import journal
from tests.house import ROOM, House, until, viewer


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


async def taken_out(house: House) -> None:
    """Wait until the outbox is empty by the relay's own doing."""
    async with asyncio.timeout(5):
        while await house.store.run(journal.unpublished):
            await asyncio.sleep(0.01)


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
    await taken_out(house)
    assert [event.n for event in house.heard] == [1, 2, 3]


async def test_what_was_published_is_taken_out_soon_and_not_published_again(house: House) -> None:
    await house.make_product()
    for i in range(5):
        await house.order(f"o{i}", f"u{i}")
    await until(lambda: len(house.heard) >= 5)
    await taken_out(house)
    await house.settle()
    assert [event.n for event in house.heard] == [1, 2, 3, 4, 5]


async def test_more_than_a_page_flows_out_in_order(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "OUTBOX_PAGE", 3)
    monkeypatch.setattr(journal.unpublished, "__defaults__", (3,))
    await house.make_member("u1", coins=100)
    give = house.services.gifting.give
    await asyncio.gather(*(give(viewer(), ROOM, "rose", 1, f"k{i}") for i in range(20)))
    await until(lambda: len(house.heard) >= 20)
    assert [event.n for event in house.heard] == list(range(1, 21))


async def test_what_a_crash_left_in_the_outbox_comes_again_with_the_same_numbers(
    house: House,
) -> None:
    await house.services.relay.stop()
    await house.make_product()
    await house.order("o1", "u1")
    await relay.Relay(house.store, house.bus)._follow()  # published, never taken out
    assert await relay.Relay(house.store, house.bus).drain() == 1
    assert house.heard == [house.heard[0]] * 2
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
