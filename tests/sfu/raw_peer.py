"""A WebRTC peer of a few lines for tests: one UDP socket, one check, DTLS and SRTP by hand.

It does exactly what it is told, so it can also misbehave. Not a client: no retransmission of
media, no reports.
"""

import asyncio
import datetime
import re
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from sfu.control.dtls import Certificate, Dtls, Role
from sfu.control.sdp import Fingerprint
from sfu.packet.demux import Kind, demux
from sfu.packet.srtp import Profile, Srtp
from sfu.packet.stun import parse_success, write_request

DEADLINE_S = 5.0
CERTIFICATE = Certificate(at=datetime.datetime.now(datetime.UTC))

H264 = "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
VIDEO = ["a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli"]
AUDIO = ["a=rtpmap:111 opus/48000/2"]
MEDIA_SSRC = 0x11223344


def offer_text(
    *,
    direction: str = "sendonly",
    media: tuple[str, ...] = ("audio", "video"),
    fingerprint: Fingerprint = CERTIFICATE.fingerprint,
    ufrag: str = "peer",
    pwd: str = "p" * 22,
    setup: str = "actpass",
    extra: tuple[str, ...] = (),
) -> str:
    """Write a small, valid offer."""
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(str(mid) for mid in range(len(media)))}",
    ]
    for mid, kind in enumerate(media):
        number, formats = ("96", VIDEO) if kind == "video" else ("111", AUDIO)
        lines += [
            f"m={kind} 9 UDP/TLS/RTP/SAVPF {number}",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{mid}",
            f"a={direction}",
            f"a=ice-ufrag:{ufrag}",
            f"a=ice-pwd:{pwd}",
            f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value.hex(':').upper()}",
            f"a=setup:{setup}",
            "a=rtcp-mux",
            "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
            *formats,
            *extra,
        ]
        if kind == "video" and direction == "sendonly":
            lines.append(f"a=ssrc:{MEDIA_SSRC} cname:raw")
    return "".join(f"{line}\r\n" for line in lines)


def rtp(
    sequence: int, *, payload: bytes = b"\x10\x00\x00" + bytes(50), ssrc: int = MEDIA_SSRC
) -> bytes:
    """Write an RTP packet of VP8; the default payload is a key frame's first packet."""
    head = bytes((0x80, 96 | 0x80)) + sequence.to_bytes(2, "big")
    return head + (sequence * 3000).to_bytes(4, "big") + ssrc.to_bytes(4, "big") + payload


@dataclass
class RawPeer:
    """One peer; `answer` is set by the caller from the server's reply."""

    ufrag: str = "peer"
    profiles: tuple[Profile, ...] = tuple(Profile)
    certificate: Certificate = CERTIFICATE
    answer: str = ""
    srtp: Srtp | None = None
    dtls: Dtls | None = None
    received: list[bytes] = field(default_factory=list)
    sock: socket.socket = field(default_factory=lambda: new_socket())

    def attribute(self, name: str) -> str:
        """Read the first such attribute of the answer."""
        found = re.search(rf"^a={name}:(\S+.*?)\r$", self.answer, re.MULTILINE)
        assert found is not None, f"no {name} in {self.answer}"
        return found.group(1)

    @property
    def server(self) -> tuple[str, int]:
        """The address of the first candidate."""
        parts = self.attribute("candidate").split()
        return parts[4], int(parts[5])

    def check(self, *, nominate: bool = True, password: str | None = None) -> bytes:
        """Write a binding request as the answer's credentials ask for."""
        return write_request(
            secrets.token_bytes(12),
            username=f"{self.attribute('ice-ufrag')}:{self.ufrag}",
            password=password or self.attribute("ice-pwd"),
            priority=1,
            use_candidate=nominate,
            controlling=1,
        )

    def send(self, data: bytes) -> None:
        """Send a datagram to the server."""
        self.sock.sendto(data, self.server)

    async def receive(self, seconds: float = DEADLINE_S) -> bytes:
        """Wait for one datagram."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            return await loop.sock_recv(self.sock, 2048)

    async def is_silent(self, seconds: float = 0.2) -> bool:
        """Say whether nothing comes for a while."""
        try:
            await self.receive(seconds)
        except TimeoutError:
            return True
        return False

    async def check_until_answered(self, *, nominate: bool = True) -> None:
        """Do one connectivity check."""
        self.send(self.check(nominate=nominate))
        while parse_success(await self.receive()) is None:
            pass

    async def connect(self) -> None:
        """Check, shake hands, have keys."""
        await self.check_until_answered()
        await self.handshake()

    async def handshake(self) -> None:
        """Do the DTLS handshake as client."""
        algorithm, value = self.attribute("fingerprint").split()
        expected = Fingerprint(algorithm, bytes.fromhex(value.replace(":", "")))
        context = self.certificate.context(Role.CLIENT, self.profiles)
        loop = asyncio.get_running_loop()
        self.dtls = Dtls(context, [expected], Role.CLIENT)
        flight = self.dtls.start(now=loop.time())
        async with asyncio.timeout(DEADLINE_S):
            while self.dtls.keys is None:
                assert self.dtls.failure is None, self.dtls.failure
                for datagram in flight:
                    self.send(datagram)
                data = await self.receive()
                is_dtls = demux(data) is Kind.DTLS
                flight = self.dtls.receive(data, now=loop.time()) if is_dtls else []
        for datagram in flight:
            self.send(datagram)
        keys = self.dtls.keys
        self.srtp = Srtp(keys.profile, keys.local, keys.remote)

    def send_rtp(self, packet: bytes) -> None:
        """Protect and send an RTP packet."""
        assert self.srtp is not None
        protected = self.srtp.protect_rtp(packet)
        assert protected is not None
        self.send(protected)

    async def receive_rtp(self, seconds: float = DEADLINE_S) -> bytes:
        """Wait for one RTP packet, unprotected; others are kept in `received`."""
        assert self.srtp is not None
        async with asyncio.timeout(seconds):
            while True:
                data = await self.receive()
                self.received.append(data)
                if demux(data) is Kind.RTP:
                    plain = self.srtp.unprotect_rtp(data)
                    assert plain is not None
                    return plain

    def close(self) -> None:
        """Free the socket."""
        self.sock.close()


def new_socket(host: str = "127.0.0.1") -> socket.socket:
    """Make a non-blocking UDP socket on a free port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.setblocking(False)
    return sock


async def until(condition: Callable[[], object], what: str, seconds: float = DEADLINE_S) -> None:
    """Wait for a condition with a deadline."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        assert loop.time() < deadline, f"not in {seconds} s: {what}"
        await asyncio.sleep(0.005)
