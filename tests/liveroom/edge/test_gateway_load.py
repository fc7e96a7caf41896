"""Under load: texts are sampled, money is not, a slow reader harms nobody, a drain is orderly."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest_asyncio
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from liveroom.domain.actors import Role
from liveroom.domain.events import Event
from liveroom.edge.callers import GatewayLimits
from liveroom.observe import EVENTS_DROPPED
from liveroom.protocol.codec import JSON
from liveroom.protocol.messages import Batch, Bye, Move
from tests.liveroom.edge.gateway_house import (
    ROOM,
    House,
    enter_fact,
    gift_fact,
    open_house,
    text_fact,
    token,
    wait_until,
)


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


def dropped(kind: str, reason: str) -> float:
    return EVENTS_DROPPED.labels(kind, reason)._value.get()


def flood(house: House, count: int, user: str = "crowd") -> list[Event]:
    return [house.fake.event(text_fact(user, f"text {index}")) for index in range(count)]


async def test_a_flood_of_text_is_sampled_and_its_money_is_complete(house: House) -> None:
    ming = await house.guest("ming")
    before = dropped("text", "sampled")
    for _ in range(10):
        await house.fake.publish(*flood(house, 50), house.fake.commit(gift_fact("anna")))
        await asyncio.sleep(0.02)
    await ming.event("gift", n=10)
    assert [e["n"] for e in ming.events if e["k"] == "gift"] == list(range(1, 11))
    texts = [event for event in ming.events if event["k"] == "danmaku"]
    assert 10 <= len(texts) <= 40
    assert dropped("text", "sampled") - before >= 400


async def test_the_host_sees_every_text_of_a_flood(house: House) -> None:
    host = await house.guest("anna", Role.HOST)
    await house.fake.publish(*flood(house, 200))
    await host.event("danmaku", text="text 199")
    assert len([event for event in host.events if event["k"] == "danmaku"]) == 200


async def test_ones_own_text_and_the_hosts_are_always_shown(house: House) -> None:
    ming, anna = await house.guest("ming"), await house.guest("anna")
    host = await house.guest("host", Role.HOST)
    for _ in range(3):  # uses the budget up
        await house.fake.publish(*flood(house, 300))
    for index in range(5):
        await house.fake.publish(*flood(house, 300))
        await ming.send(t="say", id=f"c{index}", text=f"mine {index}")
        await asyncio.sleep(0.12)
    await host.send(t="say", id="h", text="welcome all")
    for index in range(5):
        if f"mine {index}" not in {event.get("text") for event in ming.events}:
            await ming.event("danmaku", text=f"mine {index}")
    await anna.event("danmaku", text="welcome all")
    mine = [event["text"] for event in ming.events if event.get("user") == "ming"]
    assert mine == [f"mine {index}" for index in range(5)]


async def test_greetings_stop_in_a_crowd_except_for_members_of_a_level(house: House) -> None:
    ming = await house.guest("ming")
    await house.fake.publish(*(house.fake.event(enter_fact(f"u{i}")) for i in range(50)))
    await ming.event("enter")
    await house.fake.publish(house.fake.commit(gift_fact("x")))
    await ming.event("gift")
    assert len([event for event in ming.events if event["k"] == "enter"]) <= 12


async def test_events_of_one_moment_share_one_frame(house: House) -> None:
    ming = await house.guest("ming")
    for index in range(10):
        await house.fake.publish(house.fake.event(text_fact("x", f"t{index}")))
    await ming.event("danmaku", text="t9")
    batches = [m for m in ming.seen if isinstance(m, Batch) and m.events]
    assert len(batches) <= 2


class DeafGuest:
    """A client that enters and then never reads again: a bare socket with a small buffer."""

    def __init__(self, house: House, user: str) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        self._house = house
        self._user = user

    async def enter(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, ("127.0.0.1", self._house.gateway.port))
        protocol = ClientProtocol(parse_uri(self._house.url))
        protocol.send_request(protocol.connect())
        hello = {"t": "hello", "token": token(self._user), "room": ROOM}
        await loop.sock_sendall(self.socket, b"".join(protocol.data_to_send()))
        protocol.receive_data(await loop.sock_recv(self.socket, 1024))
        protocol.send_text(msgspec.json.encode(hello))
        await loop.sock_sendall(self.socket, b"".join(protocol.data_to_send()))
        self.protocol = protocol

    async def read_to_the_end(self) -> list[Any]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while data := await loop.sock_recv(self.socket, 65536):
                self.protocol.receive_data(data)
                if reply := b"".join(self.protocol.data_to_send()):
                    await loop.sock_sendall(self.socket, reply)
        frames = [f for f in self.protocol.events_received() if getattr(f, "opcode", None) == 1]
        return [JSON.decode_answer(frame.data) for frame in frames]


async def test_a_reader_that_never_reads_is_cut_and_others_are_unaffected() -> None:
    async with open_house(GatewayLimits(backlog_bytes=64 * 1024)) as house:
        anna = await house.guest("anna")
        deaf = DeafGuest(house, "deaf")
        await deaf.enter()
        await wait_until(lambda: house.gateway.online(ROOM) == 2)
        while house.gateway.online(ROOM) == 2:
            events = [house.fake.commit(gift_fact("x" * 60)) for _ in range(100)]
            await house.fake.publish(*events)
            await anna.event("gift", n=len(house.fake.history))
        assert [e["n"] for e in anna.events if e["k"] == "gift"] == list(
            range(1, len(house.fake.history) + 1)
        )
        messages = await deaf.read_to_the_end()
        bye = messages[-1]
        assert isinstance(bye, Bye)
        assert bye.code == 4001
        assert isinstance(bye.after_ms, int)
        assert deaf.protocol.close_rcvd is not None
        assert deaf.protocol.close_rcvd.code == 4001
        got = [event["n"] for m in messages if isinstance(m, Batch) for event in m.events]
        assert got == list(range(1, len(got) + 1))
        deaf.socket.close()


async def test_a_slow_reader_misses_texts_but_no_money() -> None:
    async with open_house(GatewayLimits(backlog_bytes=1024 * 1024)) as house:
        deaf = DeafGuest(house, "deaf")
        await deaf.enter()
        await wait_until(lambda: house.gateway.online(ROOM) == 1)
        before = dropped("text", "backlog")
        host_texts = 0
        while dropped("text", "backlog") == before:
            texts = [house.fake.event(text_fact("x", "长" * 100, badge="host")) for _ in range(20)]
            host_texts += len(texts)
            await house.fake.publish(*texts, house.fake.commit(gift_fact("x")))
            await asyncio.sleep(0.025)
        reading = asyncio.create_task(deaf.read_to_the_end())
        await asyncio.sleep(0.3)
        house.gateway.disconnect(ROOM, deaf._user, 4103)  # type: ignore[arg-type]
        messages = await reading
        events = [event for m in messages if isinstance(m, Batch) for event in m.events]
        gifts = [event["n"] for event in events if event["k"] == "gift"]
        assert gifts == list(range(1, len(house.fake.history) + 1))
        assert len([event for event in events if event["k"] == "danmaku"]) < host_texts
        deaf.socket.close()


async def test_a_drain_says_move_then_bye_and_loses_no_command(house: House) -> None:
    guests = [await house.guest(f"u{index}") for index in range(5)]
    await guests[0].send(t="gift", id="g1", gift="rose", count=1)
    await guests[0].answer("g1")
    draining = asyncio.create_task(house.gateway.drain(1.0))
    move = await guests[0].expect(Move)
    assert 0 <= move.after_ms <= 1_000
    await guests[0].send(t="gift", id="g2", gift="rose", count=1)
    await guests[0].answer("g2")
    for guest in guests:
        bye, code = await guest.closed()
        assert code == 4000
        assert bye is not None
        assert isinstance(bye.after_ms, int)
        assert any(isinstance(message, Move) for message in guest.seen)
    await draining
    assert house.gateway.connections == 0


async def test_a_drain_ends_early_when_everybody_has_moved(house: House) -> None:
    ming = await house.guest("ming")
    draining = asyncio.create_task(house.gateway.drain(60.0))
    await ming.expect(Move)
    await ming.websocket.close()
    async with asyncio.timeout(10):
        await draining
