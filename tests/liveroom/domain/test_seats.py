"""The stage as a machine: whatever is asked of it in whatever order, nobody stands twice."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from liveroom.domain import seats
from liveroom.domain.events import Standing
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.refusals import Refused
from liveroom.domain.seats import CALL_INVITED_MS_MAX, QUEUE_MAX, SEATS_MAX, UNUSED_MS_MAX, Stage

HOST = UserId("host")
RIVAL_ROOM = RoomId("other")


def on_air(seats_: int = 4) -> Stage:
    return seats.seat_host(Stage(seats=seats_), user=HOST, name="Mia", session="s1")


def ask(stage: Stage, user: str, *, at: int = 0, first: bool = False) -> Stage:
    return seats.ask(stage, user=UserId(user), name=user, tier="basic", first=first, at=at)


def seat(stage: Stage, slot: int, user: str, *, at: int = 0) -> Stage:
    return seats.seat(stage, slot, user=UserId(user), name=user, at=at)


def refused(code: str, change: Any) -> None:
    with pytest.raises(Refused) as caught:
        change()
    assert caught.value.code == code


def users(stage: Stage) -> dict[int, str]:
    return {place.slot: place.user for place in stage.slots}


def test_a_guest_asks_is_accepted_and_stands_on_the_first_free_slot() -> None:
    stage = seats.accept(ask(on_air(), "ann"), UserId("ann"), at=5)
    assert users(stage) == {0: HOST, 1: "ann"}
    place = stage.of(UserId("ann"))
    assert place is not None
    assert (place.role, place.live, place.since, stage.queue) == (Standing.GUEST, False, 5, ())


def test_the_fifth_guest_of_four_seats_waits_and_moves_up_when_one_leaves() -> None:
    stage = on_air(4)
    for number in range(1, 6):
        stage = seats.accept(ask(stage, f"g{number}", at=number), UserId(f"g{number}"), at=number)
    assert users(stage) == {0: HOST, 1: "g1", 2: "g2", 3: "g3", 4: "g4"}
    assert [(a.user, a.accepted) for a in stage.queue] == [("g5", True)]
    stage = seats.leave(stage, UserId("g2"), at=9)
    assert users(stage) == {0: HOST, 1: "g1", 2: "g5", 3: "g3", 4: "g4"}
    assert stage.queue == ()


def test_the_line_is_by_acceptance_then_right_then_time() -> None:
    stage = on_air(0)
    for at, (user, first) in enumerate([("a", False), ("b", False), ("dia", True), ("c", False)]):
        stage = ask(stage, user, at=at, first=first)
    assert [a.user for a in stage.queue] == ["dia", "a", "b", "c"]
    stage = seats.accept(stage, UserId("c"), at=9)
    assert [a.user for a in stage.queue] == ["c", "dia", "a", "b"]
    assert stage.position(UserId("a")) == 3


def test_asking_again_changes_nothing_and_the_queue_has_a_bound() -> None:
    stage = ask(on_air(), "ann", at=1)
    assert ask(stage, "ann", at=2) is stage
    for number in range(QUEUE_MAX - 1):
        stage = ask(stage, f"u{number}")
    refused("queue_full", lambda: ask(stage, "late"))
    refused("on_stage", lambda: ask(seat(on_air(), 1, "ann"), "ann"))


def test_slots_that_are_taken_or_unknown_are_refused() -> None:
    stage = seat(on_air(2), 1, "ann")
    refused("slot_taken", lambda: seat(stage, 1, "ben"))
    for slot in (3, 9, -1):
        refused("no_such_slot", lambda slot=slot: seat(stage, slot, "ben"))
        refused("no_such_slot", lambda slot=slot: seats.take_down(stage, slot, at=0))
    refused("no_such_slot", lambda: seats.mute(stage, 2, audio=False, video=True))
    refused("not_asked", lambda: seats.accept(stage, UserId("ben"), at=0))
    refused("invalid", lambda: seat(stage, 2, HOST))
    refused("invalid", lambda: seats.take_down(stage, 0, at=0))


def test_the_host_and_a_guest_change_places_and_back() -> None:
    stage = seats.to_main(seat(on_air(), 2, "ann"), UserId("ann"))
    assert users(stage) == {0: "ann", 2: HOST}
    back = seats.seat_host(stage, user=HOST, name="Mia", session="s2")
    assert users(back) == {0: "ann", 2: HOST}, "a host who comes back stands where they stood"
    gone = seats.host_left(back, session="s2")
    assert gone is not None
    assert [place.live for place in gone.slots] == [False, False]
    assert users(seats.to_main(stage, HOST)) == {0: HOST, 2: "ann"}
    assert users(seats.take_down(stage, 0, at=0)) == {0: HOST}
    refused("no_seat", lambda: seats.to_main(stage, UserId("ben")))


def test_mutes_are_kept_through_a_change_of_places() -> None:
    stage = seats.mute(seat(on_air(), 1, "ann"), 1, audio=False, video=True)
    main = seats.to_main(stage, UserId("ann")).at(0)
    assert main is not None
    assert (main.user, main.audio, main.video) == ("ann", False, True)


def test_an_unused_seat_is_given_to_the_next() -> None:
    stage = ask(seat(on_air(1), 1, "ann", at=100), "ben", at=200)
    stage = seats.accept(stage, UserId("ben"), at=200)
    assert seats.expire(stage, at=99 + UNUSED_MS_MAX) == stage
    assert users(seats.expire(stage, at=100 + UNUSED_MS_MAX)) == {0: HOST, 1: "ben"}
    live = seats.guest_changed(stage, UserId("ann"), live=True, at=300)
    assert seats.expire(live, at=10**9) == live
    away = seats.guest_changed(live, UserId("ann"), live=False, at=400)
    assert users(seats.expire(away, at=400 + UNUSED_MS_MAX)) == {0: HOST, 1: "ben"}


def test_after_a_restart_seats_are_kept_and_calls_are_over() -> None:
    stage = seats.guest_changed(seat(on_air(), 1, "ann"), UserId("ann"), live=True, at=1)
    stage = seats.invite(stage, user=UserId("ann"), name="ann", at=1)
    stage = seats.interrupted(stage, at=50)
    assert stage.call is None
    assert [(p.user, p.live, p.since) for p in stage.slots[1:]] == [("ann", False, 50)]


def test_the_end_of_a_broadcast_keeps_only_the_number_of_seats() -> None:
    assert seats.closed(ask(seat(on_air(7), 1, "ann"), "ben")) == Stage(seats=7)


def test_fewer_seats_take_nobody_down_but_seat_nobody_new() -> None:
    stage = seats.resize(seat(seat(on_air(4), 1, "a"), 4, "d"), 1, at=0)
    assert users(stage) == {0: HOST, 1: "a", 4: "d"}
    assert seats.accept(ask(stage, "x"), UserId("x"), at=0).of(UserId("x")) is None
    assert users(seats.take_down(stage, 4, at=0)) == {0: HOST, 1: "a"}
    refused("invalid", lambda: seats.resize(stage, SEATS_MAX + 1, at=0))


def test_a_private_call_is_invited_answered_and_hung_up() -> None:
    ann = UserId("ann")
    stage = seats.invite(on_air(), user=ann, name="Ann", at=10)
    assert not stage.private
    assert not seats.may_publish(stage, ann)
    refused("in_call", lambda: seats.invite(stage, user=UserId("ben"), name="B", at=11))
    refused("no_call", lambda: seats.answer(stage, UserId("ben"), at=11))
    private = seats.answer(stage, ann, at=20)
    assert private.private
    assert seats.may_publish(private, ann)
    refused("no_call", lambda: seats.hang_up(private, UserId("ben")))
    for user in (ann, HOST):
        assert seats.hang_up(private, user).call is None
    assert seats.expire(stage, at=10 + CALL_INVITED_MS_MAX).call is None
    there = seats.guest_changed(private, ann, live=True, at=30)
    assert seats.expire(there, at=10**9).private
    gone = seats.guest_changed(there, ann, live=False, at=40)
    assert not seats.expire(gone, at=40 + UNUSED_MS_MAX).private


def test_who_is_away_or_in_a_pk_invites_nobody() -> None:
    refused("not_live", lambda: seats.invite(Stage(), user=UserId("a"), name="A", at=0))
    refused("invalid", lambda: seats.invite(on_air(), user=HOST, name="H", at=0))
    pk = seats.show_rival(on_air(), 1, room=RIVAL_ROOM, user=UserId("rival"), name="R")
    refused("in_pk", lambda: seats.invite(pk, user=UserId("a"), name="A", at=0))
    assert pk.of(UserId("rival")) is None, "a rival is not of this room"
    assert users(seats.drop_rival(pk, RIVAL_ROOM, at=0)) == {0: HOST}


NAMES = st.sampled_from([f"u{n}" for n in range(6)]).map(UserId)
SLOTS = st.integers(-1, SEATS_MAX + 1)


class StageMachine(RuleBasedStateMachine):
    """Anything may be asked; a refusal changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = on_air(3)
        self.at = 0

    def do(self, change: Any) -> None:
        self.at += 1_000
        before = self.stage
        try:
            self.stage = change(before)
        except Refused:
            assert self.stage is before

    @rule(user=NAMES, first=st.booleans())
    def ask(self, user: UserId, first: bool) -> None:
        self.do(lambda s: ask(s, user, at=self.at, first=first))

    @rule(user=NAMES)
    def accept(self, user: UserId) -> None:
        self.do(lambda s: seats.accept(s, user, at=self.at))

    @rule(user=NAMES)
    def leave(self, user: UserId) -> None:
        self.do(lambda s: seats.leave(s, user, at=self.at))

    @rule(user=NAMES, slot=SLOTS)
    def seat(self, user: UserId, slot: int) -> None:
        self.do(lambda s: seat(s, slot, user, at=self.at))

    @rule(user=st.one_of(NAMES, st.just(HOST)))
    def to_main(self, user: UserId) -> None:
        self.do(lambda s: seats.to_main(s, user))

    @rule(slot=SLOTS)
    def take_down(self, slot: int) -> None:
        self.do(lambda s: seats.take_down(s, slot, at=self.at))

    @rule(slot=SLOTS, audio=st.booleans(), video=st.booleans())
    def mute(self, slot: int, audio: bool, video: bool) -> None:
        self.do(lambda s: seats.mute(s, slot, audio=audio, video=video))

    @rule(count=st.integers(-1, SEATS_MAX + 1))
    def resize(self, count: int) -> None:
        self.do(lambda s: seats.resize(s, count, at=self.at))

    @rule(user=NAMES, live=st.booleans())
    def media(self, user: UserId, live: bool) -> None:
        self.do(lambda s: seats.guest_changed(s, user, live=live, at=self.at))

    @rule(back=st.booleans())
    def host(self, back: bool) -> None:
        if back:
            self.do(lambda s: seats.seat_host(s, user=HOST, name="Mia", session="s1"))
        else:
            self.do(lambda s: seats.host_left(s, session="s1") or s)

    @rule()
    def rival(self) -> None:
        self.do(lambda s: seats.show_rival(s, 1, room=RIVAL_ROOM, user=UserId("r"), name="R"))

    @rule()
    def no_rival(self) -> None:
        self.do(lambda s: seats.drop_rival(s, RIVAL_ROOM, at=self.at))

    @rule(user=NAMES)
    def invite(self, user: UserId) -> None:
        self.do(lambda s: seats.invite(s, user=user, name=user, at=self.at))

    @rule(user=NAMES)
    def answer(self, user: UserId) -> None:
        self.do(lambda s: seats.answer(s, user, at=self.at))

    @rule(user=st.one_of(NAMES, st.just(HOST)))
    def hang_up(self, user: UserId) -> None:
        self.do(lambda s: seats.hang_up(s, user))

    @rule(later=st.integers(0, 2 * UNUSED_MS_MAX))
    def expire(self, later: int) -> None:
        self.at += later
        self.do(lambda s: seats.expire(s, at=self.at))

    @invariant()
    def nobody_stands_twice(self) -> None:
        places = self.stage.slots
        assert len({place.slot for place in places}) == len(places)
        assert len({place.user for place in places}) == len(places)
        assert [place.slot for place in places] == sorted(place.slot for place in places)
        assert all(0 <= place.slot <= SEATS_MAX for place in places)

    @invariant()
    def the_main_place_is_never_empty(self) -> None:
        assert self.stage.at(0) is not None
        assert self.stage.host is not None

    @invariant()
    def nobody_waits_who_stands_and_nobody_accepted_waits_for_a_free_seat(self) -> None:
        waiting = {asked.user for asked in self.stage.queue}
        assert not waiting & {place.user for place in self.stage.slots}
        assert len(waiting) == len(self.stage.queue)
        taken = {place.slot for place in self.stage.slots}
        if any(asked.accepted for asked in self.stage.queue):
            assert set(range(1, self.stage.seats + 1)) <= taken

    @invariant()
    def only_guests_and_the_called_may_publish(self) -> None:
        stage = self.stage
        for number in range(6):
            user = UserId(f"u{number}")
            place = stage.of(user)
            called = stage.private and stage.call is not None and stage.call.user == user
            assert seats.may_publish(stage, user) == (place is not None or called)


StageMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestStage = StageMachine.TestCase


@given(st.lists(st.tuples(NAMES, st.booleans()), max_size=12))
def test_the_line_keeps_its_order_among_equals(asked: list[tuple[UserId, bool]]) -> None:
    stage = on_air(0)
    for at, (user, first) in enumerate(asked):
        stage = ask(stage, user, at=at, first=first)
    line = [(not a.first, a.at) for a in stage.queue]
    assert line == sorted(line)
    assert replace(stage, queue=()) == on_air(0)
