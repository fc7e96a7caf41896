"""Send a batch out to all legs: protect every packet, hand it to the kernel, count.

This is the reference; a native twin may replace `send` behind the same signature. It owns
the SRTP contexts while it runs: calls never overlap. Must not know rooms or sessions.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sfu.media.model import LegBatch
from sfu.packet.srtp import Srtp


@dataclass(frozen=True, slots=True)
class Job:
    """One session's batch, where it goes and with which keys.

    `address` is what the socket's family takes (a 2-tuple for IPv4, a 4-tuple for IPv6).
    """

    address: Any
    srtp: Srtp
    batch: LegBatch


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a call's packets; each is counted once in `packets`, `dropped` or `errors`.

    `dropped`: the socket's buffer was full. `errors`: refused by SRTP or by the kernel.
    """

    packets: int = 0
    bytes: int = 0
    dropped: int = 0
    errors: int = 0


def send(sock: socket.socket, jobs: Sequence[Job]) -> Sent:
    """Protect and send every job's packets in order; a full buffer drops the rest of that job."""
    packets = size = dropped = errors = 0
    for job in jobs:
        batch, address = job.batch, job.address
        protect, protect_rtcp = job.srtp.protect_rtp, job.srtp.protect_rtcp
        left = len(batch.rtp) + len(batch.rtcp)
        try:
            for packet in batch.rtp:
                wire = protect(packet.header + packet.payload)
                left -= 1
                if wire is None or not _sent(sock, wire, address):
                    errors += 1
                    continue
                packets += 1
                size += len(wire)
            for compound in batch.rtcp:
                wire = protect_rtcp(compound)
                left -= 1
                if wire is None or not _sent(sock, wire, address):
                    errors += 1
                    continue
                packets += 1
                size += len(wire)
        except BlockingIOError:
            dropped += left + 1
    return Sent(packets, size, dropped, errors)


def _sent(sock: socket.socket, wire: bytes, address: Any) -> bool:
    """Hand one datagram to the kernel; BlockingIOError passes, other refusals are False."""
    try:
        sock.sendto(wire, address)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True
