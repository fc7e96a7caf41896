"""A PK as a machine: it begins when both agree, counts while it runs, is settled once."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain import pk as rules
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.pk import INVITED_MS_MAX, Phase, Pk, PkId, ScoreRule, Side, Support
from liveroom.domain.refusals import Refused

A, B = RoomId("a"), RoomId("b")
RULE = ScoreRule()


def side(room: RoomId, **support: int) -> Side:
    user = UserId(f"host-{room}")
    return Side(room=room, user=user, name=room, slot=1, support=Support(**support))


def invited(*, seconds: int = 300, at: int = 1_000) -> Pk:
    return rules.invite(PkId("p"), sides=(side(A), side(B)), seconds=seconds, at=at)


def running() -> Pk:
    return rules.accept(invited(), B, slot=1, at=2_000)


def refused(code: str, change: Any) -> None:
    with pytest.raises(Refused) as caught:
        change()
    assert caught.value.code == code


def test_it_begins_when_the_other_agrees_and_not_before() -> None:
    asked = invited()
    assert rules.accept(asked, A, slot=1, at=2_000) is asked, "who invited has agreed already"
    begun = rules.accept(asked, B, slot=3, at=2_000)
    assert (begun.phase, begun.at, begun.deadline) == (Phase.RUNNING, 2_000, 302_000)
    assert begun.side(A).slot == 3, "there the inviting host stands in the other room"
    refused("no_pk", lambda: rules.accept(begun, B, slot=1, at=3_000))
    refused("no_pk", lambda: rules.accept(asked, B, slot=1, at=asked.deadline))


def test_an_invitation_ends_by_time_or_by_either_side() -> None:
    asked = invited()
    assert rules.settle(asked, RULE, at=1_000 + INVITED_MS_MAX).phase is Phase.VOID
    assert rules.leave(asked, A, at=5_000).phase is Phase.VOID
    assert rules.leave(asked, B, at=5_000).phase is Phase.VOID


def test_who_gives_up_has_lost_whatever_the_score() -> None:
    ahead = rules.supported(running(), {A: Support(supporters=9)})
    assert rules.leave(ahead, A, at=5_000).winner == B


@pytest.mark.parametrize("seconds", [0, 9, 1_801])
def test_a_length_out_of_bounds_is_refused(seconds: int) -> None:
    refused("invalid", lambda: invited(seconds=seconds))


def test_no_room_has_a_pk_with_itself() -> None:
    refused(
        "invalid",
        lambda: rules.invite(PkId("p"), sides=(side(A), side(A)), seconds=60, at=0),
    )


def test_the_tie_rule_is_more_people_then_a_draw() -> None:
    few = side(A, supporters=1, likes=20)
    many = side(B, supporters=2, likes=10)
    assert rules.score(few.support, RULE) == rules.score(many.support, RULE)
    assert rules.winner_of((few, many), RULE) == B
    assert rules.winner_of((side(A), side(B)), RULE) is None


def test_coins_count_only_where_the_rule_says_so() -> None:
    rich = (side(A, coins=10_000), side(B, likes=1))
    assert rules.winner_of(rich, RULE) == B
    assert rules.winner_of(rich, replace(RULE, per_coin=1)) == A


SUPPORT = st.builds(
    Support,
    supporters=st.integers(0, 1_000),
    likes=st.integers(0, 100_000),
    coins=st.integers(0, 10**6),
)


@given(SUPPORT, SUPPORT)
def test_who_wins_does_not_depend_on_who_is_named_first(one: Support, two: Support) -> None:
    first, second = replace(side(A), support=one), replace(side(B), support=two)
    assert rules.winner_of((first, second), RULE) == rules.winner_of((second, first), RULE)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("support"), SUPPORT, SUPPORT),
            st.tuples(st.just("settle"), st.integers(0, 400_000), st.none()),
            st.tuples(st.just("leave"), st.sampled_from([A, B]), st.none()),
            st.tuples(st.just("accept"), st.sampled_from([A, B]), st.none()),
        ),
        max_size=12,
    )
)
def test_what_is_settled_stays_as_it_is(steps: list[tuple[str, Any, Any]]) -> None:
    pk, at, ended = invited(), 1_000, None
    for name, one, two in steps:
        at += 1
        match name:
            case "support":
                pk = rules.supported(pk, {A: one, B: two})
            case "settle":
                at += one
                pk = rules.settle(pk, RULE, at=at)
            case "leave":
                pk = rules.leave(pk, one, at=at)
            case _:
                with suppress(Refused):
                    pk = rules.accept(pk, one, slot=1, at=at)
        if ended is None and pk.phase in (Phase.SETTLED, Phase.VOID):
            ended = pk
        assert ended in (None, pk), "what has ended has changed"
        assert pk.winner in (None, A, B)
        assert pk.winner is None or pk.phase is Phase.SETTLED
