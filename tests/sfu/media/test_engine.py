"""Scenes of starting, switching and silence: what viewers get, what publishers are asked."""

from itertools import pairwise

import pytest

from sfu.media.model import Kind, TrackChange
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
        host.send("v")
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
        guest.send("v")
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
        scene.pass_time(13)
        for _ in range(5):
            host.send("v")
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


class TestBugs:
    def test_a_bug_in_the_middle_of_a_batch_costs_that_batch_only(self, scene):
        host = scene.publish()
        scene.watch()
        host.key()
        good = host.packet("v", b"\x10\x01lost to the bug", sequence=11)
        with pytest.raises(TypeError):
            scene.receive("host", good, None)
        host.next["v"] = 12
        host.send("v")
        assert [p.payload for p in scene.got()] == [b"\x10\x00key frame", DELTA]


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
        first, second = (fan.packets[0] for fan in output.fans)
        assert first.payload is second.payload
        assert first.header != second.header
