"""Two nodes on one PostgreSQL and one Redis are one house: whoever enters wherever."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from liveroom.client.room import RoomClient
from liveroom.client.visit import Joined, RoomClosed, join
from tests.fleet import Fleet, clean_logs, fleet
from tests.nodes import until
from tests.redis import redis_server
from tests.server import RunningServer
from tests.sfu.raw_peer import RawPeer, offer_text, rtp

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]

REVOKED_WITHIN_S = 2.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two nodes, a room for each test."""
    with redis_server() as redis, fleet(tmp_path_factory.mktemp("nodes"), 2, redis.port) as found:
        yield found
        assert clean_logs(found.nodes) == []


@pytest.fixture
async def room(house: Fleet, request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("test_", "")[:40].replace("_", "-")
    return await asyncio.to_thread(house.any.room, name)


@asynccontextmanager
async def visit(
    server: RunningServer, room: str, user: str, role: str = "viewer"
) -> AsyncIterator[RoomClient]:
    """Be in a room at one certain node."""
    token = server.token(user, role, room=room)
    async with httpx.AsyncClient() as http:
        joined = await join(http, server.base, room, token)
    here = Joined(server.gateway, joined.whep_url, joined.whip_url, token, joined.body)
    async with RoomClient(server.base, room, token, joined=here) as client:
        yield client


async def taken(client: RoomClient, kind: str, seconds: float = 10.0) -> Any:
    return (await client.next_event(kind, timeout_s=seconds)).fields


async def test_what_happens_at_one_node_is_seen_at_the_other(house: Fleet, room: str) -> None:
    here, there = (node.server for node in house.nodes)
    await asyncio.to_thread(here.member, "giver", coins=100)
    async with visit(here, room, "giver") as giver, visit(there, room, "watcher") as watcher:
        receipt = await giver.gift("rose", 2)
        event = await watcher.next_event("gift")
        assert (event.n, event.fields["count"]) == (receipt["n"], 2)
        await giver.say("hello over there")
        assert (await taken(watcher, "danmaku"))["text"] == "hello over there"
        await giver.like(7)
        await until(lambda: watcher.counters["likes"] == 7)
        await until(lambda: watcher.counters["online"] == giver.counters["online"] == 2)
        numbers = await asyncio.to_thread(there.call, "GET", f"/v1/rooms/{room}/numbers")
        assert (numbers["online"], numbers["gifts"]) == (2, 2)
        async with visit(there, room, "late") as late:
            assert late.welcome is not None
            texts = late.welcome.snapshot["texts"]
            assert [text["text"] for text in texts] == ["hello over there"]
        await until(lambda: watcher.counters["online"] == 2)
    assert [watcher.duplicates, giver.duplicates] == [0, 0]


async def test_a_returning_customer_at_one_node_is_shown_to_the_host_at_the_other(
    house: Fleet, room: str
) -> None:
    here, there = (node.server for node in house.nodes)
    await asyncio.to_thread(
        here.call, "POST", "/v1/products", json={"id": "p1", "title": "Dress", "price": 9_900}
    )
    await asyncio.to_thread(here.member, "anna", name="Anna")
    await asyncio.to_thread(
        here.call,
        "POST",
        "/v1/orders",
        json={
            "id": f"o-{room}",
            "user": "anna",
            "room": room,
            "lines": [{"product": "p1", "quantity": 1, "unit_price": 9_900}],
            "paid_at": 1_760_000_000_000,
        },
        headers={"Idempotency-Key": f"o-{room}"},
    )
    async with visit(here, room, "h", "host") as host, visit(there, room, "anna"):
        card = await taken(host, "recognised")
        assert (card["user"], card["orders"]) == ("anna", 1)
        # The host comes back at the node where nobody let the card out: it is still there.
        async with visit(there, room, "h", "host") as again:
            assert again.welcome is not None
            assert [one["user"] for one in again.welcome.snapshot["recognised"]] == ["anna"]


async def test_who_is_banned_at_one_node_loses_the_socket_at_the_other(
    house: Fleet, room: str
) -> None:
    here, there = (node.server for node in house.nodes)
    async with visit(there, room, "rude") as rude:
        started = asyncio.get_running_loop().time()
        await asyncio.to_thread(
            here.call,
            "POST",
            f"/v1/rooms/{room}/sanctions",
            json={"do": "ban", "user": "rude"},
        )
        with pytest.raises(RoomClosed) as closed:
            await taken(rude, "nothing", REVOKED_WITHIN_S)
        assert closed.value.code == 4104
        assert asyncio.get_running_loop().time() - started < REVOKED_WITHIN_S


async def test_the_host_is_found_moved_and_taken_off_the_air_across_nodes(
    house: Fleet, room: str
) -> None:
    here, there = (node.server for node in house.nodes)
    async with visit(there, room, "v") as viewer, Host(here, room) as host:
        await until(lambda: host.is_told)
        async with httpx.AsyncClient() as http:
            token = there.token("v2", room=room)
            assert (await join(http, there.base, room, token)).whep_url.startswith(here.base)
            assert (await join(http, here.base, room, token)).whep_url.startswith(here.base)
            again = await join(http, there.base, room, there.token("h", "host", room=room))
            assert again.whip_url == f"{here.base}/v1/rooms/{room}/whip"
            other = await http.post(
                f"{there.base}/v1/rooms/{room}/whip",
                content=offer_text(),
                headers={
                    "Authorization": f"Bearer {there.token('another', 'host', room=room)}",
                    "Content-Type": "application/sdp",
                },
            )
            assert (other.status_code, other.json()["code"]) == (409, "host_live")
        assert [slot["live"] for slot in (await taken(viewer, "stage"))["slots"]] == [True]
        # The same host comes in at the other node: the old media is cut, the new is found.
        async with Host(there, room) as moved:
            await until(lambda: moved.is_told)
            await until(lambda: not host.is_told)
            async with httpx.AsyncClient() as http:
                joined = await join(http, here.base, room, here.token("v3", room=room))
                assert joined.whep_url.startswith(there.base)
            ended = await asyncio.to_thread(here.call, "POST", f"/v1/rooms/{room}/end")
            assert ended["broadcast"]["phase"] == "ended"
            await until(lambda: not moved.is_told)
            assert (await taken(viewer, "broadcast"))["phase"] in ("live", "ended")


class Host:
    """A host whose packets flow; `is_told` while the server has the session live."""

    def __init__(self, server: RunningServer, room: str) -> None:
        self._server = server
        self._room = room
        self._peer = RawPeer()
        self._headers = {"Authorization": f"Bearer {server.token('h', 'host', room=room)}"}
        self._task: asyncio.Task[None]
        self.is_told = False

    async def __aenter__(self) -> "Host":
        async with httpx.AsyncClient(base_url=self._server.base) as http:
            answer = await http.post(
                f"/v1/rooms/{self._room}/whip",
                content=offer_text(ufrag=self._peer.ufrag),
                headers={**self._headers, "Content-Type": "application/sdp"},
            )
        assert answer.status_code == 201, answer.text
        self._peer.answer = answer.text
        await self._peer.connect()
        self._task = asyncio.create_task(self._send(answer.headers["Location"]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        self._peer.close()

    async def _send(self, place: str) -> None:
        number = 0
        async with httpx.AsyncClient(base_url=self._server.base) as http:
            while True:
                for _ in range(5):
                    number += 1
                    self._peer.send(self._peer.check())
                    self._peer.send_rtp(rtp(number, payload=b"\x10\x00\x00media"))
                    await asyncio.sleep(0.02)
                answer = await http.get(place, headers=self._headers)
                self.is_told = answer.status_code == 204
