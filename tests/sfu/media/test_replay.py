"""A viewer that comes in the middle: what it is shown at once, how fast, and how it goes live."""

from itertools import pairwise

import pytest

from sfu.media.replay import (
    BURST_S,
    HURRY_S,
    REPLAY_BPS,
    REPLAY_BPS_MIN,
    SLOT_S,
    TOTAL_PACKETS_S,
    WAIT_S_MAX,
)
from sfu.media.shape import HURRIED, MID, PLAYOUT_DELAY, UNHURRIED
from sfu.packet import rtcp, rtp
from sfu.packet.rewrite import timestamp_ahead
from tests.sfu.media.conftest import DELTA, FRAME_S, KEY, film, rising

BIG = bytes(1100)


def bodies(packets):
    return [packet.payload for packet in packets]


class TestJoin:
    def test_a_late_joiner_sees_the_whole_group_from_its_key_frame_within_a_moment(self, scene):
        host = scene.publish()
        film(host, 60)
        scene.watch()
        scene.pass_time(0)
        got = rising(scene.got())
        assert bodies(got) == [KEY + b"0"] + [DELTA + b"%d" % n for n in range(1, 60)]
        assert scene.asked() == []
        replays = scene.engine.stats().replays
        assert (replays.started, replays.packets, replays.fallbacks) == (1, 60, {})
        assert scene.engine.session_stats("ann").legs[0].packets == 60

    def test_the_past_is_shown_at_1_ms_a_frame_and_ends_where_live_begins(self, scene):
        host = scene.publish()
        film(host, 300)
        scene.watch()
        scene.pass_time(0.5)
        film(host, 3, key=DELTA)
        got = rising(scene.got())
        apart = [timestamp_ahead(b.timestamp, a.timestamp) for a, b in pairwise(got)]
        assert set(apart[:299]) == {93, 94}
        assert apart[299:] == [3000, 3000, 3000]

    def test_it_goes_live_once_and_every_packet_comes_once(self, scene):
        host = scene.publish()
        film(host, 30)
        scene.watch()
        film(host, 30, key=DELTA)
        assert len(rising(scene.got())) == 60
        assert scene.engine.stats().replays.started == 1

    def test_what_arrives_during_the_replay_comes_behind_it(self, scene):
        host = scene.publish()
        film(host, 60, size=1100)
        scene.watch()
        scene.pass_time(SLOT_S)
        assert 0 < len(scene.got()) < 60
        host.send("v", DELTA + b"live")
        assert scene.got()[-1].payload != DELTA + b"live"
        scene.pass_time(0.5)
        assert len(rising(scene.got())) == 61
        assert scene.got()[-1].payload == DELTA + b"live"

    def test_a_key_frame_asked_for_in_the_replay_is_on_its_way_already(self, scene):
        host = scene.publish()
        film(host, 60, size=1100)
        scene.watch()
        scene.pass_time(SLOT_S)
        scene.pli()
        assert scene.asked() == []
        scene.pass_time(0.5)
        scene.pli()
        assert len(scene.asked()) == 1

    def test_sound_is_live_at_once(self, scene):
        host = scene.publish()
        film(host, 60, size=1100)
        host.send("a")
        scene.watch()
        host.send("a", b"now")
        assert bodies(scene.got(ssrc=50_002)) == [b"now"]

    def test_the_first_report_tells_the_live_mapping(self, scene):
        """Lip-sync is told by it: the picture's time is that of the newest frame."""
        host = scene.publish()
        film(host, 60)
        scene.now -= FRAME_S
        scene.watch()
        scene.pass_time(0)
        (report,) = [
            part
            for _, parts in scene.reports["ann"]
            for part in parts
            if isinstance(part, rtcp.SenderReport)
        ]
        assert timestamp_ahead(report.timestamp, scene.got()[-1].timestamp) == 0

    def test_a_key_frame_that_comes_before_the_turn_starts_it_live(self, scene):
        host = scene.publish()
        film(host, 60)
        scene.watch()
        host.send("v", KEY + b"new")
        scene.pass_time(0.1)
        assert bodies(scene.got()) == [KEY + b"new"]
        assert scene.engine.stats().replays.started == 0

    def test_a_viewer_without_the_codec_gets_nothing_and_asks_for_nothing(self, scene, codecs):
        host = scene.publish()
        film(host, 10)
        scene.watch(codecs={codecs["h264"]: 120})
        scene.pass_time(0.1)
        assert scene.got() == []
        assert scene.asked() == []
        assert scene.engine.stats().replays.started == 0

    def test_parameter_sets_come_ahead_of_a_key_frame_that_lacks_them(self, scene, codecs):
        sps, pps, idr = b"\x67sequence", b"\x68picture", b"\x65idr"
        host = scene.publish(codecs={96: codecs["h264"]})
        for payload in (sps, pps, idr, b"\x61one", idr, b"\x61two"):
            host.send("v", payload)
            scene.pass_time(FRAME_S)
        scene.watch(codecs={codecs["h264"]: 120})
        scene.pass_time(0)
        got = scene.got()
        assert bodies(got) == [sps, pps, idr, b"\x61two"]
        numbers = [packet.sequence for packet in got]
        assert numbers == list(range(numbers[0], numbers[0] + 4))
        assert len({packet.timestamp for packet in got[:3]}) == 1
        scene.nack(*numbers)
        assert [rtp.parse_rtx_payload(p.payload)[1] for p in scene.got(ssrc=50_001)] == bodies(got)

    def test_a_key_frame_of_several_packets_is_shown_from_its_first(self, scene, codecs):
        host = scene.publish(codecs={96: codecs["h264"]})
        for payload in (b"\x67s", b"\x68p", b"\x65i", b"\x65i"):
            host.send("v", payload, timestamp=9000)
        host.send("v", b"\x61d", timestamp=12_000)
        scene.watch(codecs={codecs["h264"]: 120})
        scene.pass_time(0)
        assert bodies(scene.got()) == [b"\x67s", b"\x68p", b"\x65i", b"\x65i", b"\x61d"]


