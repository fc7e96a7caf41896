"""The conversation as a table, driven with virtual time."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from liveroom.protocol.codec import JSON
from liveroom.protocol.limits import Allowance, Rate, Rates
from liveroom.protocol.messages import Gift, Like, No, Pong, Say, Token
from liveroom.protocol.session import (
    _TABLE,
    HELLO_WITHIN_S,
    IN_FLIGHT_MAX,
    Action,
    Answer,
    Close,
    Enter,
    Ignored,
    Renew,
    Session,
    State,
    Submit,
)

HELLO = {"t": "hello", "token": "x", "room": "r"}
EVERYTHING = [
    HELLO,
    {"t": "say", "id": "c", "text": "hi"},
    {"t": "like", "n": 2},
    {"t": "gift", "id": "c", "gift": "rose"},
    {"t": "ask", "id": "c", "do": "x"},
    {"t": "token", "token": "y"},
    {"t": "ping"},
]


class Talk:
    """A session and its virtual clock."""

    def __init__(self, rates: Rates | None = None) -> None:
        self.now = 100.0
        self.session = Session(JSON, now=self.now)
        self.rates = rates or Rates()

    def receive(self, fields: Any) -> tuple[Action, ...]:
        return self.session.receive(json.dumps(fields), now=self.now, at=5)

    def enter(self, expires: float | None = None) -> "Talk":
        self.receive(HELLO)
        self.session.entered(Allowance(self.rates), expires=expires)
        return self


def refusal(actions: tuple[Action, ...]) -> No:
    (action,) = actions
    assert isinstance(action, Answer)
    assert isinstance(action.message, No)
    return action.message


def close_code(actions: tuple[Action, ...]) -> int:
    (action,) = actions
    assert isinstance(action, Close)
    return action.code


def test_every_state_but_closing_has_a_row_for_every_message() -> None:
    states = {state for state, _ in _TABLE}
    assert states == {State.WAITING, State.ENTERING, State.LIVE}
    assert len(_TABLE) == 3 * len(EVERYTHING)


def test_hello_asks_to_be_let_in() -> None:
    (action,) = Talk().receive(HELLO)
    assert isinstance(action, Enter)
    assert (action.hello.token, action.hello.room) == ("x", "r")


@pytest.mark.parametrize("first", [*EVERYTHING[1:], {"t": "fly"}, {"t": "fly", "id": "c"}])
def test_any_other_first_frame_closes(first: Any) -> None:
    assert close_code(Talk().receive(first)) == 4106


def test_no_hello_in_time_closes() -> None:
    talk = Talk()
    assert talk.session.deadline() == talk.now + HELLO_WITHIN_S
    assert talk.session.tick(now=talk.now + 4.99) == ()
    assert close_code(talk.session.tick(now=talk.now + 5)) == 4106
    assert talk.session.deadline() is None


def test_after_hello_there_is_no_deadline_until_the_token_has_one() -> None:
    talk = Talk()
    talk.receive(HELLO)
    assert talk.session.deadline() is None
    talk.session.entered(Allowance(Rates()), expires=160)
    assert talk.session.deadline() == 160


@pytest.mark.parametrize("early", EVERYTHING[1:6])
def test_a_command_before_welcome_is_refused(early: dict[str, Any]) -> None:
    talk = Talk()
    talk.receive(HELLO)
    no = refusal(talk.receive(early))
    assert no.code == "bad_request"
    assert no.id == early.get("id", UNSET)


def test_a_second_hello_closes() -> None:
    assert close_code(Talk().enter().receive(HELLO)) == 4106
    entering = Talk()
    entering.receive(HELLO)
    assert close_code(entering.receive(HELLO)) == 4106


def test_an_expired_token_closes_and_a_renewed_one_does_not() -> None:
    talk = Talk().enter(expires=160)
    assert talk.session.tick(now=159.9) == ()
    (action,) = talk.receive({"t": "token", "token": "y"})
    assert action == Renew(Token(token="y"))
    talk.session.renewed(expires=200)
    assert talk.session.tick(now=160) == ()
    assert close_code(talk.session.tick(now=200)) == 4101


def test_commands_are_submitted_and_texts_are_clean() -> None:
    talk = Talk().enter()
    assert talk.receive({"t": "say", "id": "c", "text": " a\u202eb "}) == (
        Submit(Say(id="c", text="ab")),
    )
    assert talk.receive({"t": "gift", "id": "c", "gift": "rose", "count": 2}) == (
        Submit(Gift(id="c", gift="rose", count=2)),
    )
    assert talk.receive({"t": "like", "n": 3}) == (Submit(Like(n=3)),)


@pytest.mark.parametrize(
    ("text", "code"), [("\u200b", "text_empty"), ("长" * 101, "text_too_long")]
)
def test_a_text_that_cannot_be_cleaned_is_refused(text: str, code: str) -> None:
    no = refusal(Talk().enter().receive({"t": "say", "id": "c", "text": text}))
    assert (no.id, no.code) == ("c", code)


def test_ping_is_answered_with_the_servers_time() -> None:
    assert Talk().enter().receive({"t": "ping"}) == (Answer(Pong(at=5)),)


def test_the_eleventh_text_at_once_is_refused_until_it_is_time() -> None:
    talk = Talk().enter()
    for _ in range(10):
        (action,) = talk.receive({"t": "say", "id": "c", "text": "x"})
        assert isinstance(action, Submit)
        talk.session.carried_out()
    no = refusal(talk.receive({"t": "say", "id": "c", "text": "x"}))
    assert (no.code, no.retry_ms) == ("rate", 500)
    talk.now += 0.5
    assert isinstance(talk.receive({"t": "say", "id": "c", "text": "x"})[0], Submit)


def test_likes_over_the_rate_count_in_part() -> None:
    talk = Talk().enter()
    assert talk.receive({"t": "like", "n": 40}) == (Submit(Like(n=40)),)
    talk.now += 0.25
    submitted, answer = talk.receive({"t": "like", "n": 20})
    assert submitted == Submit(Like(n=5))
    assert isinstance(answer, Answer)
    assert isinstance(answer.message, No)
    assert answer.message.id is UNSET


def test_too_many_commands_in_flight_are_refused_and_room_comes_back() -> None:
    talk = Talk(Rates(gift=Rate(1_000, 1_000))).enter()
    gift = {"t": "gift", "id": "c", "gift": "rose"}
    for _ in range(IN_FLIGHT_MAX):
        assert isinstance(talk.receive(gift)[0], Submit)
    assert refusal(talk.receive(gift)).code == "rate"
    talk.session.carried_out()
    assert isinstance(talk.receive(gift)[0], Submit)


def test_ten_times_over_for_ten_seconds_closes() -> None:
    talk = Talk().enter()
    actions: tuple[Action, ...] = ()
    for step in range(2_000):
        talk.now = 100 + step / 100
        actions = talk.receive({"t": "say", "id": "c", "text": "x"})
        if isinstance(actions[0], Close):
            break
        if isinstance(actions[0], Submit):
            talk.session.carried_out()
    assert close_code(actions) == 4008
    assert 110 <= talk.now < 112


def test_unknown_frames_without_id_are_ignored_but_not_without_end() -> None:
    talk = Talk().enter()
    assert talk.receive({"t": "fly"}) == (Ignored(),)
    for _ in range(30):
        last = talk.receive({"t": "fly"})
    assert refusal(last).code == "rate"


def test_nothing_is_answered_once_it_closes() -> None:
    talk = Talk().enter(expires=160)
    talk.session.closing()
    assert all(talk.receive(fields) == () for fields in EVERYTHING)
    assert talk.session.tick(now=1_000) == ()
    assert talk.session.deadline() is None


def test_garbage_closes_in_every_state() -> None:
    for talk in (Talk(), Talk().enter()):
        assert close_code(talk.session.receive("{", now=100, at=0)) == 4106
        assert talk.session.state is State.CLOSING


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
FRAMES = st.one_of(
    st.sampled_from(EVERYTHING).map(json.dumps),
    st.fixed_dictionaries(
        {"t": st.sampled_from(["hello", "say", "like", "gift", "ask", "token", "ping", "fly"])},
        optional=dict.fromkeys(("id", "n", "count", "gift", "text", "do", "with"), VALUES),
    ).map(json.dumps),
    st.text(max_size=20),
    st.binary(max_size=20),
)


@given(st.lists(st.tuples(FRAMES, st.floats(0, 3)), max_size=40))
def test_any_conversation_ends_in_documented_actions(frames: list[tuple[Any, float]]) -> None:
    session = Session(JSON, now=0)
    now = 0.0
    for data, pause in frames:
        now += pause
        was = session.state
        for action in (*session.receive(data, now=now, at=0), *session.tick(now=now)):
            assert was is not State.CLOSING, "nothing follows a close"
            match action:
                case Enter():
                    assert was is State.WAITING
                    session.entered(Allowance(Rates()), expires=now + 10)
                case Renew() | Ignored():
                    assert was in (State.LIVE, State.ENTERING)
                case Submit(command):
                    assert was is State.LIVE
                    if not isinstance(command, Like):
                        session.carried_out()
                case Answer(message):
                    assert isinstance(message, No | Pong)
                case Close(code):
                    assert code in (4008, 4101, 4106)
                    assert session.state is State.CLOSING
