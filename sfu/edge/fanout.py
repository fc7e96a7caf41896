"""Send a batch out to all legs: protect every packet, hand the kernel whole runs, count.

This is the reference; its native twin sends the same datagrams. In: jobs of one batch. Out:
what became of each packet. It owns the SRTP contexts while `send` runs: calls never overlap,
and nobody else protects. Must not know rooms or sessions.
"""

import errno
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, final

from sfu.control.route import Route
from sfu.edge.runs import cut
from sfu.media.model import Packet
from sfu.packet.rewrite import renumber

SOL_UDP, UDP_SEGMENT = 17, 103
"""linux/udp.h; Python has no names for them before 3.12."""
WRITABLE_WAIT_S = 0.005
"""How long a full buffer may stop a batch; then the rest of the batch is dropped and counted."""
REFUSED_S = 60.0
"""How long an address is sent single datagrams after its path refused segments."""
REFUSED_ADDRESSES_MAX = 1024
"""Addresses remembered for that; the one refused first is forgotten, and tried again."""

_NO_OFFLOAD = frozenset({errno.EIO, errno.ENOPROTOOPT, errno.EOPNOTSUPP})
_NOT_THIS_PATH = frozenset({errno.EINVAL, errno.EMSGSIZE})
_SEGMENT = struct.Struct("=H")


class Job(NamedTuple):
    """Packets, and the ways they go: media first, then whole feedback compounds.

    A route is None where a session has none now. `numbers` are one a route where the media
    bears the source's numbers (see `model.Fan`), None where it is one session's own.
    """

    routes: tuple[Route | None, ...]
    media: tuple[Packet, ...]
    feedback: tuple[bytes, ...] = ()
    numbers: tuple[bytes, ...] | None = None


class Sent(NamedTuple):
    """What became of a call's packets; each is counted once in one of the first four.

    `dropped`: the socket's buffer was full. `errors`: refused by SRTP or by the kernel.
    `unrouted`: the session had no address.
    `calls` are the kernel's that sent something; `switched_off` says that segmentation was
    given up for the socket, `refused` counts addresses that must do without for a while.
    """

    packets: int = 0
    dropped: int = 0
    errors: int = 0
    unrouted: int = 0
    bytes: int = 0
    calls: int = 0
    switched_off: int = 0
    refused: int = 0


class Outlet(Protocol):
    """What is needed of a non-blocking datagram socket."""

    def fileno(self) -> int:
        """Return the descriptor, to wait for room in the buffer."""

    def sendto(self, data: bytes, address: Any, /) -> int:
        """Send one datagram."""

    def sendmsg(
        self,
        buffers: Sequence[bytes],
        ancillary: Sequence[tuple[int, int, bytes]],
        flags: int,
        address: Any,
        /,
    ) -> int:
        """Send many of one size."""


class Fanout(Protocol):
    """A way to send: the reference below or its native twin.

    `releases_lock` says whether other threads run Python while it sends.
    """

    releases_lock: bool

    def send(self, jobs: Sequence[Job]) -> Sent:
        """Protect and send every job's packets: media in runs, then feedback."""


