"""Many wishes, few requests."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sfu.media.keyframes import INTERVAL_S, KeyframeRequests
from sfu.packet import rtcp


def test_the_first_wish_is_asked_at_once_and_then_once_a_second():
    requests = KeyframeRequests(can_ask=True)
    assert requests.due() is None
    requests.want()
    assert requests.take(now=5.0)
    assert not requests.take(now=5.9)
    assert requests.due() == 5.0 + INTERVAL_S
    assert requests.take(now=6.0)
    assert requests.asked == 2


def test_a_key_frame_grants_all_wishes():
    requests = KeyframeRequests(can_ask=True)
    requests.want()
    requests.take(now=5.0)
    requests.arrived(now=5.2)
    assert requests.due() is None
    assert not requests.take(now=10.0)


def test_a_wish_soon_after_a_request_waits_for_the_rest_of_the_second():
    requests = KeyframeRequests(can_ask=True)
    requests.want()
    requests.take(now=5.0)
    requests.arrived(now=5.2)
    requests.want()
    assert not requests.take(now=5.5)
    assert requests.take(now=6.0)


def test_without_agreed_feedback_nothing_is_ever_due():
    requests = KeyframeRequests(can_ask=False)
    requests.want()
    assert requests.due() is None
    assert not requests.take(now=5.0)


@given(st.lists(st.tuples(st.floats(0, 0.5), st.booleans(), st.booleans()), max_size=200))
def test_two_requests_are_never_closer_than_a_second(steps):
    requests = KeyframeRequests(can_ask=True)
    now, asked = 0.0, []
    for seconds, wish, arrived in steps:
        now += seconds
        if wish:
            requests.want()
        if arrived:
            requests.arrived(now=now)
        if requests.take(now=now):
            asked.append(now)
    for before, after in pairwise(asked):
        assert after - before >= INTERVAL_S - 1e-9


class TestScene:
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
