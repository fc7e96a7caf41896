"""The limit: loops that do nothing but send what a viewer was seen to get, at the same moments.

One sends every packet with a bare `sendto`, one protects and sends whole bursts in as few
kernel calls as possible by the compiled loop, nothing around it. Only the CPU inside the
loops counts.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sfu.control.route import Route
from sfu.edge import native
from sfu.edge.fanout import Job
from sfu.media.model import Packet
from sfu.packet import rtp
from sfu.packet.srtp import Profile, Srtp

BURST_GAP_S = 0.001
"""Packets that arrived closer together had been sent in one go."""
SOUND_BYTES_MAX = 400
"""What is not longer may be sound, and goes into a stream of its own."""
SEND_BUFFER_BYTES = 8 * 1024 * 1024

Burst = tuple[float, tuple[int, ...]]
"""When (seconds from the start), and how large each datagram was."""


def bursts(arrivals: Sequence[tuple[float, int]]) -> list[Burst]:
    """Put what arrived together together."""
    found: list[tuple[float, list[int]]] = []
    last = float("-inf")
    for at, size in arrivals:
        if at - last > BURST_GAP_S:
            found.append((at - arrivals[0][0], []))
        found[-1][1].append(size)
        last = at
    return [(at, tuple(sizes)) for at, sizes in found]


def sendto_us(viewers: int, recorded: Sequence[Burst]) -> float:
    """Replay with one bare call a packet; return the CPU per packet."""
    payloads = {size: os.urandom(size) for _, sizes in recorded for size in sizes}
    with _sockets(viewers) as (sock, addresses):

        def send(sizes: tuple[int, ...]) -> None:
            for address in addresses:
                for size in sizes:
                    sock.sendto(payloads[size], address)

        return _replay(viewers, recorded, lambda sizes: lambda: send(sizes))


def segments_us(viewers: int, recorded: Sequence[Burst]) -> float | None:
    """Replay with protection and segmentation; None without the native loop."""
    if native.why_not_native() is not None:
        return None
    tag, key_bytes = 16, 28
    with _sockets(viewers) as (sock, addresses):
        way = native.NativeFanout(sock)
        routes = tuple(
            Route(
                address,
                Srtp(Profile.AEAD_AES_128_GCM, os.urandom(key_bytes), os.urandom(key_bytes)),
            )
            for address in addresses
        )
        sequence = 0

        def prepare(sizes: tuple[int, ...]) -> Callable[[], None]:
            nonlocal sequence
            packets = []
            for size in sizes:
                sequence += 1
                ssrc = 1 if size <= SOUND_BYTES_MAX else 2
                header = rtp.pack_header(rtp.FIRST_BYTE, 96, sequence & 0xFFFF, 0, ssrc)
                packets.append(Packet(header, bytes(max(0, size - len(header) - tag))))
            jobs = [Job(routes, tuple(packets))]
            return lambda: void(way.send(jobs))

        return _replay(viewers, recorded, prepare)


def void(_: object) -> None:
    """Forget a value."""


def _replay(
    viewers: int,
    recorded: Sequence[Burst],
    prepare: Callable[[tuple[int, ...]], Callable[[], None]],
) -> float:
    """Send every burst at its moment; only the sending itself is counted."""
    began, spent_s, packets = time.monotonic(), 0.0, 0
    for at, sizes in recorded:
        send = prepare(sizes)
        time.sleep(max(0.0, began + at - time.monotonic()))
        before = time.thread_time()
        send()
        spent_s += time.thread_time() - before
        packets += len(sizes) * viewers
    return spent_s / max(1, packets) * 1e6


@contextmanager
def _sockets(viewers: int) -> Iterator[tuple[socket.socket, list[tuple[str, int]]]]:
    """Open a socket to send with, and as many that somebody else reads."""
    sink = subprocess.Popen(
        [sys.executable, "-m", "bench.crowd", "sink", str(viewers)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert sink.stdout is not None
        ports = json.loads(sink.stdout.readline())["ports"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            yield sock, [("127.0.0.1", port) for port in ports]
    finally:
        sink.kill()
        sink.wait()
        if sink.stdout is not None:
            sink.stdout.close()
