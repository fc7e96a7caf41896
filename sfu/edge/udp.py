"""The one UDP socket: datagrams in, batches out, one timer; the only clock of the media plane.

A wakeup reads until the socket is empty (bounded), sorts by kind, hands checks and handshakes
to the desk, media to the engine as one batch, and what follows to the sender. No datagram can
raise out of here: what breaks is counted, and logged once per kind.
"""

import asyncio
import contextlib
import logging
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence

from sfu import observe
from sfu.control.desk import Desk
from sfu.control.model import Address
from sfu.edge.fanout import Job, Sent
from sfu.edge.latency import Latencies
from sfu.edge.native import best_fanout
from sfu.edge.sender import Sender
from sfu.media.engine import Engine
from sfu.media.model import Datagram, Output, StageEvent
from sfu.media.stats import ReplayStats
from sfu.packet.demux import Kind, demux

DATAGRAM_BYTES_MAX = 2048
"""Longer datagrams are cut by the kernel and then fail authentication."""
BATCH_DATAGRAMS_MAX = 256
"""Read per wakeup; what is left wakes the loop again, after others had their turn."""
SOCKET_BUFFER_BYTES = 8 * 1024 * 1024
SOCKET_BUFFER_BYTES_MIN = 64 * 1024
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
"""Linux: past net.core.wmem_max and rmem_max, for the privileged; Python has no names for them."""
TIMER_S_MIN = 0.001
NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905 figure 4)."""
NANOSECONDS = 1_000_000_000

log = logging.getLogger("sfu.udp")


def ntp_now() -> int:
    """Return wall-clock time as a 64-bit NTP timestamp."""
    seconds, rest = divmod(time.time_ns(), NANOSECONDS)
    return ((seconds + NTP_EPOCH_S) << 32) + (rest << 32) // NANOSECONDS


class MediaSocket:
    """The shell around desk and engine.

    Args:
        sock: bound and non-blocking.
        desk: takes checks and handshakes.
        engine: takes media.
        on_track: told of every track event, after its packets were handed to the sender.
        on_join_step: told when a session's first media packet was sent.
        clock: monotonic seconds.

    """

    def __init__(
        self,
        sock: socket.socket,
        desk: Desk,
        engine: Engine,
        on_track: Callable[[StageEvent], None],
        on_join_step: Callable[[str, float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sock = sock
        self._sender = Sender(best_fanout(sock), self._sent, self._sender_broken)
        self._desk = desk
        self._engine = engine
        self._on_track = on_track
        self._on_join_step = on_join_step
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = float("inf")
        self.latencies = Latencies()
        self._logged: set[str] = set()
        self._exported: Counter[str] = Counter()
        self._replays = ReplayStats()
        self._asked = (0, 0)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read."""
        self._loop = loop
        loop.add_reader(self._sock.fileno(), self._on_readable)

    def close(self) -> None:
        """Stop reading and close the socket."""
        if self._loop is not None:
            self._loop.remove_reader(self._sock.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self._sender.close()
        self._sock.close()

    def transmit(self, data: bytes, address: Address) -> None:
        """Send one datagram of ICE or DTLS; both ask again when it is lost."""
        try:
            self._sock.sendto(data, address)
        except BlockingIOError:
            observe.send_failures.labels("buffer_full").inc()
        except OSError:
            observe.send_failures.labels("refused").inc()

    def act(self, output: Output) -> None:
        """Have all sent that the engine returned, and pass its events on."""
        if output.batches or output.fans:
            self._send(output)
        for event in output.events:
            self._on_track(event)
        self.arm()

    def arm(self) -> None:
        """Set the timer to the earliest deadline; a timer that is early anyway stays."""
        loop = self._loop
        if loop is None or self._sock.fileno() < 0:
            return
        due = min(
            (when for when in (self._engine.deadline(), self._desk.deadline()) if when is not None),
            default=None,
        )
        if due is None or due >= self._timer_due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = loop.call_later(max(due - self._clock(), TIMER_S_MIN), self._on_timer)

    def _on_readable(self) -> None:
        batch: list[Datagram] = []
        count = 0
        for _ in range(BATCH_DATAGRAMS_MAX):
            try:
                data, address = self._sock.recvfrom(DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                break
            except OSError:
                # An ICMP error of an earlier send (port unreachable); reading goes on.
                continue
            count += 1
            try:
                self._sort(data, address, batch)
            except Exception as error:
                self._broken("datagram", error)
        if batch:
            self._forward(batch)
        observe.batch_packets.observe(count)
        self._export_drops()
        self.arm()

    def _sort(self, data: bytes, address: Address, batch: list[Datagram]) -> None:
        kind = demux(data)
        now = self._clock()
        match kind:
            case Kind.RTP | Kind.RTCP:
                datagram = self._unprotect(data, address, is_rtcp=kind is Kind.RTCP, now=now)
                if datagram is not None:
                    batch.append(datagram)
            case Kind.STUN:
                self._desk.receive_check(data, address, now=now)
            case Kind.DTLS:
                self._desk.receive_handshake(data, address, now=now)
            case _:
                self._desk.dropped["unknown_kind"] += 1

    def _unprotect(
        self, data: bytes, address: Address, *, is_rtcp: bool, now: float
    ) -> Datagram | None:
        session = self._desk.session_at(address)
        if session is None:
            self._desk.dropped["media_unverified_address"] += 1
            return None
        srtp = session.srtp
        if srtp is None:
            self._desk.dropped["media_without_keys"] += 1
            return None
        plain = srtp.unprotect_rtcp(data) if is_rtcp else srtp.unprotect_rtp(data)
        if plain is None:
            self._desk.dropped["srtp_refused"] += 1
            return None
        if not self._desk.heard(session, address, len(data), now=now):
            return None
        return Datagram(session.id, plain, is_rtcp, now)

    def _forward(self, batch: list[Datagram]) -> None:
        observe.packets_in.inc(len(batch))
        try:
            self.act(self._engine.receive(batch, now=self._clock(), at_ntp=ntp_now()))
        except Exception as error:
            self._broken("batch", error)

    def _send(self, output: Output) -> None:
        find = self._desk.routes.get
        jobs, arrivals, packets = [], set(), 0
        for (sessions, numbers), media, moment in output.fans:
            jobs.append(Job(tuple(map(find, sessions)), media, (), numbers))
            packets += len(media) * len(sessions)
            arrivals.add(moment)
        for name, media, feedback, arrived in output.batches:
            count = len(media) + len(feedback)
            route = find(name)
            if route is None:
                self._desk.dropped["leg_without_address"] += count
                continue
            jobs.append(Job((route,), media, feedback))
            packets += count
            if arrived is not None:
                arrivals.add(arrived)
        self._sender.offer(jobs, packets, tuple(arrivals))
        for name in output.begun:
            session = self._desk.session(name)
            if session is not None and not session.first_packet_seen:
                session.first_packet_seen = True
                keyed = session.keyed_at or session.opened_at
                self._on_join_step("first_packet", self._clock() - keyed)

    def _sent(self, sent: Sent, arrived: Sequence[float]) -> None:
        """Count what became of a batch; also called on the sender's thread."""
        observe.packets_out.inc(sent.packets)
        observe.bytes_out.inc(sent.bytes)
        observe.send_calls.inc(sent.calls)
        if sent.dropped:
            observe.send_failures.labels("buffer_full").inc(sent.dropped)
        if sent.errors:
            observe.send_failures.labels("refused").inc(sent.errors)
        if sent.unrouted:
            observe.datagrams_dropped.labels("leg_without_address").inc(sent.unrouted)
        if sent.switched_off:
            observe.segmentation_refused.labels("socket").inc(sent.switched_off)
        if sent.refused:
            observe.segmentation_refused.labels("address").inc(sent.refused)
        done = self._clock()
        for moment in arrived:
            observe.forward_seconds.observe(done - moment)
            self.latencies.add(done - moment, now=done)

    def _sender_broken(self, error: Exception) -> None:
        if self._loop is not None:
            # The loop may be closed already: then nobody counts any more.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._broken, "send", error)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_due = float("inf")
        now = self._clock()
        try:
            self._desk.tick(now=now)
            due = self._engine.deadline()
            if due is not None and due <= now:
                self.act(self._engine.tick(now=now, at_ntp=ntp_now()))
        except Exception as error:
            self._broken("timer", error)
        self._export_drops()
        self._export_asked()
        self._export_replays()
        self.arm()

    def _export_drops(self) -> None:
        for reason, count in self._desk.dropped.items():
            new = count - self._exported[reason]
            if new:
                observe.datagrams_dropped.labels(reason).inc(new)
                self._exported[reason] = count

    def _export_asked(self) -> None:
        before, now = self._asked, self._engine.asked()
        if now != before:
            self._asked = now
            observe.numbers_asked.inc(now[0] - before[0])
            observe.keyframes_asked.inc(now[1] - before[1])

    def _export_replays(self) -> None:
        """Add what is new to the metrics; replays move on the timer only."""
        before, now = self._replays, self._engine.replay_stats()
        if now == before:
            return
        self._replays = now
        observe.replays.inc(now.started - before.started)
        observe.replay_packets.inc(now.packets - before.packets)
        for reason, count in now.fallbacks.items():
            observe.replay_fallbacks.labels(reason).inc(count - before.fallbacks.get(reason, 0))

    def _broken(self, where: str, error: Exception) -> None:
        """Count a bug of ours and log it, once per kind: a flood must not become a log flood."""
        self._desk.dropped["internal"] += 1
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        kind = f"{where}:{type(error).__name__}:{frame.tb_lineno if frame else 0}"
        if kind not in self._logged:
            self._logged.add(kind)
            log.error("%s failed; this kind is logged once", kind, exc_info=error)


def open_socket(host: str, port: int) -> socket.socket:
    """Bind a non-blocking UDP socket with buffers as large as the kernel allows.

    Raises:
        OSError: the address is taken or not ours.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family is socket.AF_INET6:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        _enlarge(sock, socket.SO_RCVBUF, SO_RCVBUFFORCE)
        _enlarge(sock, socket.SO_SNDBUF, SO_SNDBUFFORCE)
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def _enlarge(sock: socket.socket, option: int, forced: int) -> None:
    """Take the whole size by privilege, else ask for less until the kernel agrees.

    Linux cuts an unprivileged wish down to its limit without an error.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, forced, SOCKET_BUFFER_BYTES)
            return
    size = SOCKET_BUFFER_BYTES
    while size >= SOCKET_BUFFER_BYTES_MIN:
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, size)
        except OSError:
            size //= 2
        else:
            return
