"""Whole scenes in virtual time: what viewers get, what publishers are asked."""

from itertools import pairwise

import pytest

from sfu.media.model import Kind, TrackChange, TrackSpec
from sfu.media.track import STALL_AFTER_S
from sfu.packet import rtcp, rtp

KEY = b"\x10\x00key"
DELTA = b"\x10\x01delta"


def rising(packets):
    """The sequence numbers, checked to rise by one each across a wrap."""
    numbers = [packet.sequence for packet in packets]
    for before, after in pairwise(numbers):
        assert (after - before) & 0xFFFF == 1, numbers
    return numbers


class TestStart:
    def test_video_starts_with_a_key_frame_and_audio_at_once(self, scene):
        host = scene.publish()
        scene.watch()
        host.send("v")
        host.send("a")
        host.key()
        host.send("v")
        host.send("a")
        assert [p.payload for p in scene.got()] == [b"\x10\x00key frame", DELTA]
        assert len(rising(scene.got(ssrc=50_002))) == 2

    def test_packets_bear_the_viewers_numbers(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        host.send("a")
        (video,) = scene.got()
        (audio,) = scene.got(ssrc=50_002)
        assert (video.payload_type, video.ssrc, video.marker) == (120, 50_000, True)
        assert (audio.payload_type, audio.ssrc) == (63, 50_002)

    def test_a_stream_begins_in_the_lower_half_of_the_numbers(self, scene):
        host = scene.publish(start=65_530)
        scene.watch(ssrc=0xFFFF_FFF0)
        host.key()
        assert scene.got(ssrc=0xFFFF_FFF0)[0].sequence < 0x8000

    def test_a_key_frame_is_asked_for_when_a_viewer_connects(self, scene):
        host = scene.publish()
        host.key()
        scene.watch(connect=False)
        assert scene.asked() == []
        scene.take(scene.engine.connect("ann", now=scene.now))
        assert [part for _, part in scene.asked()] == [rtcp.PictureLoss(1, 1000)]

    def test_the_request_is_repeated_every_second_until_a_key_frame_came(self, scene):
        host = scene.publish()
        scene.watch()
        for _ in range(35):
            host.send("v")
            scene.pass_time(0.1)
        times = [at for at, _ in scene.asked()]
        assert times == pytest.approx([100.0, 101.0, 102.0, 103.0])
        host.key()
        scene.pass_time(2.0)
        assert len(scene.asked()) == 4

    def test_nothing_is_sent_before_connect(self, scene):
        host = scene.publish()
        scene.watch(connect=False)
        host.key()
        host.send("a")
        scene.pass_time(5)
        assert scene.media["ann"] == []
        assert scene.reports["ann"] == []

    def test_connecting_twice_changes_nothing(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.take(scene.engine.connect("ann", now=scene.now))
        scene.take(scene.engine.connect("host", now=scene.now))
        host.send("v")
        assert len(rising(scene.got())) == 2

    def test_the_order_of_publish_watch_bind_and_connect_does_not_matter(self, scene):
        scene.watch()
        scene.bind(0, "host")
        host = scene.publish(bind=False)
        host.key()
        assert len(scene.got()) == 1

    def test_a_key_frame_whose_start_was_repaired_starts_the_leg_with_all_that_followed(
        self, scene
    ):
        host = scene.publish()
        scene.watch()
        host.send("v")
        late = host.packet("v", KEY, sequence=host.next["v"])
        host.next["v"] += 1
        host.send("v", b"\x00one")
        host.send("v", b"\x00two")
        assert scene.got() == []
        scene.receive("host", late)
        host.send("v")
        assert [p.payload for p in scene.got()] == [KEY, b"\x00one", b"\x00two", DELTA]
        rising(scene.got())
        assert scene.engine.session_stats("ann").legs[0].packets == 4

    def test_a_codec_whose_key_frames_nobody_can_tell_passes_at_once(self, scene, codecs):
        h265 = type(codecs["vp8"])(Kind.VIDEO, "h265", 90_000)
        host = scene.publish(codecs={96: h265})
        scene.watch(codecs={h265: 120})
        host.send("v", b"anything")
        scene.pass_time(5)
        assert len(scene.got()) == 1
        assert len(scene.asked()) <= 1

    def test_a_leg_without_a_common_codec_gets_nothing_and_is_counted(self, scene, codecs):
        host = scene.publish()
        scene.watch(codecs={codecs["h264"]: 120})
        host.key()
        host.send("v")
        scene.pass_time(3)
        assert scene.got() == []
        assert scene.engine.session_stats("ann").legs[0].unmatched == 1

    def test_a_change_of_codec_goes_on_with_the_next_number_from_a_key_frame(self, scene, codecs):
        host = scene.publish(codecs={96: codecs["vp8"], 102: codecs["h264"]})
        scene.watch(codecs={codecs["vp8"]: 120, codecs["h264"]: 125})
        scene.watch("bob", codecs={codecs["vp8"]: 120})
        host.key()
        host.payload_type["v"] = 102
        host.send("v", b"\x61slice")
        host.send("v", b"\x65idr")
        host.send("v", b"\x61slice")
        assert [p.payload_type for p in scene.got()] == [120, 125, 125]
        rising(scene.got())
        assert len(scene.got("bob")) == 1

    def test_what_is_late_from_before_a_change_of_codec_is_dropped(self, scene, codecs):
        host = scene.publish(codecs={96: codecs["vp8"], 102: codecs["h264"]})
        scene.watch(codecs={codecs["vp8"]: 120, codecs["h264"]: 125})
        host.key()
        late = host.lose()
        repair = rtp.write(
            marker=False,
            payload_type=97,
            sequence=5,
            timestamp=1,
            ssrc=77,
            payload=rtp.write_rtx_payload(host.next["v"] + 1, b"\x10\x01ahead"),
        )
        host.payload_type["v"] = 102
        host.send("v", b"\x65idr")
        scene.receive("host", late, repair)
        assert [p.payload_type for p in scene.got()] == [120, 125]
        assert scene.engine.stats().dropped == {"old_codec": 2}


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


class TestKeyframes:
    def test_a_thousand_viewers_asking_are_one_request_a_second(self, scene):
        host = scene.publish()
        names = [f"viewer-{n}" for n in range(1000)]
        for n, name in enumerate(names):
            scene.watch(name, ssrc=100_000 + 10 * n)
        host.key()
        scene.pass_time(2.0)
        before = len(scene.asked())
        for turn in range(30):
            for n in range(turn % 10, 1000, 10):
                scene.pli(names[n], 100_000 + 10 * n)
            scene.pass_time(0.1)
            host.send("v")
            if turn % 10 == 5:
                host.key()
        times = [at for at, _ in scene.asked()][before:]
        assert 1 <= len(times) <= 4
        assert all(b - a >= 0.999 for a, b in pairwise(times))

    def test_a_full_intra_request_of_a_viewer_is_one_too(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.pass_time(1)
        before = len(scene.asked())
        fir = rtcp.write_full_intra_request(1, [(50_000, 1)])
        scene.receive("ann", fir, is_rtcp=True)
        assert len(scene.asked()) == before + 1

    def test_a_publisher_that_knows_only_fir_gets_fir_with_rising_numbers(self, scene):
        host = scene.publish(feedback=("ccm fir",))
        scene.watch()
        host.send("v")
        scene.pass_time(1.5)
        asked = [part for _, part in scene.asked(kind=rtcp.FullIntraRequest)]
        assert asked == [
            rtcp.FullIntraRequest(1, ((1000, 1),)),
            rtcp.FullIntraRequest(1, ((1000, 2),)),
        ]
        assert scene.asked() == []

    def test_a_publisher_that_agreed_to_neither_is_left_alone(self, scene):
        host = scene.publish(feedback=())
        scene.watch()
        host.send("v")
        scene.pass_time(3)
        assert scene.asked() == []
        assert scene.asked(kind=rtcp.FullIntraRequest) == []

    def test_a_request_that_crossed_a_key_frame_is_granted_by_it(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.pass_time(1.5)
        host.key()
        before = len(scene.asked())
        scene.pass_time(0.05)
        scene.pli()
        assert len(scene.asked()) == before
        scene.pass_time(0.1)
        scene.pli()
        assert len(scene.asked()) == before + 1


class TestStage:
    def test_the_host_is_gone_and_back_and_the_stream_goes_on(self, scene):
        host = scene.publish(start=65_000)
        scene.watch()
        host.key()
        host.send("v")
        host.send("a")
        scene.close("host")
        scene.pass_time(4.0)
        again = scene.publish("host-2", start=7, ssrc=2000)
        again.send("v")
        again.send("a")
        assert [part for _, part in scene.asked("host-2")] == [rtcp.PictureLoss(1, 2000)]
        again.key()
        again.send("v")
        packets = scene.got()
        assert len(rising(packets)) == 4
        assert (packets[2].timestamp - packets[1].timestamp) & 0xFFFFFFFF == 4 * 90_000
        sound = scene.got(ssrc=50_002)
        assert len(rising(sound)) == 2
        assert (sound[1].timestamp - sound[0].timestamp) & 0xFFFFFFFF == 4 * 48_000

    def test_nothing_comes_from_a_publisher_that_was_closed(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.close("host")
        host.send("v")
        assert len(scene.got()) == 1
        assert scene.engine.stats().dropped == {"unknown_session": 1}

    def test_two_slots_show_two_publishers(self, scene):
        host = scene.publish()
        guest = scene.publish("guest", slot=1, ssrc=2000)
        scene.watch(slots=2)
        host.key()
        guest.send("v", b"\x10\x00guest")
        assert [p.payload for p in scene.got()] == [b"\x10\x00key frame"]
        assert [p.payload for p in scene.got(ssrc=50_010)] == [b"\x10\x00guest"]

    def test_a_switch_keeps_numbers_and_waits_for_a_key_frame(self, scene):
        host = scene.publish()
        guest = scene.publish("guest", ssrc=2000, start=30_000, bind=False)
        scene.watch()
        host.key()
        guest.key()
        scene.pass_time(1.2)
        scene.bind(0, "guest")
        assert len(scene.asked("guest")) == 1
        host.send("v")
        guest.send("v", b"\x10\x01not yet")
        guest.send("v", b"\x10\x00now")
        scene.bind(0, "host")
        host.send("v", b"\x10\x00back")
        assert [p.payload for p in scene.got()] == [
            b"\x10\x00key frame",
            b"\x10\x00now",
            b"\x10\x00back",
        ]
        rising(scene.got())

    def test_a_loss_before_a_switch_can_still_be_repaired(self, scene):
        host = scene.publish()
        guest = scene.publish("guest", ssrc=2000, bind=False)
        scene.watch()
        host.send("v", b"\x10\x00old")
        scene.bind(0, "guest")
        guest.send("v", b"\x10\x00new")
        scene.nack(*(p.sequence for p in scene.got()))
        repaired = [rtp.parse_rtx_payload(p.payload)[1] for p in scene.got(ssrc=50_001)]
        assert repaired == [b"\x10\x00old", b"\x10\x00new"]

    def test_binding_the_same_again_changes_nothing(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.bind(0, "host")
        host.send("v")
        assert len(rising(scene.got())) == 2

    def test_a_host_of_another_room_can_be_shown(self, scene):
        rival = scene.publish("rival", room="other", ssrc=2000)
        scene.bind(1, "rival")
        scene.watch(slots=2)
        scene.watch("there", room="other", ssrc=70_000)
        rival.key()
        assert len(scene.got(ssrc=50_010)) == len(scene.got("there", 70_000)) == 1

    def test_an_emptied_slot_sends_nothing(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.bind(0, None)
        host.send("v")
        assert len(scene.got()) == 1

    def test_a_viewer_that_leaves_gets_nothing_more(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.close("ann")
        host.send("v")
        scene.pass_time(5)
        assert len(scene.got()) == 1
        stats = scene.engine.stats()
        assert (stats.viewers, stats.legs, stats.packets_out) == (0, 0, 1)

    def test_closing_everybody_leaves_nothing_to_wake_for(self, scene):
        scene.publish().key()
        scene.watch()
        scene.close("ann")
        scene.close("host")
        scene.close("nobody")
        assert scene.engine.deadline() is None


class TestLiveness:
    def test_a_suspended_viewer_gets_nothing_and_goes_on_from_a_key_frame(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        host.send("a")
        scene.engine.suspend("ann", now=scene.now)
        scene.pass_time(10)
        for _ in range(5):
            host.key()
            host.send("a")
        assert (len(scene.media["ann"]), len(scene.reports["ann"])) == (2, 2)
        before = len(scene.asked())
        scene.engine.resume("ann", now=scene.now)
        assert scene.engine.deadline() == scene.now
        scene.pass_time(0)
        assert len(scene.asked()) == before + 1
        host.send("v")
        host.send("a")
        host.key()
        assert len(rising(scene.got())) == 2
        assert len(rising(scene.got(ssrc=50_002))) == 2

    def test_a_suspended_viewer_may_be_suspended_resumed_and_switched_in_any_order(self, scene):
        host = scene.publish()
        guest = scene.publish("guest", ssrc=2000, bind=False)
        scene.watch()
        host.key()
        for _ in range(2):
            scene.engine.suspend("ann", now=scene.now)
        scene.bind(0, "guest")
        guest.key()
        assert len(scene.got()) == 1
        for _ in range(2):
            scene.engine.resume("ann", now=scene.now)
        guest.key()
        assert len(rising(scene.got())) == 2

    def test_a_nack_of_a_suspended_viewer_is_not_answered(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        scene.engine.suspend("ann", now=scene.now)
        scene.nack(scene.got()[0].sequence)
        assert scene.got(ssrc=50_001) == []

    def test_a_suspended_publisher_is_told_nothing_until_it_is_back(self, scene):
        host = scene.publish()
        scene.watch()
        host.send("v")
        scene.engine.suspend("host", now=scene.now)
        before = len(scene.reports["host"])
        scene.pass_time(5)
        assert len(scene.reports["host"]) == before
        scene.engine.resume("host", now=scene.now)
        scene.pass_time(0)
        assert len(scene.asked()) == 2

    def test_tracks_start_stall_start_again_and_end(self, scene):
        host = scene.publish()
        host.key()
        host.send("v")
        scene.pass_time(STALL_AFTER_S - 0.01)
        changes = [(e.kind, e.change) for e in scene.events]
        assert changes == [(Kind.VIDEO, TrackChange.STARTED)]
        scene.pass_time(0.02)
        host.send("v")
        host.send("a")
        scene.close("host")
        assert [(e.kind, e.change) for e in scene.events[1:]] == [
            (Kind.VIDEO, TrackChange.STALLED),
            (Kind.VIDEO, TrackChange.STARTED),
            (Kind.AUDIO, TrackChange.STARTED),
            (Kind.VIDEO, TrackChange.ENDED),
            (Kind.AUDIO, TrackChange.ENDED),
        ]
        assert {(e.session, e.room) for e in scene.events} == {("host", "room")}

    def test_the_engine_is_not_woken_more_than_it_has_to_say(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        wakes = 0
        end = scene.now + 60
        while (due := scene.engine.deadline()) is not None and due <= end:
            wakes += 1
            scene.now = max(scene.now, due)
            scene.take(scene.engine.tick(now=scene.now, at_ntp=scene.at_ntp))
        assert wakes <= 60 + 30 + 5


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


class TestExtensions:
    def test_a_viewer_gets_what_it_negotiated(self, scene, extensions):
        host = scene.publish()
        scene.watch(extensions=extensions)
        host.key()
        host.send("a", level=b"\x85")
        (video,) = scene.got()
        (audio,) = scene.got(ssrc=50_002)
        stamp = ((scene.at_ntp >> 14) & 0xFFFFFF).to_bytes(3, "big")
        assert rtp.parse_extensions(video.profile, video.extension) == {4: b"v0", 5: stamp}
        assert rtp.parse_extensions(audio.profile, audio.extension) == {
            4: b"a0",
            5: stamp,
            6: b"\x85",
        }

    def test_a_viewer_that_negotiated_none_gets_none(self, scene):
        host = scene.publish()
        scene.watch()
        host.send("a", level=b"\x85")
        (audio,) = scene.got(ssrc=50_002)
        assert audio.profile == 0

    def test_viewers_of_different_numbers_share_the_payload_object(self, scene, extensions):
        host = scene.publish()
        scene.watch(extensions=extensions)
        scene.watch("bob", ssrc=60_000)
        output = host.key()
        first, second = (batch.rtp[0] for batch in output.batches)
        assert first.payload is second.payload
        assert first.header != second.header
