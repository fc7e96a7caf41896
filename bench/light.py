"""A light viewer: the whole way into a room with as little of its own cost as possible.

HTTP join, WHEP POST, ICE check, DTLS as client, first RTP packet decrypted; on a sample the
first decoded frame. Flows in: a server address and a token. Flows out: `Steps`, and packet
counts while it stays. One asyncio datagram endpoint and one timer a viewer; nothing else.
"""

import asyncio
import contextlib
import os
import re
import secrets
import socket
import struct
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urljoin

import httpx
from OpenSSL import SSL

from bench.frames import FrameSample
from liveroom.client.visit import Joined, join, refusal_of
from sfu.control.dtls import Certificate, Dtls, Role
from sfu.control.sdp import Fingerprint
from sfu.packet.srtp import Srtp
from sfu.packet.stun import parse_success, write_request

CHECK_INTERVAL_S = 0.05
"""Between repeated ICE checks while there is no answer (RFC 8445 section 14: Ta)."""
KEEPALIVE_S = 5.0
PRIORITY = 0x6E7F00FF
STEPS = ("http", "whep", "ice", "dtls", "first_packet", "first_frame", "hello", "welcome")


_SCRATCH = bytearray(2048)


class EntryFailed(Exception):  # noqa: N818 - counted by reason
    """A step did not come to its end; `reason` is a short word for the table."""

    def __init__(self, step: str, reason: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step = step
        self.reason = reason


@dataclass(slots=True)
class Steps:
    """When each step was done, in seconds since the viewer began."""

    done_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    ufrag: str
    pwd: str
    address: tuple[str, int]
    fingerprint: Fingerprint


class Factory:
    """What all light viewers of a run share: one certificate, one TLS context."""

    def __init__(self) -> None:
        certificate = Certificate(at=datetime.now(UTC))
        self.fingerprint = ":".join(f"{byte:02X}" for byte in certificate.fingerprint.value)
        self.context: SSL.Context = certificate.context(Role.CLIENT)


class LightViewer(asyncio.DatagramProtocol):
    """One viewer. Call `enter`, look at `packets` while it stays, then `leave`."""

    awaited: tuple[str, ...] = ("ice", "dtls", "first_packet")
    """What belongs to entering, after the answer."""
    relayed_by: tuple[str, int] | None = None
    """Where to send instead of to the server."""

    def __init__(
        self,
        factory: Factory,
        http: httpx.AsyncClient,
        base_url: str,
        room: str,
        token: str | None,
        *,
        wants_frame: bool = False,
    ) -> None:
        self._factory = factory
        self._http = http
        self._base_url = base_url
        self._room = room
        self._token = token
        self._ufrag = secrets.token_hex(4)
        self._pwd = secrets.token_hex(12)
        self._tie_breaker = secrets.randbits(64)
        self._transaction = secrets.token_bytes(12)
        self._answer: Answer | None = None
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._transport: asyncio.DatagramTransport | None = None
        self._dtls: Dtls | None = None
        self._srtp: Srtp | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._began = 0.0
        self._waits: dict[str, asyncio.Future[None]] = {}
        self._frame = FrameSample() if wants_frame else None
        self._checked = self._decrypted = False
        self._drained: socket.socket | None = None
        self.arrivals: list[tuple[float, int]] | None = None
        """When and how large: kept by `drain` when this is a list."""
        self.resource: str | None = None
        self.joined: Joined | None = None
        self.steps = Steps()
        self.packets = 0
        self.bytes = 0
        self.gap_s = 0.0
        """The longest time without a packet, as `drain` saw it."""
        self._heard_at = 0.0

    async def enter(self, *, timeout_s: float) -> None:
        """Go all the way to the first decrypted packet (and decoded frame, if wanted).

        Raises:
            EntryFailed: naming the step and the reason.

        """
        loop = asyncio.get_running_loop()
        self._began = time.monotonic()
        step = "http"
        waits = [*self.awaited] + (["first_frame"] if self._frame else [])
        self._waits = {name: loop.create_future() for name in waits}
        try:
            async with asyncio.timeout(timeout_s):
                self._answer = await self._signal()
                step = "ice"
                self._sock.connect(self.relayed_by or self._answer.address)
                self._transport, _ = await loop.create_datagram_endpoint(
                    lambda: self, sock=self._sock
                )
                self._check()
                for step in waits:
                    await self._waits[step]
        except EntryFailed:
            raise
        except Exception as error:
            if step == "http" and "http" in self.steps.done_s:
                step = "whep"
            reason = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
            raise EntryFailed(step, getattr(error, "code", reason)) from error
        finally:
            for wait in self._waits.values():
                wait.cancel()

    def drain(self) -> None:
        """From now on read many datagrams a wakeup and only count them.

        The endpoint goes on to read one a wakeup; this empties the rest of the same socket.
        """
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        self._drained = socket.socket(fileno=os.dup(sock.fileno()))
        self._drained.setblocking(False)
        asyncio.get_running_loop().add_reader(self._drained.fileno(), self._count_all)

    def _count_all(self) -> None:
        assert self._drained is not None
        receive = self._drained.recv_into
        buffer, arrivals = _SCRATCH, self.arrivals
        now = time.monotonic()
        if self._heard_at:
            self.gap_s = max(self.gap_s, now - self._heard_at)
        self._heard_at = now
        try:
            while True:
                size = receive(buffer)
                if buffer[0] >= 128:
                    self.packets += 1
                    self.bytes += size
                    if arrivals is not None:
                        arrivals.append((time.monotonic(), size))
        except BlockingIOError:
            pass

    async def leave(self) -> None:
        """DELETE the session and close the socket."""
        if self.resource is not None:
            with contextlib.suppress(httpx.HTTPError):
                await self._http.delete(self.resource, headers=self._headers)
        self._close()

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._drained is not None:
            asyncio.get_running_loop().remove_reader(self._drained.fileno())
            self._drained.close()
        if self._transport is not None:
            self._transport.close()
        self._sock.close()

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _target(self) -> tuple[str, str]:
        """Return where to post and what."""
        assert self.joined is not None
        offer = write_offer(self._ufrag, self._pwd, self._factory.fingerprint)
        return self.joined.whep_url, offer

    async def _signal(self) -> Answer:
        """Ask for a session; return what is needed of the answer."""
        self.joined = await join(self._http, self._base_url, self._room, self._token)
        self._token = self.joined.token
        self._done("http")
        answer = await self._post()
        self._done("whep")
        return answer

    async def _post(self) -> Answer:
        path, offer = self._target()
        url = urljoin(f"{self._base_url.rstrip('/')}/", path)
        reply = await self._http.post(
            url, content=offer, headers={"Content-Type": "application/sdp", **self._headers}
        )
        if reply.status_code != 201:
            raise refusal_of(reply)
        self.resource = urljoin(str(reply.url), reply.headers["Location"])
        return read_answer(reply.text)

    def _done(self, step: str) -> None:
        self.steps.done_s.setdefault(step, time.monotonic() - self._began)
        wait = self._waits.get(step)
        if wait is not None and not wait.done():
            wait.set_result(None)

    def _check(self) -> None:
        """Send an ICE check and arm the next; a fresh transaction for each keep-alive."""
        assert self._answer is not None
        if self._transport is None or self._transport.is_closing():
            return
        if self._checked:
            self._transaction = secrets.token_bytes(12)
        self._transport.sendto(
            write_request(
                self._transaction,
                username=f"{self._answer.ufrag}:{self._ufrag}",
                password=self._answer.pwd,
                priority=PRIORITY,
                use_candidate=True,
                controlling=self._tie_breaker,
            )
        )
        delay_s = KEEPALIVE_S if self._checked else CHECK_INTERVAL_S
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _tick(self) -> None:
        if self._dtls is not None and self._srtp is None:
            self._send_all(self._dtls.tick(now=time.monotonic()))
            self._timer = asyncio.get_running_loop().call_later(CHECK_INTERVAL_S, self._tick)
            return
        self._check()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Demultiplex by the first byte (RFC 7983)."""
        first = data[0] if data else 0xFF
        if first >= 128:
            self.packets += 1
            self.bytes += len(data)
            if self.arrivals is not None:
                self.arrivals.append((time.monotonic(), len(data)))
            if not self._decrypted or self._frame is not None:
                self._decrypt(data)
        elif first < 4:
            self._receive_check(data)
        elif 20 <= first < 64 and self._dtls is not None:
            self._receive_dtls(data)

    def error_received(self, exc: Exception) -> None:
        """Ignore ICMP errors: the steps have deadlines of their own."""

    def _receive_check(self, data: bytes) -> None:
        success = parse_success(data)
        if success is None or success.transaction != self._transaction or self._checked:
            return
        self._begin_handshake()

    def _begin_handshake(self) -> None:
        assert self._answer is not None
        self._checked = True
        self._done("ice")
        self._dtls = Dtls(self._factory.context, (self._answer.fingerprint,), Role.CLIENT)
        self._send_all(self._dtls.start(now=time.monotonic()))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(CHECK_INTERVAL_S, self._tick)

    def _receive_dtls(self, data: bytes) -> None:
        assert self._dtls is not None
        self._send_all(self._dtls.receive(data, now=time.monotonic()))
        if self._dtls.failure is not None:
            self._fail("dtls", self._dtls.failure)
        elif self._dtls.keys is not None and self._srtp is None:
            keys = self._dtls.keys
            self._srtp = Srtp(keys.profile, keys.local, keys.remote)
            self._done("dtls")

    def _decrypt(self, data: bytes) -> None:
        # RFC 5761 section 4: these payload types are RTCP.
        if self._srtp is None or 192 <= data[1] <= 223:
            return
        plain = self._srtp.unprotect_rtp(data)
        if plain is None:
            return
        if not self._decrypted:
            self._decrypted = True
            self._done("first_packet")
        if self._frame is None:
            return
        if self._frame.receive(plain):
            self._done("first_frame")
            self._frame = None
        elif self._frame.wants_keyframe:
            self._ask_keyframe(self._frame.ssrc)

    def _ask_keyframe(self, ssrc: int) -> None:
        """Send a picture loss indication, as a browser would (RFC 4585 section 6.3.1)."""
        assert self._srtp is not None
        assert self._frame is not None
        self._frame.wants_keyframe = False
        report = self._srtp.protect_rtcp(
            struct.pack("!BBHI", 0x80, 201, 1, 1) + struct.pack("!BBHII", 0x81, 206, 2, 1, ssrc)
        )
        if report is not None:
            self._send_all([report])

    def _send_all(self, datagrams: list[bytes]) -> None:
        assert self._transport is not None
        for datagram in datagrams:
            self._transport.sendto(datagram)

    def _fail(self, step: str, reason: str) -> None:
        wait = self._waits.get(step)
        if wait is not None and not wait.done():
            wait.set_exception(EntryFailed(step, reason))


def write_offer(ufrag: str, pwd: str, fingerprint: str) -> str:
    """Write the offer of a plain WHEP viewer: one video, one audio, receive only."""
    transport = (
        "c=IN IP4 0.0.0.0",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{pwd}",
        "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {fingerprint}",
        "a=setup:actpass",
        "a=recvonly",
        "a=rtcp-mux",
    )
    video = (
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:96 nack pli",
        "a=rtcp-fb:96 goog-remb",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=rtpmap:102 H264/90000",
        "a=rtcp-fb:102 nack",
        "a=rtcp-fb:102 nack pli",
        "a=rtcp-fb:102 goog-remb",
        "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "a=rtpmap:103 rtx/90000",
        "a=fmtp:103 apt=102",
    )
    lines = (
        "v=0",
        f"o=- {secrets.randbits(62)} 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103",
        *transport,
        "a=mid:0",
        *video,
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        *transport,
        "a=mid:1",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
    )
    return "\r\n".join(lines) + "\r\n"


_CANDIDATE = re.compile(r"^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", re.I | re.M)


def read_answer(text: str) -> Answer:
    """Take what a light viewer needs from an answer of an ICE-lite server."""
    found = {name: re.search(rf"^a={name}:(\S+)", text, re.M) for name in ("ice-ufrag", "ice-pwd")}
    fingerprint = re.search(r"^a=fingerprint:(\S+) (\S+)", text, re.M)
    candidate = _CANDIDATE.search(text)
    if not all(found.values()) or fingerprint is None or candidate is None:
        raise EntryFailed("whep", "bad_answer")
    ufrag, pwd = (match.group(1) for match in found.values() if match is not None)
    return Answer(
        ufrag,
        pwd,
        (candidate.group(1), int(candidate.group(2))),
        Fingerprint(
            fingerprint.group(1).lower(), bytes.fromhex(fingerprint.group(2).replace(":", ""))
        ),
    )
