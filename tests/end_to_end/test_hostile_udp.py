"""Hostile datagrams at a live room: nobody is cut off, strangers hear nothing, memory stays.

Two kinds of attackers: strangers on many ports who know everything but the credentials, and
members with valid keys who send rubbish inside their own session.
"""

import asyncio
import random
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from sfu.control.dtls import Dtls, Role
from sfu.packet.stun import write_request
from tests.server import RunningServer, environment_for, running
from tests.sfu.raw_peer import CERTIFICATE, RawPeer, new_socket, offer_text, rtp

pytestmark = pytest.mark.slow

PACKETS = 100_000
STRANGERS = 1_000
BETWEEN_LOOKS = 1_000
MEMBER_PACKETS = 5_000
GROWTH_BYTES_MAX = 10_000_000
CARRIED_WITHIN_S = 10.0

Craft = Callable[[random.Random], bytes]


def memory_of(server: RunningServer) -> int:
    """Read how much memory a server's process holds."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


async def enter(
    server: RunningServer, door: str, token: str, room: str = "r1"
) -> tuple[RawPeer, str]:
    """Open and connect a media session; return the peer and its session's address."""
    peer = RawPeer()
    direction = "sendonly" if door == "whip" else "recvonly"
    async with httpx.AsyncClient(base_url=server.base) as http:
        answer = await http.post(
            f"/v1/rooms/{room}/{door}",
            content=offer_text(direction=direction, ufrag=peer.ufrag),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"},
        )
    assert answer.status_code == 201, answer.text
    peer.answer = answer.text
    await peer.connect()
    return peer, answer.headers["Location"]


class Live:
    """A server with one host and one viewer whose media flows."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.host: RawPeer
        self.viewer: RawPeer
        self.sessions: list[tuple[str, str]] = []
        self._number = 0

    async def open(self) -> None:
        """Let the host and the viewer in."""
        tokens = {"whip": self.server.token("h", "host"), "whep": self.server.token("v")}
        self.host, place = await enter(self.server, "whip", tokens["whip"])
        self.sessions.append((place, tokens["whip"]))
        self.viewer, place = await enter(self.server, "whep", tokens["whep"])
        self.sessions.append((place, tokens["whep"]))

    def next_number(self) -> int:
        """Take the host's next sequence number."""
        self._number += 1
        return self._number

    async def carries(self) -> None:
        """See a new packet of the host reach the viewer; datagrams may be lost, so go on trying."""
        mark = b"mark-%d." % self.next_number()
        async with asyncio.timeout(CARRIED_WITHIN_S):
            while True:
                for peer in (self.host, self.viewer):
                    peer.send(peer.check())  # their consent goes on, as a browser's would
                packet = rtp(self.next_number(), payload=b"\x10\x00\x00" + mark)
                self.host.send_rtp(packet)
                try:
                    while mark not in await self.viewer.receive_rtp(0.3):
                        pass
                except TimeoutError:
                    continue
                return

    async def still_open(self) -> None:
        """See that both sessions are those from the beginning."""
        async with httpx.AsyncClient(base_url=self.server.base) as http:
            for place, token in self.sessions:
                answer = await http.get(place, headers={"Authorization": f"Bearer {token}"})
                assert answer.status_code == 204, answer.text

    def close(self) -> None:
        """Free the sockets."""
        self.host.close()
        self.viewer.close()


@asynccontextmanager
async def live_room(folder: Path) -> AsyncIterator[Live]:
    async with AsyncExitStack() as stack:
        context = running(environment_for(folder), folder / "server.log")
        server = await asyncio.to_thread(context.__enter__)
        stack.push_async_callback(asyncio.to_thread, context.__exit__, None, None, None)
        await asyncio.to_thread(server.room, "r1")
        await asyncio.to_thread(server.room, "r2")
        live = Live(server)
        await live.open()
        stack.callback(live.close)
        await live.carries()
        yield live


