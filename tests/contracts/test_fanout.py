"""The call that protects and sends: every packet is sent, dropped or an error, and counted.

Every way to send is held to the same, over real sockets.
"""

import contextlib
import os
import socket
import struct
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.control.route import Route
from sfu.edge import fanout, native
from sfu.edge.fanout import Job, PythonFanout, Sent
from sfu.media.model import LegBatch, Packet
from sfu.packet import rtcp, rtp
from sfu.packet.rewrite import pack_numbers
from sfu.packet.srtp import PLAIN_BYTES_MAX, Profile, Srtp

SO_RCVBUFFORCE = 33
"""Linux: beyond the system's bound, for root."""
RECEIVE_BYTES = 8 << 20
SO_NO_CHECK = 11
"""Linux: without checksums the kernel refuses segmentation with EINVAL."""
IPPROTO_UDPLITE = 136
"""The kernel refuses segmentation on it with EIO."""


needs_native = pytest.mark.skipif(native.why_not_native() is not None, reason="no native fan-out")


@pytest.fixture(
    params=[
        pytest.param(PythonFanout, id="python"),
        pytest.param(native.NativeFanout, id="native", marks=needs_native),
    ]
)
def make(request):
    return request.param


@pytest.fixture(params=list(Profile))
def keys(request):
    return pair(request.param)


def pair(profile=Profile.AEAD_AES_128_GCM):
    size = profile.key_bytes + profile.salt_bytes
    one, two = os.urandom(size), os.urandom(size)
    return Srtp(profile, one, two), Srtp(profile, two, one)


@pytest.fixture
def sockets():
    with opened() as ours, opened() as theirs:
        ours.setblocking(False)
        theirs.settimeout(5)
        yield ours, theirs


def opened(family=socket.AF_INET, protocol=0):
    sock = socket.socket(family, socket.SOCK_DGRAM, protocol)
    sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    with contextlib.suppress(PermissionError):  # what arrives at once must all find room
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES)
    return sock


def packet(sequence, payload=b"picture", ssrc=7):
    header = rtp.write(
        marker=False, payload_type=96, sequence=sequence, timestamp=1, ssrc=ssrc, payload=b""
    )
    return Packet(header, payload)


def job(address, srtp, batch, paddable=()):
    """One session's batch."""
    return Job((Route(address, srtp, paddable),), batch.rtp, batch.rtcp)


def fan(routes, packets, numbers):
    """The same packets for many, who each get numbers of their own."""
    return Job(tuple(routes), tuple(packets), (), tuple(numbers))


REPORT = rtcp.write_receiver_report(rtcp.ReceiverReport(7))
TAG_BYTES = {Profile.AEAD_AES_128_GCM: 16, Profile.AES_CM_128_HMAC_SHA1_80: 10}
PADDABLE = ((7).to_bytes(4, "big"),)


def test_media_then_feedback_arrive_protected_and_in_order(make, sockets, keys):
    (ours, theirs), (local, remote) = sockets, keys
    batch = LegBatch("ann", (packet(1), packet(2)), (REPORT,))
    sent = make(ours).send([job(theirs.getsockname(), local, batch)])
    arrived = [theirs.recv(2000) for _ in range(3)]
    assert remote.unprotect_rtp(arrived[0]) == packet(1).header + b"picture"
    assert remote.unprotect_rtp(arrived[1]) == packet(2).header + b"picture"
    assert remote.unprotect_rtcp(arrived[2]) == REPORT
    assert sent == Sent(packets=3, bytes=sum(map(len, arrived)), calls=2)


def test_each_job_goes_to_its_own_address_under_its_own_keys(make, sockets, keys):
    (ours, theirs), (local, remote) = sockets, keys
    with opened() as third:
        third.settimeout(5)
        jobs = [
            job(theirs.getsockname(), local, LegBatch("ann", (packet(1, b"for ann"),))),
            job(third.getsockname(), remote, LegBatch("bob", (packet(1, b"for bob"),))),
        ]
        assert make(ours).send(jobs).packets == 2
        assert b"for ann" in (remote.unprotect_rtp(theirs.recv(2000)) or b"")
        assert b"for bob" in (local.unprotect_rtp(third.recv(2000)) or b"")


