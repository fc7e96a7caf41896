"""Counters never drift: what was opened and closed leaves nothing behind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.config import MediaLimits
from sfu.control.admission import Admission
from sfu.control.refusals import Refused

NAMES = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.tuples(NAMES, NAMES, st.booleans()), max_size=30))
def test_after_all_sessions_closed_everybody_has_their_whole_limit(
    sessions: list[tuple[str, str, bool]],
) -> None:
    admission = Admission(MediaLimits(sessions=1_000))
    for user, origin, connects in sessions:
        admission.opened(user, origin)
        if connects:
            admission.connected(origin)
    for user, origin, connects in sessions:
        admission.closed(user, origin, half_open=not connects)
    strict = Admission(MediaLimits(sessions=1, half_open=1))
    strict.check("a", "a")
    for name in ("a", "b", "c"):
        admission.check(name, name)
    assert admission._total == admission._half_open_total == 0
    assert not admission._users
    assert not admission._origins
    assert not admission._half_open


def test_connecting_frees_the_half_open_bound_only() -> None:
    admission = Admission(MediaLimits(half_open_per_address=1, sessions_per_user=2))
    admission.opened("u", "o")
    with pytest.raises(Refused, match="rate"):
        admission.check("other", "o")
    admission.connected("o")
    admission.check("u", "o")
    admission.opened("u", "o")
    admission.connected("o")
    with pytest.raises(Refused, match="rate"):
        admission.check("u", "elsewhere")
