"""Scenes of loss and of strange streams: what is asked again, answered again, and dropped."""

from itertools import pairwise, zip_longest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.media.model import Kind, TrackSpec
from sfu.packet import rtcp, rtp
from tests.sfu.media.conftest import Scene

KEY = b"\x10\x00key"
DELTA = b"\x10\x01delta"


def rising(packets):
    """The sequence numbers, checked to rise by one each across a wrap."""
    numbers = [packet.sequence for packet in packets]
    for before, after in pairwise(numbers):
        assert (after - before) & 0xFFFF == 1, numbers
    return numbers


class TestLoss:
    def test_a_hole_is_asked_for_and_stays_open_for_the_late_packet(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        lost = host.lose()
        host.send("v")
        assert [part.lost for _, part in scene.asked(kind=rtcp.Nack)] == [(11,)]
        first, second = (p.sequence for p in scene.got())
        assert second == first + 2
        scene.receive("host", lost)
        assert sorted(p.sequence for p in scene.got()) == [first, first + 1, first + 2]
        scene.pass_time(2)
        assert len(scene.asked(kind=rtcp.Nack)) == 1
        assert scene.engine.stats().recovered_in == 1

    def test_the_request_is_repeated_and_given_up_after_a_second(self, scene):
        host = scene.publish()
        host.key()
        host.lose()
        host.send("v")
        scene.pass_time(5)
        times = [at for at, _ in scene.asked(kind=rtcp.Nack)]
        assert 3 <= len(times) <= 11
        assert max(times) - min(times) <= 1.1

    def test_a_publisher_that_does_not_repair_is_not_asked(self, scene):
        host = scene.publish(feedback=("nack pli",))
        host.key()
        host.lose()
        host.send("v")
        scene.pass_time(2)
        assert scene.asked(kind=rtcp.Nack) == []

    def test_retransmissions_of_the_publisher_are_unwrapped(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        host.lose()
        host.send("v")
        repair = rtp.write(
            marker=False,
            payload_type=97,
            sequence=5,
            timestamp=11 * 3000,
            ssrc=77,
            payload=rtp.write_rtx_payload(11, b"\x10\x01repaired"),
        )
        scene.receive("host", repair)
        packets = sorted(scene.got(), key=lambda p: p.sequence)
        rising(packets)
        assert packets[1].payload == b"\x10\x01repaired"
        assert packets[1].payload_type == 120

    def test_a_probe_on_the_retransmission_stream_is_not_forwarded(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        probe = (
            b"\xa0"
            + rtp.write(
                marker=False, payload_type=97, sequence=5, timestamp=1, ssrc=77, payload=b"\0\0\0\4"
            )[1:]
        )
        scene.receive("host", probe)
        assert len(scene.got()) == 1
        assert scene.engine.stats().dropped == {"probe": 1}

    def test_a_duplicate_is_forwarded_once(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        data = host.packet("v", DELTA, sequence=11)
        scene.receive("host", data, data)
        scene.receive("host", data)
        assert len(scene.got()) == 2
        assert scene.engine.stats().dropped == {"duplicate": 2}

    def test_a_late_packet_from_before_the_leg_began_is_not_sent_to_it(self, scene):
        host = scene.publish()
        scene.watch("early", ssrc=60_000)
        host.key()
        lost = host.lose()
        host.send("v")
        scene.watch("ann")
        host.key()
        scene.receive("host", lost)
        assert len(scene.got("ann")) == 1
        assert len(scene.got("early", 60_000)) == 4
        assert scene.engine.session_stats("ann").legs[0].packets == 1
        assert scene.engine.session_stats("early").legs[0].packets == 4

    @pytest.mark.parametrize("jump", [1001, 32767, 32768, 32769, 60_000])
    def test_a_single_stray_number_changes_nothing(self, scene, jump):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.receive("host", host.packet("v", DELTA, sequence=10 + jump))
        host.send("v")
        assert len(rising(scene.got())) == 2
        assert scene.asked(kind=rtcp.Nack) == []
        assert scene.engine.stats().dropped in ({"jump": 1}, {"too_old": 1})

    def test_two_strays_with_a_packet_between_are_no_new_numbering(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        for sequence in (5000, 11, 5001, 12):
            scene.receive("host", host.packet("v", DELTA, sequence=sequence))
        assert len(rising(scene.got())) == 3

    def test_alternating_numbers_cost_nothing_and_ask_for_nothing(self, scene):
        host = scene.publish()
        host.key()
        for n in range(500):
            scene.receive("host", host.packet("v", DELTA, sequence=(11 + n // 2 + 32767 * (n % 2))))
        assert scene.asked(kind=rtcp.Nack) == []

    def test_a_new_numbering_goes_on_with_the_next_number_from_a_key_frame(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        host.send("v")
        asked = len(scene.asked())
        scene.pass_time(1.5)
        host.next["v"] = 40_000
        host.send("v")
        host.send("v")
        assert len(scene.asked()) == asked + 1
        host.key()
        host.send("v")
        packets = scene.got()
        assert len(rising(packets)) == 4
        passed = (packets[2].timestamp - packets[1].timestamp) & 0xFFFFFFFF
        assert passed == 1.5 * 90_000

    def test_a_viewers_loss_is_repaired_by_retransmission(self, scene, extensions):
        host = scene.publish()
        scene.watch(extensions=extensions)
        host.key()
        host.send("v", b"\x10\x01lost on the way")
        scene.pass_time(0.1)
        lost = scene.got()[1]
        scene.nack(lost.sequence)
        (repair,) = scene.got(ssrc=50_001)
        assert repair.payload_type == 121
        assert rtp.parse_rtx_payload(repair.payload) == (lost.sequence, lost.payload)
        assert (repair.timestamp, repair.marker) == (lost.timestamp, lost.marker)

    def test_without_rtx_the_very_same_bytes_are_sent_again(self, scene, extensions):
        """Under AES-GCM other bytes with the same number would give the key stream away."""
        host = scene.publish()
        scene.watch(rtx=False, extensions=extensions)
        host.key()
        host.send("a", b"sound", level=b"\x85")
        scene.pass_time(0.5)
        (sound,) = scene.got(ssrc=50_002)
        scene.nack(sound.sequence, ssrc=50_002)
        assert scene.got(ssrc=50_002) == [sound, sound]

    def test_a_number_is_answered_three_times_at_most(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        for _ in range(10):
            scene.nack(scene.got()[0].sequence)
            scene.pass_time(0.2)
        assert len(rising(scene.got(ssrc=50_001))) == 3
        assert scene.engine.stats().repairs_refused == 7

    def test_a_number_is_not_answered_again_within_a_round_trip(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.pass_time(0.01)
        sequence = scene.got()[0].sequence
        for _ in range(2):
            scene.nack(sequence)
        assert len(scene.got(ssrc=50_001)) == 1
        scene.pass_time(0.021)
        scene.nack(sequence)
        assert len(scene.got(ssrc=50_001)) == 2

    def test_a_nack_of_every_number_is_bounded(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        for _ in range(100):
            host.send("v")
        for _ in range(5):
            scene.nack(*range(0, 65536, 17))
            scene.nack(*range(0, 4900))
            scene.pass_time(0.2)
        assert len(scene.got(ssrc=50_001)) <= 3 * 101

    def test_what_was_never_sent_is_not_answered(self, scene):
        host = scene.publish()
        scene.watch()
        host.send("v")
        host.key()
        sequence = scene.got()[0].sequence
        scene.nack(sequence - 1, sequence + 1)
        assert scene.got(ssrc=50_001) == []


class TestStreams:
    def test_an_ssrc_is_learned_from_its_mid(self, scene):
        host = scene.publish(known_ssrc=False)
        scene.watch()
        data = host.packet("v", KEY, sequence=1, mark_mid=True)
        scene.receive("host", data)
        scene.receive("host", host.packet("v", DELTA, sequence=2))
        assert len(scene.got()) == 2

    def test_an_ssrc_is_learned_from_a_payload_type_that_one_track_uses(self, scene):
        host = scene.publish(known_ssrc=False)
        scene.watch()
        host.key()
        host.send("a")
        assert (len(scene.got()), len(scene.got(ssrc=50_002))) == (1, 1)

    def test_a_key_frame_is_asked_for_as_soon_as_the_ssrc_is_known(self, scene):
        host = scene.publish(known_ssrc=False)
        scene.watch()
        scene.pass_time(3)
        assert scene.asked() == []
        host.send("v")
        assert [part for _, part in scene.asked()] == [rtcp.PictureLoss(1, 1000)]

    def test_a_second_ssrc_beside_a_live_one_is_dropped_and_counted(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        host.ssrc["v"] = 4444
        host.send("v")
        assert len(scene.got()) == 1
        assert scene.engine.stats().dropped == {"unknown_ssrc": 1}

    def test_a_new_ssrc_takes_over_from_a_silent_one(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.pass_time(1.1)
        host.ssrc["v"] = 4444
        host.next["v"] = 9000
        host.key()
        host.send("v")
        assert len(rising(scene.got())) == 3

    def test_a_million_ssrcs_leave_no_trace(self, scene):
        host = scene.publish()
        host.key()
        host.send("a")
        for ssrc in range(10_000, 12_000):
            host.ssrc["v"] = ssrc
            host.send("v")
        assert scene.engine.stats().dropped == {"unknown_ssrc": 2000}

    def test_a_publisher_has_eight_ssrcs_at_most(self, scene, codecs):
        tracks = [
            TrackSpec(
                mid=str(n),
                kind=Kind.AUDIO,
                codecs={100 + n: codecs["opus"]},
                feedback=frozenset(),
            )
            for n in range(10)
        ]
        scene.engine.publish("choir", "room", tracks, now=scene.now)
        for n in range(10):
            data = rtp.write(
                marker=False,
                payload_type=100 + n,
                sequence=1,
                timestamp=1,
                ssrc=n,
                payload=b"x",
            )
            scene.receive("choir", data)
        assert scene.engine.stats().dropped == {"ssrc_cap": 2}

    def test_an_unknown_mid_and_an_unknown_payload_type_are_dropped(self, scene):
        host = scene.publish(known_ssrc=False)
        host.payload_type["v"] = 99
        host.send("v")
        data = host.packet("a", b"x", sequence=1)
        stray = rtp.write(
            marker=False,
            payload_type=111,
            sequence=1,
            timestamp=1,
            ssrc=1,
            payload=b"x",
            extensions=rtp.write_extensions([(1, b"zz")]),
        )
        scene.receive("host", stray, data)
        assert scene.engine.stats().dropped == {"unknown_ssrc": 2}

    def test_malformed_packets_and_strangers_are_counted_and_harmless(self, scene):
        host = scene.publish()
        scene.watch()
        scene.receive("host", b"", b"\x80", b"\x90" + bytes(11), b"\x40" + bytes(20))
        scene.receive("host", b"\x80", b"", is_rtcp=True)
        scene.receive("ann", b"\x80" * 7, is_rtcp=True)
        scene.receive("ann", host.packet("v", KEY, sequence=1))
        scene.receive("nobody", host.packet("v", KEY, sequence=1))
        scene.receive("nobody", b"\x80", is_rtcp=True)
        host.key()
        assert len(scene.got()) == 1
        assert scene.engine.stats().dropped == {
            "malformed": 6,
            "not_a_publisher": 1,
            "unknown_session": 2,
        }


hostile = st.lists(
    st.one_of(
        st.tuples(st.just(False), st.binary(max_size=80)),
        st.tuples(st.just(True), st.binary(max_size=80)),
        # Right heads, so that the rest is looked at.
        st.tuples(
            st.just(False),
            st.builds(
                lambda first, kind, number, ssrc, rest: (
                    bytes((first, kind)) + number.to_bytes(2, "big") + bytes(6) + ssrc + rest
                ),
                st.integers(0x80, 0xBF),
                st.sampled_from([96, 97, 111, 224]),
                st.integers(0, 65535),
                st.sampled_from([b"\x03\xe8", b"\x03\xe9", b"\x00\x07"]),
                st.binary(max_size=40),
            ),
        ),
        st.tuples(
            st.just(True),
            st.builds(
                lambda first, kind, ssrc, rest: (
                    bytes((first, kind, 0, len(rest) // 4 + 2))
                    + bytes(6)
                    + ssrc
                    + rest[: len(rest) // 4 * 4]
                ),
                st.integers(0x80, 0x9F),
                st.integers(200, 207),
                st.sampled_from([b"\xc3\x50", b"\x03\xe8"]),
                st.binary(max_size=60),
            ),
        ),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(hostile, hostile)
def test_whatever_authenticated_sessions_send_nothing_is_raised(from_host, from_ann):
    scene = Scene()
    scene.publish()
    scene.watch()
    for host, ann in zip_longest(from_host, from_ann, fillvalue=(True, b"")):
        scene.receive("host", host[1], is_rtcp=host[0])
        scene.receive("ann", ann[1], is_rtcp=ann[0])
        scene.pass_time(0.02)
    scene.pass_time(5)
    assert scene.engine.stats().packets_in == 2 * max(len(from_host), len(from_ann))
