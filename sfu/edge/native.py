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

from sfu.edge.fanout import Fanout, Job, Outlet, PythonFanout, Refusals, Sent, has_segmentation
from sfu.media.model import LegBatch, Packet, SessionId
from sfu.packet import rtcp, rtp
from sfu.packet.srtp import Profile, Srtp, protecting_functions

log = logging.getLogger("sfu.fanout")

ADDRESSES_REMEMBERED = 8192
"""Addresses kept in the kernel's form; all are forgotten when one more comes."""
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
        self._addresses: dict[Any, bytes] = {}

    def send(self, jobs: Sequence[Job]) -> Sent:
        """Protect and send every job's packets: media in runs, then feedback."""
        refusals, known, remember = self._refusals, self._addresses, self._remember
        described = tuple(
            [
                (
                    known.get(address) or remember(address),
                    srtp.outbound_context,
                    batch.rtp,
                    batch.rtcp,
                    paddable,
                    not refusals or refusals.allow(address),
                )
                for address, srtp, batch, paddable in jobs
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
        packets, size, dropped, errors, calls, switched_off, stopped_at, refused = counted
        self._first = max(stopped_at, 0)
        if switched_off:
            self._segments = False
        for at in refused:
            refusals.note(jobs[at].address)
        return Sent(packets, size, dropped, errors, calls, switched_off, len(refused))

    def _remember(self, address: Any) -> bytes:
        if len(self._addresses) >= ADDRESSES_REMEMBERED:
            self._addresses.clear()
        packed = self._addresses[address] = pack_address(address)
        return packed


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
    batch = LegBatch(SessionId("proof"), (Packet(header, b"media"),), (report,))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        job = (b"", native.outbound_context, batch.rtp, batch.rtcp, (), False)
        sent = loop.module.send(
            ours.fileno(), loop.protect_rtp, loop.protect_rtcp, (job,), False, 0
        )
        expected = [reference.protect_rtp(header + b"media"), reference.protect_rtcp(report)]
        if sent[0] != 2 or [theirs.recv(2048), theirs.recv(2048)] != expected:
            raise ImportError(f"the native loop and pylibsrtp disagree about {profile}")
