"""Many wishes, few requests."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sfu.media.keyframes import INTERVAL_S, KeyframeRequests


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
