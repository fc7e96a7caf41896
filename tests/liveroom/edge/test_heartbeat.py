"""Who is silent is pinged, who stays silent is dead, and nobody has a task for it."""

import asyncio

import pytest

from liveroom.edge.heartbeat import SLOTS, Heartbeat
from liveroom.protocol.messages import Pong
from tests.liveroom.edge.gateway_house import ROOM, open_house, wait_until
from tests.liveroom.edge.test_gateway_load import DeafGuest

BEAT_EVERY_S = 0.3


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liveroom.edge.heartbeat.BEAT_EVERY_S", BEAT_EVERY_S)


class Counting:
    def __init__(self) -> None:
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1


async def test_everybody_has_the_same_number_of_beats_until_they_leave() -> None:
    heartbeat = Heartbeat()
    connections = [Counting() for _ in range(SLOTS * 3)]
    for connection in connections:
        heartbeat.add(connection)
    await wait_until(lambda: all(connection.beats >= 3 for connection in connections))
    counts = {connection.beats for connection in connections}
    assert max(counts) - min(counts) <= 1
    for connection in connections:
        heartbeat.discard(connection)
        heartbeat.discard(connection)
    before = [connection.beats for connection in connections]
    await asyncio.sleep(BEAT_EVERY_S)
    assert [connection.beats for connection in connections] == before
    assert heartbeat._timer is None


async def test_who_answers_pings_stays_and_who_does_not_is_closed() -> None:
    async with open_house() as house:
        ming = await house.guest("ming")
        deaf = DeafGuest(house, "deaf")
        await deaf.enter()
        await wait_until(lambda: house.gateway.online(ROOM) == 2)
        await wait_until(lambda: house.gateway.online(ROOM) == 1)
        await asyncio.sleep(3 * BEAT_EVERY_S)
        assert house.gateway.online(ROOM) == 1
        await ming.send(t="ping")
        assert (await ming.read()) is not None
        await deaf.read_to_the_end()
        assert deaf.protocol.close_rcvd is not None
        assert deaf.protocol.close_rcvd.code == 1011
        deaf.socket.close()


async def test_who_was_heard_is_not_pinged_and_a_pong_is_being_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("liveroom.edge.heartbeat.BEAT_EVERY_S", 3_600)
    async with open_house() as house:
        ming = await house.guest("ming")
        connection = next(iter(house.gateway._connections))
        connection.beat()
        assert not connection._is_pinged, "hello was heard"
        await ming.send(t="ping")
        await ming.expect(Pong)
        connection.beat()
        assert not connection._is_pinged
        connection.beat()
        assert connection._is_pinged
        await wait_until(lambda: connection._is_heard)
        connection.beat()
        assert not connection._is_pinged
        assert connection.is_open()
