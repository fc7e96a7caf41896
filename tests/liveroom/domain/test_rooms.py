"""The stage keeps its guests while hosts change; a report is the difference of two readings."""

from liveroom.domain.events import Slot, Standing
from liveroom.domain.ids import UserId
from liveroom.domain.rooms import Counters, report_of
from liveroom.domain.seats import Stage, host_left, seat_host

HOST, OTHER = UserId("h"), UserId("h2")
GUEST = Slot(slot=1, user=UserId("g"), name="g", live=True, role=Standing.GUEST)


def test_a_host_takes_slot_0_and_guests_stay() -> None:
    stage = seat_host(Stage(slots=(GUEST,)), user=HOST, name="H", session="s1")
    assert stage.slots == (Slot(slot=0, user=HOST, name="H", live=True), GUEST)
    taken = seat_host(stage, user=OTHER, name="O", session="s2")
    assert [slot.user for slot in taken.slots] == [OTHER, GUEST.user]


def test_a_host_who_leaves_leaves_a_slate() -> None:
    stage = seat_host(Stage(slots=(GUEST,)), user=HOST, name="H", session="s1")
    left = host_left(stage, session="s1")
    assert left is not None
    assert [slot.live for slot in left.slots] == [False, True]
    assert left.session is None


def test_the_end_of_a_session_that_was_taken_over_changes_nothing() -> None:
    stage = seat_host(Stage(), user=HOST, name="H", session="s2")
    assert host_left(stage, session="s1") is None


def test_a_report_counts_what_happened_between_two_readings() -> None:
    opening = Counters(
        gifts=1, gift_coins=10, orders=2, revenue=300, likes=4, followers=5, visits=6
    )
    closing = Counters(
        gifts=3, gift_coins=40, orders=7, revenue=900, likes=9, followers=4, visits=8
    )
    report = report_of(opening=opening, closing=closing, duration_ms=60_000)
    assert (report.gifts, report.gift_coins, report.orders, report.revenue) == (2, 30, 5, 600)
    assert (report.likes, report.new_followers, report.visits) == (5, -1, 2)
    assert report.duration_ms == 60_000