def bits(packets):
    return 8 * sum(len(packet.payload) for packet in packets)


class TestPace:
    def test_two_seconds_at_2_mbit_arrive_within_150_ms_and_never_in_one_burst(self, scene):
        host = scene.publish()
        for n in range(435):
            host.send("v", (DELTA if n else KEY) + BIG, timestamp=n // 7 * 3000)
            scene.pass_time(2 / 435)
        scene.watch()
        before = 0
        for slot in range(30):
            scene.pass_time(SLOT_S if slot else 0)
            burst = scene.got()[before:]
            assert bits(burst) <= REPLAY_BPS * SLOT_S + 8 * 1200, slot
            before += len(burst)
        assert before == 435

    def test_a_viewer_that_told_its_budget_gets_three_times_that(self, scene):
        host = scene.publish()
        guest = scene.publish("guest", ssrc=2000, bind=False)
        scene.watch()
        host.key()
        scene.receive("ann", rtcp.write_remb(1, 5_000_000, [50_000]), is_rtcp=True)
        film(guest, 300, size=1100)
        scene.bind(0, "guest")
        scene.pass_time(0.1)
        assert REPLAY_BPS_MIN < 15_000_000
        assert bits(scene.got()) == pytest.approx(15_000_000 * 0.1, rel=0.15)

    def test_a_late_wakeup_makes_up_for_a_bounded_part(self, scene):
        host = scene.publish()
        film(host, 200, size=1100)
        scene.watch()
        scene.pass_time(0)
        before = len(scene.got())
        scene.now += 1.0
        scene.take(scene.engine.tick(now=scene.now, at_ntp=scene.at_ntp))
        assert bits(scene.got()[before:]) <= REPLAY_BPS * BURST_S + 8 * 1200

    def test_all_together_stay_within_their_share_and_each_has_its_turn(self, scene):
        host = scene.publish()
        film(host, 30, size=100)
        names = [f"viewer-{n}" for n in range(60)]
        for n, name in enumerate(names):
            scene.watch(name, ssrc=100_000 + 10 * n)
        total = 0
        for slot in range(40):
            scene.pass_time(SLOT_S if slot else 0)
            now = scene.engine.replay_stats().packets
            assert now - total <= TOTAL_PACKETS_S * SLOT_S + 30
            total = now
        assert total == 60 * 30
        for n, name in enumerate(names):
            rising(scene.got(name, 100_000 + 10 * n))
        assert scene.asked() == []

    def test_for_whoever_waits_too_long_a_key_frame_is_asked_and_starts_all(self, scene):
        host = scene.publish()
        film(host, 300, size=20)
        names = [f"viewer-{n}" for n in range(60)]
        for n, name in enumerate(names):
            scene.watch(name, ssrc=100_000 + 10 * n)
        scene.pass_time(WAIT_S_MAX + 2 * SLOT_S)
        replays = scene.engine.stats().replays
        assert replays.fallbacks["busy"] > 20
        assert len(scene.asked()) == 1
        host.key()
        assert all(scene.got(name, 100_000 + 10 * n) for n, name in enumerate(names))
        scene.pass_time(2)
        assert scene.engine.stats().replays.started == replays.started

    def test_where_no_key_frame_comes_everybody_has_a_turn_in_the_end(self, scene):
        """ffmpeg hears no requests: a replay a little late beats the next key frame."""
        host = scene.publish(feedback=())
        film(host, 300, size=20)
        names = [f"viewer-{n}" for n in range(60)]
        for n, name in enumerate(names):
            scene.watch(name, ssrc=100_000 + 10 * n)
        scene.pass_time(1.5)
        assert [len(rising(scene.got(m, 100_000 + 10 * n))) for n, m in enumerate(names)] == [
            300
        ] * 60

    def test_beside_much_live_traffic_a_fifth_of_all_is_replays(self, scene):
        host = scene.publish()
        film(host, 30)
        for n in range(200):
            scene.watch(f"early-{n}", ssrc=100_000 + 10 * n)
        scene.pass_time(1)
        for n in range(200):
            scene.watch(f"late-{n}", ssrc=200_000 + 10 * n)
        scene.pass_time(0)
        before = scene.engine.replay_stats().packets
        for _ in range(10):
            host.send("v")
        scene.pass_time(SLOT_S)
        sent = scene.engine.replay_stats().packets - before
        assert sent == pytest.approx(200 * 10 / 4, rel=0.15)

    def test_when_all_are_live_the_engine_sleeps_on(self, scene):
        host = scene.publish()
        film(host, 30)
        scene.watch()
        scene.pass_time(0.1)
        assert scene.engine.deadline() > scene.now + 0.2


class TestPlayoutDelay:
    def delays(self, packets):
        return [rtp.parse_extensions(p.profile, p.extension)[7] for p in packets]

    def test_frames_are_to_be_shown_at_once_for_a_few_seconds(self, scene):
        host = scene.publish()
        film(host, 30)
        scene.watch(extensions={MID: 4, PLAYOUT_DELAY: 7})
        scene.pass_time(0.1)
        host.send("v")
        scene.pass_time(HURRY_S - 0.05)
        assert set(self.delays(scene.got())) == {HURRIED}
        scene.pass_time(0.1)
        host.send("v")
        assert self.delays(scene.got()[31:]) == [UNHURRIED]
        rising(scene.got()[-2:])

    def test_a_repair_looks_as_the_packet_did(self, scene):
        host = scene.publish()
        film(host, 30)
        scene.watch(extensions={MID: 4, PLAYOUT_DELAY: 7}, rtx=False)
        scene.pass_time(HURRY_S + 0.1)
        host.send("v")
        first, last = scene.got()[0], scene.got()[-1]
        scene.nack(first.sequence, last.sequence)
        assert scene.got()[-2:] == [first, last]

    def test_a_viewer_that_did_not_negotiate_it_is_told_nothing(self, scene):
        host = scene.publish()
        film(host, 30)
        scene.watch(extensions={MID: 4})
        scene.pass_time(0.1)
        assert all(rtp.parse_extensions(p.profile, p.extension) == {4: b"v0"} for p in scene.got())

    def test_a_leg_that_starts_with_a_live_key_frame_is_in_no_hurry(self, scene):
        host = scene.publish()
        scene.watch(extensions={PLAYOUT_DELAY: 7})
        host.key()
        assert self.delays(scene.got()) == [UNHURRIED]
