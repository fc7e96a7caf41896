"""The call that protects and sends: every packet is sent, dropped or an error, and counted."""

import os
import socket

import pytest

from sfu.edge.fanout import Job, Sent, send
from sfu.media.model import LegBatch, Packet
from sfu.packet import rtcp, rtp
from sfu.packet.srtp import Profile, Srtp


@pytest.fixture(params=list(Profile))
def keys(request):
    size = request.param.key_bytes + request.param.salt_bytes
    one, two = os.urandom(size), os.urandom(size)
    return Srtp(request.param, one, two), Srtp(request.param, two, one)


@pytest.fixture
def sockets():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs,
    ):
        ours.setblocking(False)
        ours.bind(("127.0.0.1", 0))
        theirs.bind(("127.0.0.1", 0))
        theirs.settimeout(5)
        yield ours, theirs


def packet(sequence, payload=b"picture"):
    header = rtp.write(
        marker=False, payload_type=96, sequence=sequence, timestamp=1, ssrc=7, payload=b""
    )
    return Packet(header, payload)


REPORT = rtcp.write_receiver_report(rtcp.ReceiverReport(7))


def test_media_then_feedback_arrive_protected_and_in_order(sockets, keys):
    (ours, theirs), (local, remote) = sockets, keys
    batch = LegBatch("ann", (packet(1), packet(2)), (REPORT,))
    sent = send(ours, [Job(theirs.getsockname(), local, batch)])
    arrived = [theirs.recv(2000) for _ in range(3)]
    assert remote.unprotect_rtp(arrived[0]) == packet(1).header + b"picture"
    assert remote.unprotect_rtp(arrived[1]) == packet(2).header + b"picture"
    assert remote.unprotect_rtcp(arrived[2]) == REPORT
    assert sent == Sent(packets=3, bytes=sum(map(len, arrived)))


def test_each_job_goes_to_its_own_address_under_its_own_keys(sockets, keys):
    (ours, theirs), (local, remote) = sockets, keys
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as third:
        third.bind(("127.0.0.1", 0))
        third.settimeout(5)
        jobs = [
            Job(theirs.getsockname(), local, LegBatch("ann", (packet(1, b"for ann"),))),
            Job(third.getsockname(), remote, LegBatch("bob", (packet(1, b"for bob"),))),
        ]
        assert send(ours, jobs).packets == 2
        assert b"for ann" in (remote.unprotect_rtp(theirs.recv(2000)) or b"")
        assert b"for bob" in (local.unprotect_rtp(third.recv(2000)) or b"")


def test_no_jobs_are_no_work(sockets):
    assert send(sockets[0], []) == Sent()


def test_a_packet_that_cannot_be_protected_is_an_error_and_the_rest_goes_on(sockets, keys):
    (ours, theirs), (local, _) = sockets, keys
    batch = LegBatch("ann", (packet(1, bytes(3000)), packet(2)), (b"\x80", REPORT))
    sent = send(ours, [Job(theirs.getsockname(), local, batch)])
    assert (sent.packets, sent.dropped, sent.errors) == (2, 0, 2)


def test_an_address_the_kernel_refuses_is_an_error_and_the_other_jobs_go_on(sockets, keys):
    (ours, theirs), (local, _) = sockets, keys
    bad = Job(("255.255.255.255", 9), local, LegBatch("ann", (packet(1), packet(2))))
    good = Job(theirs.getsockname(), local, LegBatch("bob", (packet(3),)))
    sent = send(ours, [bad, good])
    assert (sent.packets, sent.dropped, sent.errors) == (1, 0, 2)


def test_a_full_buffer_drops_the_rest_of_that_job_and_counts_it(keys):
    """A stream of datagrams into a Unix socket that nobody reads fills up at once."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ours.setblocking(False)
        full = Full(ours)
        local, _ = keys
        batch = LegBatch("ann", tuple(packet(n, bytes(1000)) for n in range(2000)), (REPORT,))
        sent = send(full, [Job(None, local, batch)])
        assert sent.packets > 0
        assert sent.dropped == 2001 - sent.packets
        assert sent.errors == 0
        after = send(full, [Job(None, local, LegBatch("bob", (packet(9999),), (REPORT,)))])
        assert after == Sent(dropped=2)


class Full:
    """A connected socket that takes an address it does not need."""

    def __init__(self, sock):
        self._sock = sock

    def sendto(self, data, address):
        return self._sock.send(data)
