"""A visit over plain HTTP is the websocket's: the same frames, bounds, codes, and resume."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
import pytest_asyncio

from liveroom.app.application import App
from liveroom.client.room import RoomClient
from liveroom.client.visit import RoomClosed, join
from liveroom.config import Address, Config
from liveroom.domain.actors import Actor, Role
from liveroom.domain.events import Delivery
from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.edge.backlog import Prepared, essential
from liveroom.edge.connection import WRITE_HIGH_BYTES
from liveroom.edge.event_stream import BEAT, EventStream
from liveroom.edge.tokens import Tokens
from tests.house import lay_store

SECRET = "a secret of the tests, long enough for HS256"
ADMIN_KEY = "the admin key of the tests"
ROOM = "r1"
WITHIN_S = 5.0


class Visit:
    """A client of a stream: reads events, posts commands."""

    def __init__(self, base: str, http: httpx.AsyncClient, reply: httpx.Response) -> None:
        self._base = base
        self._http = http
        self.reply = reply
        self._lines = reply.aiter_lines()
        self.frames: list[dict[str, Any]] = []
        self.id = ""

    async def read(self) -> dict[str, Any] | None:
        """Read the next frame; None at the end."""
        async with asyncio.timeout(WITHIN_S):
            async for line in self._lines:
                if line.startswith("data: "):
                    frame: dict[str, Any] = json.loads(line.removeprefix("data: "))
                    self.frames.append(frame)
                    return frame
        return None

    async def expect(self, type_: str) -> dict[str, Any]:
        """Read until a frame of a type comes."""
        while True:
            frame = await self.read()
            assert frame is not None, (type_, self.frames)
            if frame["t"] == type_:
                return frame

    async def event(self, kind: str) -> dict[str, Any]:
        while True:
            frame = await self.read()
            assert frame is not None, self.frames
            for event in frame.get("events", ()):
                if event["k"] == kind:
                    return event

    async def post(self, frame: Any) -> httpx.Response:
        content = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        return await self._http.post(f"{self._base}/v1/events/{self.id}", content=content)


class House:
    """A whole server in this process."""

    def __init__(self, app: App, http: httpx.AsyncClient) -> None:
        self.app = app
        self.http = http
        self.base = app.http_url
        self.gateway = app._gateway

    def token(self, user: str, role: Role = Role.VIEWER) -> str:
        actor = Actor(user=UserId(user), role=role, room=RoomId(ROOM), tenant=TenantId("default"))
        return Tokens(secret=SECRET).sign(actor, at=time.time(), ttl_s=3600)

    @asynccontextmanager
    async def visit(
        self, user: str = "ming", role: Role = Role.VIEWER, **query: Any
    ) -> AsyncIterator[Visit]:
        token = query.pop("token", None) or self.token(user, role)
        request = self.http.stream(
            "GET",
            f"{self.base}/v1/events",
            params={"room": ROOM, **query},
            headers={"Authorization": f"Bearer {token}"},
        )
        async with request as reply:
            visit = Visit(self.base, self.http, reply)
            visit.id = (await visit.expect("stream"))["id"]
            yield visit

    async def admin(self, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        reply = await self.http.post(
            self.base + path,
            json=body,
            headers={"Liveroom-Admin-Key": ADMIN_KEY, "Idempotency-Key": key},
        )
        assert reply.is_success, reply.text
        answer: dict[str, Any] = reply.json()
        return answer


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    config = Config(
        http=Address("127.0.0.1", 0),
        gateway=Address("127.0.0.1", 0),
        media=Address("127.0.0.1", 0),
        store=lay_store(f"sqlite:///{tmp_path}/room.db"),
        secret=SECRET,
        admin_key=ADMIN_KEY,
    )
    app = App(config)
    await app.start()
    try:
        async with httpx.AsyncClient(timeout=WITHIN_S) as http:
            opened = House(app, http)
            await opened.admin("/v1/rooms", {"id": ROOM, "title": "Room"}, "room")
            yield opened
    finally:
        await app.stop()


async def notice(house: House, text: str) -> None:
    await house.admin(f"/v1/rooms/{ROOM}/events", {"text": text}, text)


async def test_a_visit_from_hello_to_bye(house: House) -> None:
    async with house.visit("ming") as ming, house.visit("anna", Role.HOST) as host:
        assert ming.reply.headers["content-type"].startswith("text/event-stream")
        assert ming.reply.headers["cache-control"] == "no-store"
        welcome = await ming.expect("welcome")
        assert (welcome["resumed"], welcome["you"]["user"]) == (False, "ming")
        await host.expect("welcome")
        assert (await ming.post({"t": "say", "id": "s1", "text": "你好\n<b>"})).status_code == 202
        assert (await ming.expect("ok"))["id"] == "s1"
        assert (await host.event("danmaku"))["text"] == "你好 <b>"
        await ming.post({"t": "ping"})
        assert "at" in await ming.expect("pong")
        await ming.post({"t": "ask", "id": "a1", "do": "me", "with": {}})
        assert (await ming.expect("ok"))["card"]["user"] == "ming"
        await notice(house, "sale")
        assert (await ming.event("notice"))["text"] == "sale"
        await host.post({"t": "ask", "id": "b", "do": "ban", "with": {"user": "ming"}})
        assert (await ming.expect("bye"))["code"] == 4104
        assert await ming.read() is None, "the answer ends"
        assert (await ming.post({"t": "ping"})).status_code == 404
    async with house.visit("ming") as again:
        assert (await again.expect("bye"))["code"] == 4104


async def test_resume_brings_each_missed_event_once(house: House) -> None:
    async with house.visit() as first:
        welcome = await first.expect("welcome")
        await notice(house, "one")
        await first.event("notice")
        seen = first.frames[-1]["offset"]
    for text in ("two", "three"):
        await notice(house, text)
    place = {"epoch": welcome["epoch"], "offset": seen, "personal": welcome["personal"]}
    async with house.visit(**place) as second:
        assert (await second.expect("welcome"))["resumed"] is True
        batch = await second.expect("batch")
        assert [event["text"] for event in batch["events"]] == ["two", "three"]
        assert batch["offset"] == seen + 2
    async with house.visit(epoch="other", offset=1) as third:
        assert (await third.expect("welcome"))["resumed"] is False


async def test_what_is_wrong_is_told_as_on_a_websocket(house: House) -> None:
    async with house.visit(token="x.y.z") as bad:
        assert (await bad.expect("bye"))["code"] == 4100
    async with house.visit() as ming:
        await ming.expect("welcome")
        await ming.post({"t": "fly", "id": "f"})
        assert (await ming.expect("no"))["code"] == "unknown_command"
        await ming.post(b"{")
        assert (await ming.expect("bye"))["code"] == 4106
        assert await ming.read() is None
    events = f"{house.base}/v1/events"
    asked: list[tuple[dict[str, Any], dict[str, str], int]] = [
        ({"room": ROOM}, {}, 401),
        ({"room": ROOM}, {"Authorization": "Basic x"}, 401),
        ({"room": "../x"}, {"Authorization": "Bearer x"}, 422),
        ({"room": ROOM, "epoch": "e", "offset": "-1"}, {"Authorization": "Bearer x"}, 422),
    ]
    for params, headers, status in asked:
        reply = await house.http.get(events, params=params, headers=headers)
        assert reply.status_code == status
    assert (await house.http.post(f"{events}/nobody", content=b"{}")).status_code == 404
    async with house.visit() as ming:
        huge = await ming.post(b"x" * 20_000)
        assert (huge.status_code, huge.json()["code"]) == (413, "too_large")
        foreign = await house.http.post(
            f"{events}/{ming.id}", content=b"{}", headers={"Origin": "https://evil.example"}
        )
        assert foreign.status_code == 403


async def test_who_hangs_up_is_gone_and_the_count_is_right(house: House) -> None:
    async with house.visit() as ming:
        await ming.expect("welcome")
        assert (house.gateway.connections, house.gateway.online(RoomId(ROOM))) == (1, 1)
    async with asyncio.timeout(WITHIN_S):
        while house.gateway.connections or house.gateway.online(RoomId(ROOM)):
            await asyncio.sleep(0.01)


async def test_a_stop_says_move_and_ends_every_stream(house: House) -> None:
    async with house.visit() as ming:
        await ming.expect("welcome")
        stopping = asyncio.create_task(house.app.stop(drain_s=0.4))
        assert "after_ms" in await ming.expect("move")
        assert (await ming.expect("bye"))["code"] == 4000
        assert await ming.read() is None
        async with asyncio.timeout(WITHIN_S):
            await stopping


async def test_the_python_client_visits_by_events_and_resumes(house: House) -> None:
    token = house.token("ming")
    async with RoomClient(house.base, ROOM, token, transport="events", random=Quick()) as ming:
        assert ming.transport == "events"
        assert (await ming.say("hi"))["text"] == "hi"
        await notice(house, "one")
        assert (await ming.next_event("notice")).fields["text"] == "one"
        await ming.break_connection()
        await notice(house, "two")
        assert (await ming.next_event("notice")).fields["text"] == "two"
        assert ming.welcome is not None
        assert (ming.connects, ming.duplicates, ming.welcome.resumed) == (2, 0, True)
        assert (await ming.ask("me"))["card"]["user"] == "ming"
        banned = {"do": "ban", "user": "ming"}
        await house.admin(f"/v1/rooms/{ROOM}/sanctions", banned, "ban")
        with pytest.raises(RoomClosed, match="4104"):
            await ming.next_event("nothing")


async def test_the_python_client_goes_over_to_events_by_itself(house: House) -> None:
    async with httpx.AsyncClient() as http:
        joined = await join(http, house.base, ROOM, house.token("ming"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        blocked = f"ws://127.0.0.1:{probe.getsockname()[1]}/v1/ws"
    joined = replace(joined, gateway_url=blocked)
    client = RoomClient(house.base, ROOM, house.token("ming"), joined=joined, random=Quick())
    async with client as ming:
        assert ming.transport == "events"
        assert (await ming.say("hi"))["text"] == "hi"


class Quick(Random):
    """Waits no longer than it must."""

    def random(self) -> float:
        return 0.0


def stream(bytes_max: int = 256 * 1024) -> EventStream:
    return EventStream("id", address="a", chance=lambda: 0.0, bytes_max=bytes_max)


async def test_who_does_not_read_keeps_bounded_bytes_and_is_closed_as_slow() -> None:
    slow = stream(bytes_max=64 * 1024)
    left: list[bool] = []
    slow.on_leaving = lambda: left.append(True)
    frame = {"t": "x", "text": "y" * 1_000}
    offered = 0
    while slow.is_open():
        slow.offer(essential(frame))
        offered += 1
        assert slow._ready_bytes + slow.backlog.bytes <= WRITE_HIGH_BYTES + 66 * 1024
    assert 90 < offered < 110
    assert left == [True]
    whole = b"".join([chunk async for chunk in slow.chunks()])
    assert b'"code":4001' in whole.splitlines()[-2]


async def test_texts_are_skipped_before_what_is_essential() -> None:
    slow = stream()
    for _ in range(200):
        slow.offer(
            Prepared(
                {"t": "text", "x": "y" * 1_000}, essential=None, inessential={Delivery.TEXT: 1}
            )
        )
    slow.offer(essential({"t": "money"}))
    assert slow.is_open()
    chunks = slow.chunks()
    seen = b""
    while b'"money"' not in seen:
        seen += await anext(chunks)
    assert seen.count(b'"text"') < 120


async def test_commands_waiting_are_bounded_and_a_beat_is_a_comment() -> None:
    opened = stream()
    fed = [opened.feed("{}") for _ in range(20)]
    assert fed == [True] * 16 + [False] * 4
    chunks = opened.chunks()
    assert (await anext(chunks)).startswith(b'data: {"t":"stream"')
    opened.beat()
    assert await anext(chunks) == BEAT
    opened.abort()
    assert not opened.feed("{}")
    assert [chunk async for chunk in chunks] == []