def test_no_jobs_are_no_work(make, sockets):
    assert make(sockets[0]).send([]) == Sent()


def test_a_frame_is_one_call_and_arrives_as_single_datagrams(make, sockets, keys):
    (ours, theirs), (local, remote) = sockets, keys
    frame = [packet(n, bytes(1000)) for n in range(10)] + [packet(10, b"rest")]
    sent = make(ours).send([job(theirs.getsockname(), local, LegBatch("ann", tuple(frame)))])
    assert (sent.packets, sent.calls) == (11, 1)
    for header, payload in frame:
        assert remote.unprotect_rtp(theirs.recv(2000)) == header + payload


def test_padding_is_protected_and_evens_a_frame_out(make, sockets, keys):
    (ours, theirs), (local, remote) = sockets, keys
    frame = tuple(packet(n, bytes(1000 + n % 3)) for n in range(9))
    frame_job = job(theirs.getsockname(), local, LegBatch("ann", frame), PADDABLE)
    assert make(ours).send([frame_job]).calls == 1
    for header, payload in frame:
        wire = theirs.recv(2000)
        assert len(wire) == len(header) + 1002 + (
            16 if local.profile.startswith("SRTP_AEAD") else 10
        )
        assert rtp.parse(remote.unprotect_rtp(wire)) == rtp.parse(header + payload)


def test_a_stream_that_repairs_by_plain_resends_is_sent_byte_for_byte(make, sockets, keys):
    """The same number again must be the same ciphertext, alone or among others."""
    (ours, theirs), (local, _) = sockets, keys
    way, address = make(ours), theirs.getsockname()
    frame = tuple(packet(n, bytes(1000 + n % 3)) for n in range(9))
    way.send([job(address, local, LegBatch("ann", frame), paddable=(b"none",))])
    first = [theirs.recv(2000) for _ in frame]
    way.send([job(address, local, LegBatch("ann", frame[4:5]))])
    assert theirs.recv(2000) == first[4]


def test_ipv6_goes_the_same_way(make, keys):
    local, remote = keys
    with opened(socket.AF_INET6) as ours, opened(socket.AF_INET6) as theirs:
        theirs.settimeout(5)
        frame = tuple(packet(n, bytes(1000)) for n in range(3))
        sent = make(ours).send([job(theirs.getsockname(), local, LegBatch("ann", frame))])
        assert (sent.packets, sent.calls) == (3, 1)
        for header, payload in frame:
            assert remote.unprotect_rtp(theirs.recv(2000)) == header + payload


def test_a_packet_that_cannot_be_protected_is_an_error_and_the_rest_goes_on(make, sockets, keys):
    (ours, theirs), (local, remote) = sockets, keys
    batch = LegBatch("ann", (packet(1, bytes(3000)), packet(2)), (b"\x80", REPORT))
    sent = make(ours).send([job(theirs.getsockname(), local, batch)])
    assert (sent.packets, sent.dropped, sent.errors) == (2, 0, 2)
    assert remote.unprotect_rtp(theirs.recv(2000)) == packet(2).header + b"picture"


def test_the_longest_packet_a_path_carries_is_sent_and_one_byte_more_is_not(make, sockets, keys):
    (ours, theirs), (local, remote) = sockets, keys
    longest = packet(1, bytes(PLAIN_BYTES_MAX - rtp.HEADER_BYTES))
    longer = packet(2, bytes(PLAIN_BYTES_MAX - rtp.HEADER_BYTES + 1))
    sent = make(ours).send(
        [job(theirs.getsockname(), local, LegBatch("ann", (longest, longer), ()))]
    )

    assert (sent.packets, sent.errors) == (1, 1)
    plain = remote.unprotect_rtp(theirs.recv(2048))
    assert plain == longest.header + longest.payload