@final
class Refusals:
    """The addresses whose path does not take segments for now."""

    __slots__ = ("_clock", "_until")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[Any, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def allow(self, address: Any) -> bool:
        """Say whether to try segments."""
        until = self._until.get(address)
        if until is None:
            return True
        if self._clock() < until:
            return False
        del self._until[address]
        return True

    def note(self, address: Any) -> None:
        """Do without for `REFUSED_S`."""
        if len(self._until) >= REFUSED_ADDRESSES_MAX:
            del self._until[next(iter(self._until))]
        self._until[address] = self._clock() + REFUSED_S


class _Full(Exception):  # noqa: N818 - ends a batch, not an error
    """The buffer stayed full."""


@final
class PythonFanout:
    """The reference.

    Args:
        sock: to send with; non-blocking.
        segments: whether to try the kernel's segmentation offload.
        clock: monotonic seconds.

    """

    releases_lock = False

    def __init__(
        self,
        sock: Outlet,
        *,
        segments: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sock = sock
        self._segments = has_segmentation(sock) if segments is None else segments
        self._refused = Refusals(clock)
        self._first = self._stopped_at = 0
        self._clear()

    def send(self, jobs: Sequence[Job]) -> Sent:
        """Protect and send every job's packets: media in runs, then feedback.

        A buffer that stays full ends the batch; the next one starts with the leg that
        suffered, so that it is not always the same ones.
        """
        self._clear()
        first, self._first = self._first, 0
        try:
            for at, job in enumerate(in_turn(jobs, first)):
                self._stopped_at = at
                self._send_job(job, first)
        except _Full:
            self._first = self._stopped_at
        offered = sum(len(job.routes) * (len(job.media) + len(job.feedback)) for job in jobs)
        return Sent(
            self._packets,
            offered - self._packets - self._errors - self._unrouted,
            self._errors,
            self._unrouted,
            self._bytes,
            self._calls,
            self._switched_off,
            self._refusals,
        )

    def _clear(self) -> None:
        self._packets = self._bytes = self._errors = self._unrouted = 0
        self._calls = self._switched_off = self._refusals = 0

    def _send_job(self, job: Job, first: int) -> None:
        """Send along all routes of a job, in a ring from `first` on."""
        routes, media, feedback, numbers = job
        for number in range(len(routes)):
            leg = (first + number) % len(routes)
            route = routes[leg]
            if route is None:
                self._unrouted += len(media) + len(feedback)
                continue
            if numbers is not None:
                self._stopped_at = leg
                plain = renumber(media, numbers[leg])
            else:
                plain = [header + payload for header, payload in media]
            self._send_media(route, plain)
            self._send_feedback(route, feedback)

    def _send_media(self, route: Route, plain: list[bytes]) -> None:
        address = route.address
        if self._may_segment(address):
            runs = cut(plain, route.paddable)
        else:
            runs = [[packet] for packet in plain]
        protect = route.srtp.protect_rtp
        for run in runs:
            wires = [wire for packet in run if (wire := protect(packet)) is not None]
            self._errors += len(run) - len(wires)
            if len(wires) > 1:
                self._send_run(wires, address)
            elif wires:
                self._send_one(wires[0], address)

    def _send_feedback(self, route: Route, feedback: Sequence[bytes]) -> None:
        for compound in feedback:
            wire = route.srtp.protect_rtcp(compound)
            if wire is None:
                self._errors += 1
            else:
                self._send_one(wire, route.address)

    def _may_segment(self, address: Any) -> bool:
        return self._segments and self._refused.allow(address)

    def _send_run(self, wires: list[bytes], address: Any) -> None:
        """Send a run in one call, or one by one when the kernel or the path cannot."""
        if self._may_segment(address):
            ancillary = [(SOL_UDP, UDP_SEGMENT, _SEGMENT.pack(len(wires[0])))]
            number = self._attempt(lambda: self._sock.sendmsg(wires, ancillary, 0, address))
            if number == 0:
                self._count(wires)
                return
            if number in _NO_OFFLOAD:
                self._segments = False
                self._switched_off += 1
            elif number in _NOT_THIS_PATH:
                self._refused.note(address)
                self._refusals += 1
            else:
                self._errors += len(wires)
                return
        for wire in wires:
            self._send_one(wire, address)

    def _send_one(self, wire: bytes, address: Any) -> None:
        if self._attempt(lambda: self._sock.sendto(wire, address)) == 0:
            self._count([wire])
        else:
            self._errors += 1

    def _attempt(self, call: Callable[[], int]) -> int:
        """Call into the kernel; return 0 or the error's number.

        Raises:
            _Full: there was no room, and none came about in time.

        """
        waited = False
        while True:
            try:
                call()
            except BlockingIOError:
                # POLLOUT asks for less room than a run may need: once woken, once more.
                if waited or not self._is_writable():
                    raise _Full from None
                waited = True
            except OSError as error:
                return error.errno or errno.EIO
            else:
                return 0

    def _is_writable(self) -> bool:
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLOUT)
        return bool(poll.poll(WRITABLE_WAIT_S * 1000))

    def _count(self, wires: list[bytes]) -> None:
        self._calls += 1
        self._packets += len(wires)
        self._bytes += sum(map(len, wires))


def in_turn(jobs: Sequence[Job], first: int) -> Sequence[Job]:
    """Begin with another of the single sessions' jobs; fans stay in order, at the front.

    Which leg of a fan is the first is up to who sends: several fans may be of one stream.
    """
    if not first:
        return jobs
    fans = [job for job in jobs if job.numbers is not None]
    single = [job for job in jobs if job.numbers is None]
    at = first % len(single) if single else 0
    return [*fans, *single[at:], *single[:at]]


def has_segmentation(sock: Outlet) -> bool:
    """Say whether the kernel knows UDP_SEGMENT on this socket."""
    if not isinstance(sock, socket.socket):
        return False
    try:
        sock.getsockopt(SOL_UDP, UDP_SEGMENT)
    except OSError:
        return False
    return True
