"""The media server from outside: real WebRTC clients, takeover, comings and goings."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiortc import (
    AudioStreamTrack,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)

from sfu.app import Media, candidate_addresses
from sfu.config import MediaConfig
from tests.sfu.conftest import Server
from tests.sfu.raw_peer import RawPeer, new_socket, rtp, until

TAKEOVER_S = 0.2


class Watching:
    """An aiortc viewer that counts decoded frames."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection()
        self.frames = {"video": 0, "audio": 0}
        self._tasks: list[asyncio.Task[None]] = []
        self.connection.addTransceiver("video", direction="recvonly")
        self.connection.addTransceiver("audio", direction="recvonly")
        self.connection.on("track", self._on_track)

    def _on_track(self, track: VideoStreamTrack) -> None:
        async def count() -> None:
            while True:
                await track.recv()
                self.frames[track.kind] += 1

        self._tasks.append(asyncio.ensure_future(count()))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.connection.close()


async def post(server: Server, door: str, pc: RTCPeerConnection, user: str, role: str) -> str:
    """Offer and answer; return the session id."""
    await pc.setLocalDescription(await pc.createOffer())
    reply = await server.ask(door, user=user, role=role, body=pc.localDescription.sdp)
    assert reply.status == 201, reply
    await pc.setRemoteDescription(RTCSessionDescription(reply.body.decode(), "answer"))
    return reply.headers["Location"].rpartition("/")[2]


@asynccontextmanager
async def publishing(server: Server, user: str) -> AsyncIterator[RTCPeerConnection]:
    pc = RTCPeerConnection()
    pc.addTrack(VideoStreamTrack())
    pc.addTrack(AudioStreamTrack())
    await post(server, "whip", pc, user, "host")
    try:
        yield pc
    finally:
        await pc.close()


@pytest.mark.slow
async def test_aiortc_plays_what_aiortc_publishes_through_a_host_change(server: Server) -> None:
    """The viewer comes first, stays while the host is away, and plays on without rejoining."""
    viewer = Watching()
    await post(server, "whep", viewer.connection, "v", "viewer")
    try:
        for _ in range(2):
            before = dict(viewer.frames)
            async with publishing(server, "h"):
                await until(
                    lambda before=before: all(
                        viewer.frames[kind] >= before[kind] + 10 for kind in before
                    ),
                    "ten more frames of both kinds",
                    20,
                )
            await until(lambda: server.kinds().count("away") >= 1, "away")
        assert viewer.connection.connectionState == "connected"
        assert server.kinds().count("live") == 2
    finally:
        await viewer.close()


async def test_a_viewer_before_any_host_gets_media_later(server: Server) -> None:
    viewer, _ = await server.viewer()
    host, _ = await server.publisher()
    host.send_rtp(rtp(1, payload=b"\x10\x00\x00hello"))
    assert (await viewer.receive_rtp()).endswith(b"hello")


async def test_the_same_user_takes_over_at_once(server: Server) -> None:
    viewer, _ = await server.viewer()
    old, old_session = await server.publisher("h")
    old.send_rtp(rtp(1, payload=b"\x10\x00\x00old"))
    assert (await viewer.receive_rtp()).endswith(b"old")
    began = time.monotonic()
    new, _ = await server.publisher("h")
    new.send_rtp(rtp(500, payload=b"\x10\x00\x00new"))
    assert (await viewer.receive_rtp()).endswith(b"new")
    assert time.monotonic() - began < TAKEOVER_S
    closed = [event for event in server.events if event.kind == "session_closed"]
    assert [(event.session, event.detail["reason"]) for event in closed] == [
        (old_session, "taken_over")
    ]
    old.send_rtp(rtp(2, payload=b"\x10\x00\x00ghost"))
    new.send_rtp(rtp(501, payload=b"\x10\x00\x00newer"))
    assert (await viewer.receive_rtp()).endswith(b"newer")


async def test_the_one_taken_over_is_told(server: Server) -> None:
    old, _ = await server.publisher("h")
    await server.open("whip", user="h", role="host")
    assert old.dtls is not None
    while not old.dtls.closed:
        old.dtls.receive(await old.receive(), now=0)


async def test_live_comes_with_the_first_packet_and_away_with_the_end(server: Server) -> None:
    host, session = await server.publisher("h")
    assert "live" not in server.kinds()
    host.send_rtp(rtp(1))
    await until(lambda: "live" in server.kinds(), "live")
    reply = await server.ask("whip", "DELETE", user="h", session=session)
    assert reply.status == 200
    live, away, closed = server.events[-3:]
    assert [live.kind, away.kind, closed.kind] == ["live", "away", "session_closed"]
    assert (away.user, away.session, away.detail["reason"]) == ("h", session, "deleted")


async def test_a_host_who_hangs_up_is_away(server: Server) -> None:
    host, _ = await server.publisher("h")
    host.send_rtp(rtp(1))
    await until(lambda: "live" in server.kinds(), "live")
    assert host.dtls is not None
    for datagram in host.dtls.close():
        host.send(datagram)
    await until(lambda: "away" in server.kinds(), "away")
    assert server.events[-1].detail["reason"] == "peer_closed"


async def test_a_guest_leaves(server: Server) -> None:
    _, session = await server.open("whip", user="g", role="guest")
    await server.ask("whip", "DELETE", user="g", role="guest", session=session)
    assert [event.kind for event in server.events] == ["session_opened", "left", "session_closed"]