def test_an_address_the_kernel_refuses_is_an_error_and_the_other_jobs_go_on(make, sockets, keys):
    (ours, theirs), (local, _) = sockets, keys
    bad = job(("255.255.255.255", 9), local, LegBatch("ann", (packet(1), packet(2))))
    good = job(theirs.getsockname(), local, LegBatch("bob", (packet(3),)))
    sent = make(ours).send([bad, good])
    assert (sent.packets, sent.dropped, sent.errors) == (1, 0, 2)


def test_a_path_without_segments_gets_single_datagrams_for_a_minute(make, sockets, keys):
    (ours, theirs), (local, remote) = sockets, keys
    moment = [100.0]
    way = make(ours, clock=lambda: moment[0])
    address = theirs.getsockname()

    def send(*numbers):
        batch = LegBatch("ann", tuple(packet(n, bytes(1000)) for n in numbers))
        sent = way.send([job(address, local, batch)])
        for number in numbers:
            header, payload = packet(number, bytes(1000))
            assert remote.unprotect_rtp(theirs.recv(2000)) == header + payload
        return sent.packets, sent.calls, sent.refused, sent.switched_off

    ours.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    assert send(1, 2) == (2, 2, 1, 0)
    ours.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 0)
    moment[0] += 59.0
    assert send(3, 4) == (2, 2, 0, 0)
    moment[0] += 2.0
    assert send(5, 6) == (2, 1, 0, 0)


def test_a_socket_without_segments_is_never_asked_again(make, keys):
    local, remote = keys
    try:
        ours, theirs = opened(protocol=IPPROTO_UDPLITE), opened(protocol=IPPROTO_UDPLITE)
    except OSError:
        pytest.skip("this kernel has no UDP-Lite to refuse with")
    with ours, theirs:
        theirs.settimeout(5)
        way = make(ours, segments=True)
        for switched_off, numbers in ((1, (1, 2)), (0, (3, 4))):
            batch = LegBatch("ann", tuple(packet(n, bytes(1000)) for n in numbers))
            sent = way.send([job(theirs.getsockname(), local, batch)])
            assert (sent.packets, sent.calls, sent.errors) == (2, 2, 0)
            assert (sent.switched_off, sent.refused) == (switched_off, 0)
            for number in numbers:
                header, payload = packet(number, bytes(1000))
                assert remote.unprotect_rtp(theirs.recv(2000)) == header + payload


