"""However events come - twice, late, with holes - each is shown once, and in order."""

from hypothesis import given
from hypothesis import strategies as st

from liveroom.bus import order
from liveroom.bus.order import RoomOrder
from liveroom.domain.events import Event
from liveroom.domain.ids import RoomId
from tests.nodes import entered, numbered

ROOM = RoomId("r")


def numbers(events: list[Event]) -> list[int]:
    return [event.n for event in events if event.n is not None]


def row(first: int, last: int) -> list[Event]:
    return [numbered(ROOM, n) for n in range(first, last + 1)]


def placed(n: int) -> RoomOrder:
    made = RoomOrder()
    made.place(n)
    assert made.release() == []
    return made


def test_before_its_place_is_known_a_room_shows_nothing_and_forgets_nothing() -> None:
    waiting = RoomOrder()
    assert waiting.take(row(5, 7)) == []
    waiting.place(5)
    assert numbers(waiting.release()) == [6, 7]


def test_a_gap_holds_what_follows_until_it_is_filled() -> None:
    room = placed(0)
    assert numbers(room.take(row(1, 2))) == [1, 2]
    assert room.take(row(4, 5)) == []
    assert room.is_holding
    assert room.take(row(6, 6)) == []
    assert numbers(room.fill(row(3, 4))) == [3, 4]
    assert numbers(room.release()) == [5, 6]
    assert not room.is_holding


def test_a_gap_that_is_still_there_holds_again() -> None:
    room = placed(0)
    room.take(row(2, 2))
    room.take(row(5, 5))
    assert numbers(room.fill(row(1, 1))) == [1]
    assert numbers(room.release()) == [2]
    assert room.is_holding


def test_events_without_a_number_pass_in_their_place() -> None:
    room = placed(0)
    note = entered(ROOM, "a")
    assert room.take([*row(1, 1), note, *row(1, 2)]) == [*row(1, 1), note, *row(2, 2)]


def test_a_flood_behind_a_gap_is_let_go_and_read_again() -> None:
    room = placed(0)
    room.take(row(2, 2))
    for first in range(3, order.HELD_MAX + 3_000, 500):
        room.take(row(first, first + 499))
    last = 3 + order.HELD_MAX + 3_000
    shown = [*room.fill(row(1, 10)), *room.release()]
    while room.is_holding:
        assert room.reached is not None
        shown += [*room.fill(row(room.reached + 1, last)), *room.release()]
    assert numbers(shown) == list(range(1, len(shown) + 1))


@given(st.data())
def test_what_is_shown_goes_up_by_one_from_the_place(data: st.DataObject) -> None:
    committed = data.draw(st.integers(1, 40), label="committed")
    place = data.draw(st.integers(0, committed), label="place")
    room = placed(place)
    shown: list[int] = []
    for _ in range(data.draw(st.integers(0, 25), label="arrivals")):
        first = data.draw(st.integers(1, committed))
        last = data.draw(st.integers(first, committed))
        if data.draw(st.booleans(), label="lost line"):
            room.hold()
        shown += numbers(room.take(row(first, last)))
    assert room.reached is not None
    shown += numbers(room.fill(row(room.reached + 1, committed)))
    shown += numbers(room.release())
    assert shown == list(range(place + 1, committed + 1))
