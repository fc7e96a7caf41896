"""A mic link at a real server: ask, be accepted, publish, be seen at once, be taken down."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from liveroom.client.room import RoomClient
from tests.server import RunningServer, environment_for, running
from tests.sfu.raw_peer import RawPeer, offer_text, rtp, until

pytestmark = pytest.mark.slow

KEY = b"\x10\x00\x00"
SLOTS = ("video", "audio") * 9
SEEN_WITHIN_S = 1.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("stage")
    with running(environment_for(folder), folder / "server.log") as server:
        yield server


class Evening:
    """One room with its host on air, and everybody who came."""

    def __init__(self, server: RunningServer, room: str) -> None:
        self.server = server
        self.room = server.room(room, host="host")
        self.host_token = server.token("host", "host", room, name="Mia")
        self.peers: list[RawPeer] = []

    async def post(self, door: str, token: str, **offer: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.server.base) as http:
            return await http.post(
                f"/v1/rooms/{self.room}/{door}",
                content=offer_text(direction="sendonly" if door == "whip" else "recvonly", **offer),
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"},
            )

    async def enter(self, door: str, token: str, **offer: Any) -> RawPeer:
        """Open and connect a media session."""
        answer = await self.post(door, token, **offer)
        assert answer.status_code == 201, answer.text
        peer = RawPeer(answer=answer.text)
        self.peers.append(peer)
        await peer.connect()
        return peer

    async def go_live(self) -> RawPeer:
        """Let the host publish until the room says so."""
        host = await self.enter("whip", self.host_token)
        host.send_rtp(rtp(1, payload=KEY + b"host"))
        await until(lambda: self.server.call("GET", f"/v1/rooms/{self.room}")["live"], "live")
        return host

    async def direct(self, method: str, slot: int, body: Any = None) -> httpx.Response:
        """Ask for a slot as the host."""
        async with httpx.AsyncClient(base_url=self.server.base) as http:
            return await http.request(
                method,
                f"/v1/rooms/{self.room}/stage/{slot}",
                json=body,
                headers={"Authorization": f"Bearer {self.host_token}"},
            )

    def client(self, user: str) -> RoomClient:
        """Visit over the websocket."""
        token = self.server.token(user, room=self.room, name=user.title())
        return RoomClient(self.server.base, self.room, token)


@asynccontextmanager
async def evening(server: RunningServer, room: str) -> AsyncIterator[Evening]:
    made = Evening(server, room)
    try:
        yield made
    finally:
        for peer in made.peers:
            peer.close()


def slot_ssrc(peer: RawPeer, slot: int) -> int:
    """Read the SSRC of a slot's video from the answer."""
    found = re.search(rf"a=ssrc:(\d+) msid:slot-{slot} slot-{slot}-video", peer.answer)
    assert found is not None, peer.answer
    return int(found[1])


async def seen(peer: RawPeer, slot: int) -> bytes:
    """Wait for a packet of a slot's video; return what it says."""
    while True:
        packet = await peer.receive_rtp()
        if int.from_bytes(packet[8:12], "big") == slot_ssrc(peer, slot):
            return packet.rpartition(KEY)[2]


async def test_from_the_question_to_the_picture_and_off_again(server: RunningServer) -> None:
    async with evening(server, "mic") as room, room.client("ann") as ann:
        await room.go_live()
        viewer = await room.enter("whep", server.token("v", room="mic"), media=SLOTS)
        assert [slot_ssrc(viewer, slot) for slot in range(9)], "host and eight guests"
        guest_token = server.token("ann", "guest", "mic")
        refused = await room.post("whip", guest_token)
        assert (refused.status_code, refused.json()["code"]) == (403, "no_seat")
        answer = await ann.ask("mic")
        assert (answer["phase"], answer["position"]) == ("asked", 1)
        accepted_at = time.monotonic()
        assert (await room.direct("PUT", 2, {"user": "ann"})).status_code == 200
        seat = await ann.next_event("seat")
        assert seat.fields["slot"] == 2
        assert seat.fields["whip_url"] == f"{server.base}/v1/rooms/mic/whip"
        guest = await room.enter("whip", seat.fields["token"])
        guest.send_rtp(rtp(1, payload=KEY + b"guest"))
        assert await seen(viewer, 2) == b"guest"
        assert time.monotonic() - accepted_at < SEEN_WITHIN_S
        stage = await ann.next_event("stage")
        while not any(s["user"] == "ann" and s["live"] for s in stage.fields["slots"]):
            stage = await ann.next_event("stage")
        down = await room.direct("DELETE", 2)
        assert [slot["slot"] for slot in down.json()["slots"]] == [0]
        assert guest.dtls is not None
        while not guest.dtls.closed:
            guest.dtls.receive(await guest.receive(), now=0)
        assert (await room.post("whip", seat.fields["token"])).json()["code"] == "no_seat"