async def test_a_guest_is_not_on_the_hosts_slot(server: Server) -> None:
    viewer, _ = await server.viewer()
    guest, _ = await server.open("whip", user="g", role="guest")
    await guest.connect()
    guest.send_rtp(rtp(1, payload=b"\x10\x00\x00guest"))
    await until(lambda: server.media.stats().engine.packets_in == 1, "the packet came in")
    assert server.media.stats().engine.packets_out == 0
    assert viewer.srtp is not None


async def test_ending_a_session_stops_its_packets(server: Server) -> None:
    host, _ = await server.publisher()
    viewer, session = await server.viewer()
    host.send_rtp(rtp(1))
    await viewer.receive_rtp()
    assert server.media.end_session(session, "kicked")
    assert not server.media.end_session(session, "kicked")
    out = server.media.stats().engine.packets_out
    host.send_rtp(rtp(2))
    await until(lambda: server.media.stats().engine.packets_in == 2, "the packet came in")
    assert server.media.stats().engine.packets_out == out


async def test_ending_somebody_ends_their_sessions_in_that_room_and_role(server: Server) -> None:
    _, first = await server.open("whep", user="troll", role="viewer")
    _, second = await server.open("whep", user="troll", role="viewer")
    _, other = await server.open("whep", user="ming", role="viewer")
    assert server.media.end_user("r2", "troll", {"viewer"}, "ban") == 0
    assert server.media.end_user("r1", "troll", {"guest"}, "ban") == 0
    assert server.media.end_user("r1", "troll", {"viewer", "guest"}, "ban") == 2
    assert [server.media.session_stats(one) is None for one in (first, second, other)] == [
        True,
        True,
        False,
    ]


async def test_an_ice_restart_keeps_media_flowing_to_the_new_address(server: Server) -> None:
    host, _ = await server.publisher()
    viewer, session = await server.viewer()
    reply = await server.ask(
        "whep",
        "PATCH",
        user="viewer-1",
        role="viewer",
        session=session,
        body="a=ice-ufrag:again\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\n",
        headers={"content-type": "application/trickle-ice-sdpfrag", "if-match": "*"},
    )
    assert reply.status == 200
    moved = RawPeer(ufrag="again", answer=reply.body.decode())
    server.peers.append(moved)
    await moved.check_until_answered()
    moved.srtp = viewer.srtp
    host.send_rtp(rtp(1, payload=b"\x10\x00\x00moved"))
    assert (await moved.receive_rtp()).endswith(b"moved")
    viewer.send(viewer.check())
    await until(lambda: server.dropped("stun_unknown_user"), "the old credentials have ended")


async def test_closing_tells_everybody() -> None:
    events = []
    media = Media(MediaConfig(), on_event=events.append)
    await media.start()
    server = Server(media, events)
    host, _ = await server.publisher()
    await media.close()
    assert [event.kind for event in events][-1] == "session_closed"
    assert host.dtls is not None
    while not host.dtls.closed:
        host.dtls.receive(await host.receive(), now=0)
    host.close()


@pytest.mark.parametrize(
    ("bind", "advertise", "peer_host"),
    [("::1", (), "::1"), ("::", ("::1",), "::1"), ("::", ("127.0.0.1",), "127.0.0.1")],
    ids=["v6", "both-by-v6", "both-by-v4"],
)
async def test_media_flows_over_both_internet_protocols(
    bind: str, advertise: tuple[str, ...], peer_host: str
) -> None:
    media = Media(MediaConfig(host=bind, advertise=advertise), on_event=lambda _event: None)
    await media.start()
    server = Server(media)
    try:
        peers = [RawPeer(sock=new_socket(peer_host)) for _ in range(2)]
        host, viewer = peers
        await server.open("whip", user="h", role="host", peer=host)
        await server.open("whep", user="v", role="viewer", peer=viewer)
        for peer in peers:
            await peer.connect()
        host.send_rtp(rtp(1, payload=b"\x10\x00\x00hello"))
        assert (await viewer.receive_rtp()).endswith(b"hello")
    finally:
        await media.close()
        for peer in server.peers:
            peer.close()


@pytest.mark.parametrize(
    ("advertise", "bound", "expected"),
    [
        ((), "127.0.0.1", (("127.0.0.1", 5000),)),
        (("203.0.113.7",), "0.0.0.0", (("203.0.113.7", 5000),)),
        (("203.0.113.7:9",), "0.0.0.0", (("203.0.113.7", 9),)),
        (("[2001:db8::1]:9", "2001:db8::2"), "::", (("2001:db8::1", 9), ("2001:db8::2", 5000))),
    ],
)
def test_candidates_follow_the_settings(
    advertise: tuple[str, ...], bound: str, expected: tuple[tuple[str, int], ...]
) -> None:
    config = MediaConfig(host=bound, advertise=advertise)
    assert candidate_addresses(config, bound, 5000) == expected


def test_a_wildcard_advertises_the_interfaces() -> None:
    found = candidate_addresses(MediaConfig(host="0.0.0.0"), "0.0.0.0", 5000)
    assert ("127.0.0.1", 5000) in found
    assert all(port == 5000 for _, port in found)


def test_a_name_is_no_candidate() -> None:
    config = MediaConfig(advertise=("media.example",))
    with pytest.raises(ValueError, match=r"media\.example"):
        candidate_addresses(config, "0.0.0.0", 5000)
