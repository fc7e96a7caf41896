"""Gifts have a price and bounds; a combo runs while the next one comes within three seconds."""

import pytest

from liveroom.domain.gifts import (
    CATALOGUE,
    COMBO_MAX,
    COMBO_WINDOW_MS,
    GIFT_COUNT_MAX,
    Combo,
    find_gift,
    next_combo,
    price_of,
)
from liveroom.domain.refusals import Refused


@pytest.mark.parametrize(("gift", "price"), [("rose", 1), ("rocket", 500)])
def test_the_gifts_of_the_contract_exist(gift: str, price: int) -> None:
    assert find_gift(gift).price == price


def test_every_gift_has_a_price_and_both_names() -> None:
    assert len({gift.id for gift in CATALOGUE}) == len(CATALOGUE) >= 8
    for gift in CATALOGUE:
        assert gift.price > 0
        assert gift.names.keys() == {"zh", "en"}


def test_an_unknown_gift_is_refused() -> None:
    with pytest.raises(Refused, match="no_such_gift"):
        find_gift("yacht")


def test_a_command_is_priced_as_a_whole() -> None:
    assert price_of(find_gift("rocket"), GIFT_COUNT_MAX) == 500 * GIFT_COUNT_MAX


@pytest.mark.parametrize("count", [0, -1, GIFT_COUNT_MAX + 1, 10**30, True, 1.0, float("nan"), "1"])
def test_a_count_is_a_bounded_integer(count: object) -> None:
    with pytest.raises(Refused, match="invalid"):
        price_of(find_gift("rose"), count)


def test_a_combo_runs_on_at_three_seconds_and_starts_anew_after() -> None:
    first = next_combo(None, count=2, at=10_000)
    assert first == Combo(count=2, at=10_000)
    second = next_combo(first, count=3, at=10_000 + COMBO_WINDOW_MS)
    assert second.count == 5
    assert next_combo(second, count=1, at=second.at + COMBO_WINDOW_MS + 1).count == 1


def test_a_combo_stops_counting_at_its_bound() -> None:
    assert next_combo(Combo(count=COMBO_MAX, at=0), count=1, at=1).count == COMBO_MAX