@pytest.fixture
def full():
    """A Unix socket with a reader that is asleep: it fills up after some datagrams."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield Connected(ours), theirs


class Connected:
    """A connected socket that takes an address it does not need."""

    def __init__(self, sock):
        self._sock = sock
        self.fileno = sock.fileno

    def sendto(self, data, address):
        return self._sock.send(data)


def test_a_full_buffer_ends_the_batch_after_a_short_wait_and_is_counted(make, full, keys):
    (ours, _), (local, _) = full, keys
    way = make(ours)
    many = LegBatch("ann", tuple(packet(n, bytes(1000)) for n in range(2000)), (REPORT,))
    other = LegBatch("bob", (packet(9999),), (REPORT,))
    began = time.monotonic()
    sent = way.send([job(None, local, many), job(None, local, other)])
    assert time.monotonic() - began >= fanout.WRITABLE_WAIT_S
    assert sent.packets > 0
    assert sent.dropped == 2003 - sent.packets
    assert sent.errors == 0


def test_the_leg_that_suffered_is_the_first_of_the_next_batch(make, full):
    ours, theirs = full
    way = make(ours)
    (ann, from_ann), (bob, from_bob) = pair(), pair()
    many = LegBatch("ann", tuple(packet(n, bytes(1000)) for n in range(2000)))
    assert way.send([job(None, bob, LegBatch("bob", (packet(1),))), job(None, ann, many)]).dropped
    drain(theirs)
    jobs = [
        job(None, bob, LegBatch("bob", (packet(5000, b"for bob"),))),
        job(None, ann, LegBatch("ann", (packet(5000, b"for ann"),))),
    ]
    assert way.send(jobs).packets == 2
    first, second = drain(theirs)
    assert b"for ann" in (from_ann.unprotect_rtp(first) or b"")
    assert b"for bob" in (from_bob.unprotect_rtp(second) or b"")


def drain(sock):
    found = []
    while True:
        try:
            found.append(sock.recv(2000))
        except BlockingIOError:
            return found


sizes = st.sampled_from([0, 30, 900, 1150, 1330]).flatmap(lambda base: st.integers(base, base + 40))
media = st.lists(st.tuples(sizes, st.sampled_from([7, 7, 7, 8, 9])), max_size=50)
feedback = st.lists(st.integers(0, 1400), max_size=3)


single = st.tuples(media, feedback)
legs = st.lists(
    st.tuples(
        st.integers(0, 0xFFFFFFFF),
        st.integers(-(2**20), 2**20),
        st.integers(-(2**33), 2**33),
        st.sampled_from(["paddable", "plain", "gone"]),
    ),
    min_size=1,
    max_size=4,
)
fans = st.tuples(st.lists(sizes, max_size=24), legs)


@needs_native
@settings(deadline=None, max_examples=300)
@given(
    st.lists(fans, max_size=2),
    st.lists(single, max_size=3),
    st.booleans(),
    st.booleans(),
    st.sampled_from(list(Profile)),
)
def test_both_ways_send_the_same_datagrams(fanned, drawn, may_pad, segments, profile):
    """Whatever the batch: same bytes, same order, same counts."""
    key_bytes = profile.key_bytes + profile.salt_bytes
    keys = [os.urandom(key_bytes) for _ in range(sum(len(x) for _, x in fanned) + len(drawn))]
    outcomes = []
    for way in (PythonFanout, native.NativeFanout):
        with opened() as ours, opened() as theirs:
            ours.setblocking(False)
            theirs.setblocking(False)
            address, contexts = theirs.getsockname(), iter(Srtp(profile, key, key) for key in keys)
            jobs = [
                fan(
                    [
                        None
                        if kind == "gone"
                        else Route(
                            address, srtp, (ssrc.to_bytes(4, "big"),) if kind == "paddable" else ()
                        )
                        for (ssrc, _, _, kind), srtp in zip(legs, contexts, strict=False)
                    ],
                    [packet(n + 65_500, bytes(size), 0) for n, size in enumerate(packet_sizes)],
                    [
                        pack_numbers(ssrc=ssrc, sequence_shift=by, timestamp_shift=later)
                        for ssrc, by, later, _ in legs
                    ],
                )
                for packet_sizes, legs in fanned
            ]
            jobs += [
                job(
                    address,
                    srtp,
                    LegBatch(
                        "ann",
                        tuple(packet(n, bytes(size), ssrc) for n, (size, ssrc) in enumerate(rtps)),
                        tuple(REPORT[: size % 9] + bytes(size) for size in rtcps),
                    ),
                    PADDABLE if may_pad else (),
                )
                for srtp, (rtps, rtcps) in zip(contexts, drawn, strict=False)
            ]
            sent = way(ours, segments=segments).send(jobs)
            outcomes.append((sent, drain(theirs)))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0].packets == len(outcomes[0][1])


def test_each_leg_of_a_fan_gets_the_packets_under_its_own_numbers(make, sockets, keys):
    (ours, theirs), (local, remote) = sockets, keys
    with opened() as third:
        third.settimeout(5)
        routes = [
            Route(theirs.getsockname(), local),
            None,
            Route(third.getsockname(), remote),
        ]
        numbers = [
            pack_numbers(ssrc=ssrc, sequence_shift=shift, timestamp_shift=10 * shift)
            for ssrc, shift in ((21, 5), (22, 0), (23, -9))
        ]
        sent = make(ours).send([fan(routes, [packet(3), packet(4)], numbers)])
        assert (sent.packets, sent.unrouted, sent.calls) == (4, 2, 2)
        for sock, keys_of, ssrc, shift in ((theirs, remote, 21, 5), (third, local, 23, -9)):
            for sequence in (3, 4):
                found = rtp.parse(keys_of.unprotect_rtp(sock.recv(2000)) or b"")
                assert found is not None
                assert (found.ssrc, found.payload) == (ssrc, b"picture")
                assert found.sequence == (sequence + shift) & 0xFFFF
                assert found.timestamp == (1 + 10 * shift) & 0xFFFFFFFF


def test_after_a_full_buffer_a_fan_begins_with_the_leg_that_suffered(make, full):
    ours, theirs = full
    way = make(ours)
    ends = [pair() for _ in range(3)]
    numbers = [pack_numbers(ssrc=n, sequence_shift=0, timestamp_shift=0) for n in range(len(ends))]
    routes = [Route(None, local) for local, _ in ends]
    many = [packet(n, bytes(1000)) for n in range(2000)]
    sent = way.send([fan(routes, many, numbers)])
    assert sent.dropped > 4000
    drain(theirs)
    assert way.send([fan(routes[1:], many, numbers[1:])]).dropped > 2000
    drain(theirs)
    first = way.send([fan(routes, [packet(5000, b"short")], numbers)])
    assert first.packets == 3
    assert [wire[8:12] for wire in drain(theirs)] == [bytes(4), b"\0\0\0\1", b"\0\0\0\2"]


ROUTE = struct.pack("=QII32s", 1, 16, 1, b"")


@needs_native
@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ((ROUTE,), None, [], ()),
        ((ROUTE,), None, ((b"short", b""),), ()),
        ((ROUTE,), None, ((b"headers only",),), ()),
        ((ROUTE,), None, (("x" * 12, b""),), ()),
        ((ROUTE,), None, (), ("no bytes",)),
        ((ROUTE,), (), (), ()),
        ((ROUTE,), (b"not ten",), (), ()),
        ((ROUTE,), [b"ten bytes."], (), ()),
        ((ROUTE[:-1],), None, (), ()),
        ((struct.pack("=QII32s", 0, 16, 1, b""),), None, (), ()),
        ((struct.pack("=QII32s", 1, 33, 1, b""),), None, (), ()),
        (("127.0.0.1",), None, (), ()),
        ([ROUTE], None, (), ()),
    ],
)
def test_the_native_loop_refuses_what_is_not_a_job(wrong):
    from sfu.edge import _fanout

    with pytest.raises((TypeError, ValueError, OverflowError)):
        _fanout.send(0, 1, 1, (wrong,), True, 0)


@needs_native
def test_other_threads_run_while_the_native_loop_waits(full):
    """A full buffer is waited for without the interpreter's lock."""
    ours, _ = full
    local, _ = pair()
    way = native.NativeFanout(ours)
    many = LegBatch("ann", tuple(packet(n, bytes(1000)) for n in range(2000)))
    counted, done = [0], threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1

    other = threading.Thread(target=count)
    other.start()
    try:
        before = counted[0]
        for _ in range(10):
            way.send([job(None, local, many)])
        assert counted[0] - before > 100
    finally:
        done.set()
        other.join()


def test_the_environment_can_ask_for_the_reference(monkeypatch, sockets):
    monkeypatch.setenv(native.SWITCH, "python")
    assert isinstance(native.best_fanout(sockets[0]), PythonFanout)
    assert native.why_not_native() is not None


def test_without_a_fitting_library_sending_is_left_to_the_reference(monkeypatch, sockets):
    monkeypatch.setattr(native, "protecting_functions", lambda: None)
    native._proven_loop.cache_clear()
    try:
        assert isinstance(native.best_fanout(sockets[0]), PythonFanout)
    finally:
        native._proven_loop.cache_clear()


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, ("127.0.0.1", 40_000)),
        (socket.AF_INET6, ("::1", 40_000, 0, 0)),
    ],
)
def test_addresses_have_the_kernel_s_form(family, address):
    """Proven by the kernel: a datagram to the packed address arrives (see IPv6 above)."""
    packed = native.pack_address(address)
    assert len(packed) == {socket.AF_INET: 16, socket.AF_INET6: 28}[family]
    assert int.from_bytes(packed[:2], sys.byteorder) == family
    assert packed[2:4] == (40_000).to_bytes(2, "big")
