"""What the bus of one process promises beyond the contract."""

from liveroom.bus.local import LocalBus
from liveroom.bus.port import Publication
from liveroom.domain.ids import RoomId

ROOM = RoomId("r")


async def test_a_publication_is_delivered_before_publish_returns() -> None:
    bus = LocalBus()
    taken: list[Publication] = []
    bus.subscribe(ROOM, taken.append)
    await bus.publish(Publication(ROOM, likes=3))
    assert [publication.likes for publication in taken] == [3]


async def test_a_room_nobody_hears_is_forgotten() -> None:
    bus = LocalBus()
    leave = bus.subscribe(ROOM, lambda _publication: None)
    assert bus.is_heard(ROOM)
    leave()
    assert not bus.is_heard(ROOM)
