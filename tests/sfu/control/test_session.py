"""The life of a session is the table, and the table is whole."""

import itertools

from sfu.control.session import HALF_OPEN, TABLE, Input, State


def test_every_open_state_can_end_and_none_comes_back() -> None:
    for state in State:
        if state is not State.CLOSED:
            assert TABLE[state, Input.END] is State.CLOSED
    assert not [pair for pair in TABLE if pair[0] is State.CLOSED]


def test_every_state_can_be_reached() -> None:
    reached = {State.NEW}
    for _ in State:
        reached |= {TABLE[pair] for pair in TABLE if pair[0] in reached}
    assert reached == set(State)


def test_nothing_is_sent_before_keys() -> None:
    """Only KEYED leads from the half-open states to CONNECTED."""
    for state, happened in itertools.product(HALF_OPEN, Input):
        if TABLE.get((state, happened)) is State.CONNECTED:
            assert happened is Input.KEYED


def test_silence_suspends_and_one_sign_resumes() -> None:
    assert TABLE[State.CONNECTED, Input.SILENT] is State.SUSPENDED
    assert TABLE[State.SUSPENDED, Input.SIGN] is State.CONNECTED
