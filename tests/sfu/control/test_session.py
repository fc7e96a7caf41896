"""The life of a session is the table, and the table is whole."""

import itertools

from sfu.control.session import HALF_OPEN, TABLE, Input, State, paddable_ssrcs
from sfu.media.model import Codec, Kind, LegSpec


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


def leg(number: int, **changes: object) -> LegSpec:
    video = Codec(Kind.VIDEO, "vp8", 90_000)
    specified = {"mid": "0", "kind": Kind.VIDEO, "slot": 0, "payload_types": {video: 96}}
    return LegSpec(ssrc=number, **(specified | changes))  # type: ignore[arg-type]


def test_only_a_leg_that_repairs_by_a_stream_of_its_own_may_be_padded() -> None:
    """A number sent again must be the very same bytes; padding depends on the neighbours."""
    repaired = leg(1, rtx_ssrc=2, rtx={96: 97})
    assert paddable_ssrcs([repaired]) == (b"\0\0\0\x01", b"\0\0\0\x02")
    assert paddable_ssrcs([leg(1)]) == ()
    assert paddable_ssrcs([leg(1, rtx_ssrc=2, rtx={100: 101})]) == ()
    other = Codec(Kind.VIDEO, "h264", 90_000)
    half = leg(1, rtx_ssrc=2, rtx={96: 97}, payload_types={**repaired.payload_types, other: 102})
    assert paddable_ssrcs([half]) == ()
