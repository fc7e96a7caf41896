"""One websocket: the library's connection with a backlog, prepared frames and a bye.

`websockets` does handshake, ping, pong and close; frames of ours are written past its `send`,
unmasked and unfragmented (RFC 6455 section 5.1 lets one frame serve every client, as no
extension is negotiated). It knows no room and no message but `bye`.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

from msgspec import UNSET
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.protocol import OPEN

from liveroom.edge.backlog import Backlog, LeftOut, Prepared, essential
from liveroom.edge.sweeping import NOT_DIRECT, descriptor_of
from liveroom.observe import EVENTS_DROPPED, GATEWAY_FRAMES
from liveroom.protocol.closing import INTERNAL, SLOW, after_ms, closing_of, reason_of
from liveroom.protocol.codec import Codec, codec_of
from liveroom.protocol.messages import Bye, Fields, Message

WRITE_HIGH_BYTES = 32 * 1024
"""Above it the transport asks us to pause; it resumes when it is empty."""

UNSENT_BYTES_MAX = 32 * 1024
"""What the kernel may hold unsent for one viewer, so that our own bound is the one that counts."""

UNACKNOWLEDGED_MS_MAX = 30_000
"""A peer that acknowledges nothing for so long is gone."""

CLOSE_WITHIN_S = 5.0
"""A peer that does not answer our close is cut then."""

OPEN_WITHIN_S = 5.0
"""TCP, TLS and the upgrade request must be done by then."""

FRAMES_QUEUED_MAX = 16
"""Frames read ahead of the conversation; then the socket is not read further."""

SHELL: Final[dict[str, Any]] = {
    "compression": None,
    "server_header": None,
    "open_timeout": OPEN_WITHIN_S,
    "ping_interval": None,  # see heartbeat
    "close_timeout": CLOSE_WITHIN_S,
    "max_queue": FRAMES_QUEUED_MAX,
    "write_limit": (WRITE_HIGH_BYTES, 0),
}
"""What we ask of the library for each connection."""


def address_of(peer: object) -> str:
    """Name a peer for counting: an IPv4 address, or the /64 of an IPv6 one."""
    if not isinstance(peer, tuple):
        return "local"
    host = str(peer[0])
    if ":" not in host:
        return host
    if host.startswith("::ffff:"):
        return host.removeprefix("::ffff:")
    packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    return packed[:8].hex()


def bye_of(code: int, why: str | None, *, chance: float) -> Bye:
    """Make the last message before a close: why, and when to come back."""
    delay = after_ms(code, chance=chance)
    return Bye(
        code=code,
        why=why or closing_of(code).why,
        after_ms=UNSET if delay is None else delay,
    )


class Connection(ServerConnection):
    """A server connection that never waits when it writes."""

    def __init__(
        self, *args: Any, chance: Callable[[], float], bytes_max: int, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._chance = chance
        self._bytes_max = bytes_max
        self._cut: asyncio.TimerHandle | None = None
        self._said_bye = False
        self._is_heard = True
        self._is_pinged = False
        self.rank = 0
        """How high its user stands in the room (`domain.moderation`)."""
        self.address = "local"
        self.descriptor = NOT_DIRECT
        self.is_welcome = True
        """Whether its address may have another connection."""
        self.backlog: Backlog
        self.codec: Codec
        self.on_leaving: Callable[[], None] | None = None
        """Called once when the connection is no longer open, whoever closes it."""
        self.on_made: Callable[[Connection], None] | None = None
        self.on_lost: Callable[[Connection], None] | None = None

    def is_open(self) -> bool:
        """Whether frames may still be written."""
        return self.protocol.state is OPEN

    def is_direct(self) -> bool:
        """Whether its socket may be written to past the transport (`sweeping`)."""
        transport = self.transport
        return (
            self.descriptor != NOT_DIRECT
            and not transport.get_write_buffer_size()
            and not transport.is_closing()
        )

    def begin(self) -> None:
        """Choose the codec; the handshake is done, and its headers are let go of."""
        self.request, self.response = _NO_REQUEST, None
        self.codec = codec_of(self.subprotocol)
        self.backlog = Backlog(
            self.codec, self._write, skipped=count_skipped, bytes_max=self._bytes_max
        )
        if self.paused:
            self.backlog.pause()

    def offer(self, prepared: Prepared) -> None:
        """Write a frame, or keep it while the socket is full, or end a viewer too slow."""
        if self.is_open() and not self.backlog.offer(prepared):
            self.backlog.clear()
            self.end(SLOW)

    def say(self, message: Message | Fields) -> None:
        """Send one message to this viewer alone; it is never skipped."""
        self.offer(essential(message))

    def end(self, code: int, why: str | None = None) -> None:
        """Say bye and start the closing handshake; does nothing when that has begun."""
        if not self.is_open():
            return
        reason = why or closing_of(code).why
        self._say_bye(code, reason)
        self.protocol.send_close(code, reason_of(reason))
        self.send_data()

    def beat(self) -> None:
        """Ping when nothing was heard since the last beat; still nothing: give up.

        RFC 6455 section 5.5.2.
        """
        if not self.is_open():
            return
        if self._is_heard:
            self._is_heard = self._is_pinged = False
        elif self._is_pinged:
            self.protocol.fail(INTERNAL, "keepalive ping timeout")
            self.send_data()
        else:
            self._is_pinged = True
            self.transport.write(_PING)

    # What the library calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the kernel keeps for us."""
        self.address = address_of(transport.get_extra_info("peername"))
        self.descriptor = descriptor_of(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            for option, value in _TCP_OPTIONS:
                raw.setsockopt(socket.IPPROTO_TCP, option, value)
        super().connection_made(transport)
        if self.on_made is not None:
            self.on_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self.descriptor = NOT_DIRECT
        super().connection_lost(exc)
        if self._cut is not None:
            self._cut.cancel()
        self._leave()
        if self.on_lost is not None:
            self.on_lost(self)
            self.on_lost = None

    def pause_writing(self) -> None:
        """Keep frames in the backlog from now on."""
        super().pause_writing()
        if hasattr(self, "backlog"):
            self.backlog.pause()

    def resume_writing(self) -> None:
        """Write what waits."""
        super().resume_writing()
        if hasattr(self, "backlog") and self.is_open():
            self.backlog.resume()

    def data_received(self, data: bytes) -> None:
        """Notice that the peer is alive, and when it closes."""
        self._is_heard = True
        super().data_received(data)
        if not self.is_open() and self.request is not None:
            self._leave()

    def eof_received(self) -> None:
        """Leave when the peer ends without a close: nothing may be written any more."""
        super().eof_received()
        if self.request is not None:
            self._leave()

    def send_data(self) -> None:
        """Put a bye before a close that the library starts (too large, not UTF-8, no pong)."""
        sent = self.protocol.close_sent
        if sent is not None and self.protocol.close_rcvd is None:
            self._say_bye(sent.code, sent.reason or closing_of(sent.code).why)
            self._leave()
            if self._cut is None:
                self._cut = self.loop.call_later(CLOSE_WITHIN_S, self.transport.abort)
        super().send_data()

    def _say_bye(self, code: int, why: str) -> None:
        if self._said_bye or not hasattr(self, "codec"):
            return
        self._said_bye = True
        self._write(self.codec.frame(bye_of(code, why, chance=self._chance())))

    def _leave(self) -> None:
        if self.on_leaving is not None:
            leaving, self.on_leaving = self.on_leaving, None
            leaving()

    def _write(self, frame: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(frame)
            GATEWAY_FRAMES.inc()


def count_skipped(left_out: LeftOut) -> None:
    """Count what a slow viewer is not shown."""
    for delivery, count in left_out.items():
        EVENTS_DROPPED.labels(delivery.value, "backlog").inc(count)


_NO_REQUEST = Request("", Headers())
"""Stands for the request of an open connection: a browser's headers take 4 KiB."""

_PING: Final = bytes([0x89, 0])
"""An empty ping (RFC 6455 section 5.5.2): control frames may stand between any two others."""

_TCP_OPTIONS = tuple(
    (getattr(socket, name), value)
    for name, value in (
        ("TCP_NODELAY", 1),
        ("TCP_NOTSENT_LOWAT", UNSENT_BYTES_MAX),
        ("TCP_USER_TIMEOUT", UNACKNOWLEDGED_MS_MAX),
    )
    if hasattr(socket, name)
)
