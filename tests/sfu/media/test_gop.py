"""Which groups of pictures are replayed, and what becomes of viewers of those that are not."""

from itertools import pairwise

from sfu.media.gop import GOP_S_MAX
from sfu.media.history import HISTORY_BYTES_MAX
from sfu.packet import rtcp
from tests.sfu.media.conftest import DELTA, KEY, rising

BIG = bytes(1100)


class TestBounds:
    def fallback(self, scene):
        scene.watch()
        scene.pass_time(0.01)
        assert scene.got() == []
        assert len(scene.asked()) == 1
        (reason,) = scene.engine.stats().replays.fallbacks
        return reason

    def test_before_any_key_frame_one_is_asked_for(self, scene):
        scene.publish().send("v")
        assert self.fallback(scene) == "no_keyframe"

    def test_who_waits_for_the_first_packet_of_all_is_no_fallback(self, scene):
        host = scene.publish()
        scene.watch()
        assert len(scene.asked()) == 1
        host.key()
        assert len(scene.got()) == 1
        assert scene.engine.replay_stats().fallbacks == {}

    def test_a_group_that_is_too_long_is_not_shown(self, scene):
        host = scene.publish()
        host.key()
        scene.pass_time(GOP_S_MAX + 0.1)
        host.send("v")
        assert self.fallback(scene) == "too_long"

    def test_a_group_whose_media_time_is_too_long_is_not_shown(self, scene):
        host = scene.publish()
        host.key()
        host.send("v", timestamp=10 * 3000 + 13 * 90_000)
        assert self.fallback(scene) == "too_long"

    def test_a_group_that_is_too_large_is_not_shown(self, scene):
        host = scene.publish()
        host.key()
        for _ in range(HISTORY_BYTES_MAX // 1900 + 1):
            host.send("v", DELTA + bytes(1900), timestamp=30_000)
        assert self.fallback(scene) == "too_large"

    def test_a_new_numbering_is_a_new_beginning(self, scene):
        host = scene.publish()
        host.key()
        host.next["v"] = 20_000
        host.send("v")
        host.send("v")
        assert self.fallback(scene) == "no_keyframe"

    def test_fallbacks_are_still_one_request_a_second(self, scene):
        host = scene.publish()
        host.send("v")
        for n in range(50):
            scene.watch(f"viewer-{n}", ssrc=100_000 + 10 * n)
            scene.pass_time(0.05)
        times = [at for at, _ in scene.asked()]
        assert all(b - a >= 0.999 for a, b in pairwise(times))
        assert scene.engine.stats().replays.fallbacks == {"no_keyframe": 50}

    def test_a_source_faster_than_the_replay_ends_it_with_a_request(self, scene):
        """20 Mbit/s towards a viewer that may get 8: the history runs away under the replay."""
        host = scene.publish()

        def send(payload=DELTA + BIG):
            host.send("v", payload, timestamp=host.next["v"] * 36)

        send(KEY)
        scene.watch()
        scene.receive("ann", rtcp.write_remb(1, 100_000, [50_000]), is_rtcp=True)
        scene.engine.suspend("ann", now=scene.now)
        for _ in range(6000):
            send()
        scene.engine.resume("ann", now=scene.now)
        for _ in range(4000):
            send()
            scene.pass_time(0.0004)
        rising(scene.got())
        assert len(scene.asked()) == 1
        assert scene.engine.stats().replays.fallbacks == {"overtaken": 1}
        send(KEY + b"new")
        assert rising(scene.got())[-1].payload == KEY + b"new"
