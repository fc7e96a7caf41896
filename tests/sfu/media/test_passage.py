"""Numbers and times of a stream whose past is shown in fast motion: no gap, no step back."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.media.gop import GOP_S_MAX
from sfu.media.replay import SLOT_S
from sfu.packet import rtp
from sfu.packet.rewrite import timestamp_ahead
from tests.sfu.media.conftest import DELTA, FRAME_S, KEY, Scene, film, rising

BIG = bytes(1100)


def bodies(packets):
    return [packet.payload for packet in packets]


class TestSwitch:
    def test_a_switch_shows_the_other_source_at_once_without_a_break(self, scene):
        host = scene.publish()
        guest = scene.publish("guest", ssrc=2000, start=30_000, bind=False)
        for n in range(60):
            host.send("v", KEY if n == 0 else DELTA)
            guest.send("v", KEY if n == 0 else DELTA)
            scene.pass_time(FRAME_S)
        scene.watch()
        scene.pass_time(0.02)
        scene.bind(0, "guest")
        scene.pass_time(0)
        got = rising(scene.got())
        assert len(got) == 120
        assert scene.asked("guest") == []

    @pytest.mark.parametrize("seconds", [0.0, 0.5, 5.0])
    def test_after_it_media_time_is_that_of_a_leg_that_joined_live(self, scene, seconds):
        """Time stands still for nobody: the newest packet is as late as it really is."""
        host = scene.publish()
        guest = scene.publish("guest", ssrc=2000, start=30_000, bind=False)
        scene.watch()
        host.key()
        before, at = scene.got()[-1], scene.now
        scene.pass_time(seconds)
        film(guest, 60)
        scene.bind(0, "guest")
        scene.pass_time(0.01)
        passed = timestamp_ahead(scene.got()[-1].timestamp, before.timestamp)
        assert passed == pytest.approx((scene.now - 0.01 - FRAME_S - at) * 90_000, abs=2)

    def test_a_suspended_viewer_comes_back_with_a_replay(self, scene):
        host = scene.publish()
        host.key()
        scene.watch()
        scene.pass_time(0)
        scene.engine.suspend("ann", now=scene.now)
        film(host, 30)
        scene.engine.resume("ann", now=scene.now)
        scene.pass_time(0.01)
        assert len(rising(scene.got())) == 31
        assert scene.asked() == []

    def test_a_viewer_that_leaves_in_the_middle_gets_nothing_more(self, scene):
        host = scene.publish()
        film(host, 60, size=1100)
        scene.watch()
        scene.pass_time(SLOT_S)
        count = len(scene.got())
        scene.close("ann")
        scene.pass_time(0.1)
        assert len(scene.got()) == count

    def test_a_switch_in_the_middle_of_a_replay_leaves_no_break(self, scene):
        host = scene.publish()
        guest = scene.publish("guest", ssrc=2000, bind=False)
        film(guest, 30)
        film(host, 60, size=1100)
        scene.watch()
        scene.pass_time(SLOT_S)
        scene.bind(0, "guest")
        scene.pass_time(0.5)
        got = rising(scene.got())
        assert bodies(got)[-30:] == [KEY + b"0"] + [DELTA + b"%d" % n for n in range(1, 30)]


class TestRepair:
    def test_a_replayed_packet_is_repaired_as_any_with_the_time_it_was_shown_at(self, scene):
        host = scene.publish()
        film(host, 60, size=1100)
        scene.watch()
        scene.pass_time(SLOT_S)
        early = scene.got()[3]
        scene.nack(early.sequence)
        scene.pass_time(1)
        late = scene.got()[40]
        scene.nack(late.sequence)
        repairs = scene.got(ssrc=50_001)
        assert [rtp.parse_rtx_payload(p.payload) for p in repairs] == [
            (early.sequence, early.payload),
            (late.sequence, late.payload),
        ]
        assert [p.timestamp for p in repairs] == [early.timestamp, late.timestamp]

    def test_a_hole_that_is_still_awaited_is_filled_in_its_place(self, scene):
        host = scene.publish()
        film(host, 20)
        lost = host.lose()
        film(host, 5, key=DELTA)
        scene.watch()
        scene.pass_time(0.01)
        assert len(scene.got()) == 25
        scene.receive("host", lost)
        got = sorted(scene.got(), key=lambda packet: packet.sequence)
        assert len(rising(got)) == 26
        assert scene.asked() == []
        assert scene.engine.session_stats("ann").legs[0].packets == 26

    def test_a_hole_ahead_of_the_replay_is_filled_in_its_turn(self, scene):
        host = scene.publish()
        film(host, 50, size=1100)
        lost = host.lose()
        film(host, 5, size=1100, key=DELTA)
        scene.watch()
        scene.pass_time(0.001)
        scene.receive("host", lost)
        scene.pass_time(0.5)
        assert len(rising(scene.got())) == 56

    def test_with_a_hole_for_good_there_is_a_picture_and_a_request(self, scene):
        host = scene.publish()
        film(host, 20)
        host.lose()
        film(host, 60, key=DELTA)
        scene.watch()
        scene.pass_time(0.01)
        assert len(scene.got()) == 80
        assert len(scene.asked()) == 1
        assert scene.engine.stats().replays.fallbacks == {"incomplete": 1}


viewers = st.lists(
    st.tuples(st.integers(1, 90), st.sampled_from([None, 0, 1, 5, 40])), min_size=1, max_size=4
)


@settings(max_examples=40, deadline=None)
@given(
    viewers=viewers,
    gop=st.integers(1, 80),
    packets=st.integers(1, 3),
    lost=st.dictionaries(st.integers(1, 200), st.sampled_from([0.0, 0.02, 0.2, 9.9]), max_size=8),
    start=st.integers(0, 65_535),
)
def test_whenever_one_joins_numbers_have_no_gap_and_time_only_goes_on(
    viewers, gop, packets, lost, start
):
    """`viewers`: frame at which each joins and after how many it is switched away and back."""
    scene = Scene()
    host = scene.publish(start=start)
    missing = []
    joined = {}
    for frame in range(100):
        for turn, (at, away) in enumerate(viewers):
            name = f"viewer-{turn}"
            if frame == at:
                scene.watch(name, ssrc=100_000 + 10 * turn, rtx=turn % 2 == 0)
                joined[name] = 100_000 + 10 * turn
            if away is not None and frame == at + 1 + away and away != 40:
                scene.engine.suspend(name, now=scene.now)
                scene.engine.resume(name, now=scene.now)
        for part in range(packets):
            body = KEY if frame % gop == 0 and part == 0 else DELTA
            body += b".%d.%d." % (frame, part) + BIG[:900]
            sequence = host.next["v"]
            data = host.packet("v", body, sequence=sequence & 0xFFFF, timestamp=frame * 3000)
            host.next["v"] += 1
            delay = lost.get(sequence - start)
            if delay is None:
                scene.receive("host", data)
            elif delay < 1:
                missing.append((scene.now + delay, data))
        scene.pass_time(FRAME_S)
        for due, data in [m for m in missing if m[0] <= scene.now]:
            missing.remove((due, data))
            scene.receive("host", data)
    scene.pass_time(1)
    for name, ssrc in joined.items():
        first = ssrc & 0x7FFF
        got = sorted(scene.got(name, ssrc), key=lambda packet: (packet.sequence - first) & 0x7FFF)
        numbers = [(packet.sequence - first) & 0x7FFF for packet in got]
        assert len(set(numbers)) == len(numbers)
        holes = set(range(len(numbers) and numbers[-1] + 1)) - set(numbers)
        assert len(holes) <= len(lost) * (1 + len(viewers))
        for before, after in pairwise(got):
            ahead = timestamp_ahead(after.timestamp, before.timestamp)
            assert ahead >= 0
            if before.payload.split(b".")[1] != after.payload.split(b".")[1]:
                assert ahead > 0
        assert scene.engine.session_stats(name).legs[0].packets == len(got)
    if not lost and gop * FRAME_S < GOP_S_MAX:
        assert scene.asked() == []
