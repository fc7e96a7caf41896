"""A cap on each tip, one reminder a day by the shop's clock, and a pause after it."""

import pytest

from liveroom.domain.refusals import Refused
from liveroom.domain.tipping import (
    DAY_MS,
    HOUR_MS,
    Tipped,
    Tipping,
    check_tip,
    count_tip,
    product_of,
)

POLICY = Tipping(tip_max=100, remind_at=50, cooldown_ms=1_000, zone_ms=8 * HOUR_MS)
MIDNIGHT = 10 * DAY_MS - 8 * HOUR_MS
"""In the shop's zone."""


def test_the_reminder_comes_once_a_day_and_again_the_next() -> None:
    before, reminders = None, []
    for at, price in [(0, 30), (1, 19), (2, 1), (3, 90), (DAY_MS - 9 * HOUR_MS, 5)]:
        before, reminds = count_tip(price, before, POLICY, at=MIDNIGHT + at)
        reminders.append(reminds)
    assert reminders == [False, False, True, False, False]
    after, reminds = count_tip(50, before, POLICY, at=MIDNIGHT + DAY_MS)
    assert (reminds, after.coins) == (True, 50)


def test_a_single_tip_over_the_threshold_reminds_too() -> None:
    assert count_tip(50, None, POLICY, at=MIDNIGHT)[1]
    assert not count_tip(49, None, POLICY, at=MIDNIGHT)[1]


def test_the_day_is_the_shop_s() -> None:
    assert POLICY.day(MIDNIGHT) == POLICY.day(MIDNIGHT + DAY_MS - 1)
    assert POLICY.day(MIDNIGHT) == POLICY.day(MIDNIGHT - 1) + 1


def test_after_the_reminder_tips_pause() -> None:
    tipped, _ = count_tip(60, None, POLICY, at=MIDNIGHT)
    with pytest.raises(Refused, match="cooling_down") as refused:
        check_tip(1, tipped, POLICY, at=MIDNIGHT + 999)
    assert refused.value.retry_ms == 1
    check_tip(1, tipped, POLICY, at=MIDNIGHT + 1_000)


def test_a_tip_has_a_cap_and_both_can_be_off() -> None:
    check_tip(100, None, POLICY, at=0)
    with pytest.raises(Refused, match="tip_too_large"):
        check_tip(101, None, POLICY, at=0)
    free = Tipping(tip_max=0, remind_at=0, cooldown_ms=0)
    check_tip(10**9, Tipped(day=0, coins=10**9), free, at=0)
    assert not count_tip(10**9, None, free, at=0)[1]


@pytest.mark.parametrize("context", ["", "product:", "goods:1", "DRAW", "product"])
def test_other_contexts_are_refused(context: str) -> None:
    with pytest.raises(Refused, match="invalid"):
        product_of(context)
    assert (product_of("product:p1"), product_of("draw")) == ("p1", None)