async def test_mute_and_change_of_places_reach_the_packets(server: RunningServer) -> None:
    async with evening(server, "places") as room:
        host = await room.go_live()
        viewer = await room.enter("whep", server.token("v", room="places"), media=SLOTS)
        await room.direct("PUT", 1, {"user": "ann"})
        guest = await room.enter("whip", server.token("ann", "guest", "places"))
        guest.send_rtp(rtp(1, payload=KEY + b"1"))
        assert await seen(viewer, 1) == b"1"
        muted = await room.direct("PUT", 1, {"muted": {"audio": False, "video": True}})
        assert [s["video"] for s in muted.json()["slots"]] == [True, False]
        number = 1

        def send(said: bytes, *peers: RawPeer) -> None:
            nonlocal number
            number += 1
            for peer, whose in zip(peers, (b" guest", b" host"), strict=False):
                peer.send_rtp(rtp(number, payload=KEY + said + whose))

        send(b"muted", guest)
        async with asyncio.timeout(5):
            while not await viewer.is_silent(0.1):
                send(b"muted", guest)
        await room.direct("PUT", 1, {"muted": {}})
        await room.direct("PUT", 0, {"user": "ann"})
        async with asyncio.timeout(5):
            for slot, whose in ((0, b" guest"), (1, b" host")):
                said = b""
                while not said.endswith(whose):
                    send(b"open", guest, host)
                    said = await seen(viewer, slot)
                    assert not said.startswith(b"muted")


async def test_bad_requests_name_what_is_wrong(server: RunningServer) -> None:
    async with evening(server, "wrong") as room:
        await room.go_live()
        for slot, body, code in (
            (1, {}, "invalid"),
            (1, {"user": "ann", "muted": {}}, "invalid"),
            (1, {"user": "../x"}, "invalid"),
            (9, {"user": "ann"}, "no_such_slot"),
            (1, {"muted": {"audio": True}}, "no_such_slot"),
            (0, {"user": "ann"}, "no_seat"),
        ):
            assert (await room.direct("PUT", slot, body)).json()["code"] == code, body
        assert (await room.direct("DELETE", 0)).json()["code"] == "invalid"
        assert (await room.direct("DELETE", 3)).status_code == 200, "nobody there is fine"


async def test_a_pk_shows_each_room_the_other_s_host(server: RunningServer) -> None:
    async with evening(server, "pk-one") as one, evening(server, "pk-two") as two:
        hosts = [await room.go_live() for room in (one, two)]
        viewers = [
            await room.enter("whep", server.token("v", room=room.room), media=SLOTS)
            for room in (one, two)
        ]
        asked = await one.direct("PUT", 1, {"room": "pk-two", "seconds": 60})
        assert [slot["slot"] for slot in asked.json()["slots"]] == [0], "not before both agree"
        agreed = await two.direct("PUT", 1, {"room": "pk-one"})
        assert [(s["slot"], s["role"]) for s in agreed.json()["slots"]] == [
            (0, "host"),
            (1, "rival"),
        ]
        for number, host in enumerate(hosts):
            host.send_rtp(rtp(2, payload=KEY + b"from %d" % number))
        for number, viewer in enumerate(viewers):
            said = b""
            async with asyncio.timeout(5):
                while said != b"from %d" % (1 - number):
                    hosts[1 - number].send_rtp(rtp(3, payload=KEY + b"from %d" % (1 - number)))
                    said = await seen(viewer, 1)
        over = await one.direct("DELETE", 1)
        assert over.status_code == 200, over.text
        async with two.client("late") as late:
            (settled,) = late.welcome.snapshot["rounds"]
            assert (settled["phase"], settled["winner"]) == ("settled", "pk-two")
