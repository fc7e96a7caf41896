"""The table of close codes: who may come back, when, and what fits into a close frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.refusals import REFUSALS
from liveroom.protocol.closing import (
    CLOSINGS,
    INTERNAL,
    REASON_BYTES_MAX,
    REFUSED_ENTRY,
    after_ms,
    closing_of,
    code_of,
    reason_of,
)

COME_BACK = {1011, 4000, 4001, 4002, 4003, 4008}
STAY_AWAY = {4100, 4101, 4102, 4103, 4104, 4105, 4106, 1009, 1002, 1007}


def test_the_contracts_codes_are_all_there_and_no_others() -> None:
    assert set(CLOSINGS) == COME_BACK | STAY_AWAY


@pytest.mark.parametrize("code", sorted(COME_BACK | STAY_AWAY))
def test_who_may_come_back_is_told_when_and_the_others_not(code: int) -> None:
    assert closing_of(code).may_return is (code in COME_BACK)
    assert (after_ms(code, chance=0.5) is not None) is (code in COME_BACK)
    assert closing_of(code).why.endswith(".")


@given(st.sampled_from(sorted(COME_BACK)), st.floats(0, 1, exclude_max=True))
def test_the_delay_stays_in_its_window(code: int, chance: float) -> None:
    window = closing_of(code).after_ms
    delay = after_ms(code, chance=chance)
    assert window is not None
    assert delay is not None
    assert window[0] <= delay <= window[1]


def test_an_unknown_code_counts_as_our_fault() -> None:
    assert closing_of(4999) is CLOSINGS[INTERNAL]


@given(st.text(max_size=300))
def test_a_reason_fits_a_close_frame(why: str) -> None:
    assert len(reason_of(why).encode()) <= REASON_BYTES_MAX


def test_refusals_of_an_entry_have_a_code() -> None:
    for code in ("no_token", "bad_token", "expired", "other_room", "no_such_room", "ended"):
        assert code in REFUSALS
        assert REFUSED_ENTRY[code] >= 4100
    assert code_of("never heard of") == INTERNAL
