"""The native way to send: the reference's bookkeeping around a compiled loop.

The loop calls the protecting functions of the very libsrtp that pylibsrtp brings, by their
addresses: no headers, no second library. `native_fanout` hands it out only after everything
it relies on was looked at and one packet of each kind came out right. Must not know rooms.
"""

import logging
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple, final

from sfu.control.route import Route
from sfu.edge.fanout import (
    Fanout,
    Job,
    Outlet,
    PythonFanout,
    Refusals,
    Sent,
    has_segmentation,
    in_turn,
)
from sfu.media.model import Packet
from sfu.packet import rtcp, rtp
from sfu.packet.rewrite import pack_numbers, renumber
from sfu.packet.srtp import Profile, Srtp, protecting_functions

log = logging.getLogger("sfu.fanout")

_ROUTE = struct.Struct("=QII32s")
"""_fanout.c: packed_route_t."""

SWITCH = "SFU_FANOUT"
"""Environment: `python` keeps the reference even where the twin was built."""


class _Loop(NamedTuple):
    """The compiled module and libsrtp's two functions."""

    module: ModuleType
    protect_rtp: int
    protect_rtcp: int


@final
class NativeFanout:
    """The twin; arguments as the reference's.

    Raises:
        ImportError: it was not built, or does not fit what is installed.

    """

    releases_lock = True

    def __init__(
        self,
        sock: Outlet,
        *,
        segments: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = _proven_loop()
        self._sock = sock
        self._segments = has_segmentation(sock) if segments is None else segments
        self._refusals = Refusals(clock)
        self._first = 0

    def send(self, jobs: Sequence[Job]) -> Sent:
        """Protect and send every job's packets: media in runs, then feedback."""
        jobs = in_turn(jobs, self._first)
        packed = self._packed_carefully if self._refusals else _packed
        described = tuple(
            [
                (tuple(map(packed, routes)), numbers, media, feedback)
                for routes, media, feedback, numbers in jobs
            ]
        )
        loop = self._loop
        counted = loop.module.send(
            self._sock.fileno(),
            loop.protect_rtp,
            loop.protect_rtcp,
            described,
            self._segments,
            self._first,
        )
        (packets, size, dropped, errors, unrouted, calls, switched_off, job, leg, refused) = counted
        if job < 0:
            self._first = 0
        else:
            self._first = job if jobs[job].numbers is None else leg
        if switched_off:
            self._segments = False
        for at, leg in refused:
            route = jobs[at].routes[leg]
            if route is not None:
                self._refusals.note(route.address)
        return Sent(packets, dropped, errors, unrouted, size, calls, switched_off, len(refused))

    def _packed_carefully(self, route: Route | None) -> bytes | None:
        """Pack a route while some addresses go without segments."""
        if route is None or self._refusals.allow(route.address):
            return _packed(route)
        return pack_route(route, may_segment=False)


def _packed(route: Route | None) -> bytes | None:
    if route is None:
        return None
    if route.packed is None:
        route.packed = pack_route(route)
    return route.packed


def pack_route(route: Route, *, may_segment: bool = True) -> bytes:
    """Return what the compiled loop reads of a route."""
    address = pack_address(route.address)
    fixed = _ROUTE.pack(route.srtp.outbound_context, len(address), may_segment, address)
    return fixed + b"".join(route.paddable)


def pack_address(address: Any) -> bytes:
    """Return the kernel's form of a socket address (Linux); None is a connected socket's."""
    if address is None:
        return b""
    host, port = address[:2]
    if len(address) == 2:
        return struct.pack("=H", socket.AF_INET) + struct.pack(
            "!H4s8x", port, socket.inet_aton(host)
        )
    flow, scope = address[2:]
    return (
        struct.pack("=H", socket.AF_INET6)
        + struct.pack("!HI", port, flow)
        + socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
        + struct.pack("=I", scope)
    )


def best_fanout(sock: Outlet, *, clock: Callable[[], float] = time.monotonic) -> Fanout:
    """Return the native way to send where it works, else the reference."""
    if os.environ.get(SWITCH) == "python":
        return PythonFanout(sock, clock=clock)
    try:
        return NativeFanout(sock, clock=clock)
    except ImportError as error:
        log.info("the fan-out runs in Python: %s", error)
        return PythonFanout(sock, clock=clock)


def why_not_native() -> str | None:
    """Return why sending is left to Python; None when the native loop is used."""
    if os.environ.get(SWITCH) == "python":
        return f"{SWITCH}=python is set"
    try:
        _proven_loop()
    except ImportError as error:
        return str(error)
    return None


@cache
def _proven_loop() -> _Loop:
    if sys.platform != "linux":
        raise ImportError("only Linux has segmentation offload for UDP")
    from sfu.edge import _fanout

    functions = protecting_functions()
    if functions is None:
        raise ImportError("pylibsrtp has another shape than the one known")
    loop = _Loop(_fanout, *functions)
    for profile in Profile:
        _prove(loop, profile)
    return loop


def _prove(loop: _Loop, profile: Profile) -> None:
    """Send a packet of each kind to ourselves; both must be what the reference makes.

    Raises:
        ImportError: they are not.

    """
    key = bytes(range(profile.key_bytes + profile.salt_bytes))
    native, reference = Srtp(profile, key, key), Srtp(profile, key, key)
    header = rtp.pack_header(rtp.FIRST_BYTE, 96, 1, 2, 3)
    report = rtcp.write_receiver_report(rtcp.ReceiverReport(3))
    media = (Packet(header, b"media"),)
    numbers = pack_numbers(ssrc=4, sequence_shift=65_535, timestamp_shift=-1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        routes = (pack_route(Route(None, native)),)
        jobs = ((routes, None, media, (report,)), (routes, (numbers,), media, ()))
        try:
            sent = loop.module.send(
                ours.fileno(), loop.protect_rtp, loop.protect_rtcp, jobs, False, 0
            )
        except (TypeError, ValueError) as error:
            raise ImportError(f"the native loop was built from other sources: {error}") from error
        expected = [
            reference.protect_rtp(header + b"media"),
            reference.protect_rtcp(report),
            reference.protect_rtp(renumber(media, numbers)[0]),
        ]
        if sent[0] != len(expected) or [theirs.recv(2048) for _ in expected] != expected:
            raise ImportError(f"the native loop and pylibsrtp disagree about {profile}")