def crafts(live: Live) -> list[Craft]:
    """Everything a stranger might send, down to what they overheard of the session."""
    ufrag = live.host.attribute("ice-ufrag")
    hello = Dtls(CERTIFICATE.context(Role.CLIENT), [CERTIFICATE.fingerprint], Role.CLIENT)
    flight = hello.start(now=0.0)
    assert live.host.srtp is not None
    overheard = live.host.srtp.protect_rtp(rtp(live.next_number()))
    assert overheard is not None

    def check(chance: random.Random, user: str, **options: object) -> bytes:
        return write_request(
            chance.randbytes(12),
            username=user,
            password=str(options.get("password", "x" * 32)),
            priority=1,
            use_candidate=True,
            controlling=chance.getrandbits(63),
        )

    return [
        lambda chance: b"",
        lambda chance: chance.randbytes(chance.randrange(1, 1_400)),
        lambda chance: check(chance, f"{ufrag}:peer"),
        lambda chance: check(chance, f"{chance.randbytes(4).hex()}:peer"),
        lambda chance: check(chance, f"{ufrag}:peer")[: chance.randrange(1, 90)],
        lambda chance: b"\x01\x01" + check(chance, f"{ufrag}:peer")[2:],
        lambda chance: b"\x00\x01\xff\xff\x21\x12\xa4\x42" + chance.randbytes(12),
        lambda chance: flight[0],
        lambda chance: flight[0][: chance.randrange(1, len(flight[0]))],
        lambda chance: bytes((chance.randrange(20, 64),)) + chance.randbytes(60),
        lambda chance: b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28",
        lambda chance: overheard,
        lambda chance: rtp(chance.getrandbits(16), ssrc=chance.getrandbits(32)),
        lambda chance: bytes((0x80, chance.randrange(192, 224))) + chance.randbytes(40),
        lambda chance: bytes((0x9F, 0xFF)) + chance.randbytes(10),
        lambda chance: chance.randbytes(2_000),
    ]


async def test_strangers_with_many_ports_reach_nobody_and_hear_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)
    async with live_room(tmp_path) as live:
        kinds = crafts(live)
        target = live.host.server
        strangers = [new_socket() for _ in range(STRANGERS)]
        try:
            before = memory_of(live.server)
            for number in range(PACKETS):
                datagram = kinds[number % len(kinds)](chance)
                _throw(strangers[number % STRANGERS], datagram, target)
                if number % BETWEEN_LOOKS == 0:
                    await live.carries()
            await live.carries()
            await live.still_open()
            assert memory_of(live.server) - before < GROWTH_BYTES_MAX
            heard = [stranger for stranger in strangers if _has_heard(stranger)]
            assert heard == []
        finally:
            for stranger in strangers:
                stranger.close()
        dropped = _dropped(live.server)
        for reason in (
            "stun_not_authentic",
            "stun_unknown_user",
            "stun_not_a_check",
            "dtls_unverified_address",
            "media_unverified_address",
            "unknown_kind",
        ):
            assert dropped[reason] > 1_000, dropped
        assert "internal" not in dropped


async def test_members_who_send_rubbish_inside_their_session_end_nobody_elses(
    tmp_path: Path,
) -> None:
    chance = random.Random(8)
    async with live_room(tmp_path) as live:
        server = live.server
        liar, _ = await enter(server, "whip", server.token("x", "host"), room="r2")
        spy, _ = await enter(server, "whep", server.token("spy"))
        before = memory_of(server)
        try:
            for number in range(MEMBER_PACKETS):
                for member in (liar, spy):
                    member.send(_rubbish(member, chance))
                if number % BETWEEN_LOOKS == 0:
                    await live.carries()
            await live.carries()
            await live.still_open()
            assert memory_of(server) - before < GROWTH_BYTES_MAX
            assert "internal" not in _dropped(server)
        finally:
            liar.close()
            spy.close()


def _rubbish(member: RawPeer, chance: random.Random) -> bytes:
    """Write a datagram with valid keys and invalid or excessive content."""
    assert member.srtp is not None
    kind = chance.randrange(8)
    noise = chance.randbytes(chance.randrange(0, 200))
    if kind < 3:
        first = bytes((0x80 | chance.getrandbits(6),))
        head = first + bytes((chance.getrandbits(7),)) + chance.randbytes(2)
        plain = head + chance.randbytes(4) + chance.randbytes(4) + noise
        return member.srtp.protect_rtp(plain) or noise
    if kind < 6:
        words = chance.choice((0, 1, len(noise) // 4, 0xFFFF))
        head = bytes((0x80 | chance.getrandbits(5), chance.randrange(200, 208)))
        plain = head + words.to_bytes(2, "big") + chance.randbytes(4) + noise
        return member.srtp.protect_rtcp(plain) or noise
    if kind == 6:
        return bytes((chance.randrange(20, 64),)) + noise
    return secrets.token_bytes(40)


def _throw(sock: socket.socket, datagram: bytes, target: tuple[str, int]) -> None:
    try:
        sock.sendto(datagram, target)
    except BlockingIOError:
        return


def _has_heard(sock: socket.socket) -> bool:
    try:
        sock.recv(2_048)
    except BlockingIOError:
        return False
    return True


def _dropped(server: RunningServer) -> dict[str, float]:
    text = httpx.get(f"{server.base}/metrics", timeout=10).text
    name = r"^liveroom_media_datagrams_dropped_total"
    found = re.findall(name + r'\{reason="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {reason: float(count) for reason, count in found}
