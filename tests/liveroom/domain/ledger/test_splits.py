"""A split is exact, off by less than one, and over many small ones fair to everybody."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.ledger import split, split_fairly


@given(
    amount=st.integers(0, 10**12),
    weights=st.lists(st.integers(0, 1_000), min_size=1, max_size=6).filter(any),
)
def test_a_split_is_exact_and_off_by_less_than_one(amount: int, weights: list[int]) -> None:
    parts = split(amount, weights)
    assert sum(parts) == amount
    total = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        assert part >= 0
        assert abs(part - Fraction(amount * weight, total)) < 1


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        (100, (70, 30), (70, 30)),
        (1, (70, 30), (1, 0)),
        (3, (1, 1), (2, 1)),
        (5, (50, 50), (3, 2)),
        (0, (70, 30), (0, 0)),
    ],
)
def test_the_remainder_goes_to_the_largest_fraction(
    amount: int, weights: tuple[int, int], parts: tuple[int, int]
) -> None:
    assert split(amount, weights) == parts


@pytest.mark.parametrize(("amount", "weights"), [(-1, (1,)), (1, ()), (1, (0,)), (1, (2, -1))])
def test_a_split_without_sense_is_a_bug(amount: int, weights: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        split(amount, weights)


@given(
    amounts=st.lists(st.integers(0, 50), max_size=200),
    weights=st.lists(st.integers(0, 100), min_size=2, max_size=2).filter(any),
)
def test_between_two_nobody_is_ever_owed_a_whole_unit(
    amounts: list[int], weights: list[int]
) -> None:
    total, carry, given_so_far, amount_so_far = sum(weights), (0, 0), [0, 0], 0
    for amount in amounts:
        parts, carry = split_fairly(amount, weights, carry)
        assert sum(parts) == amount
        amount_so_far += amount
        for index, weight in enumerate(weights):
            assert abs(parts[index] - Fraction(amount * weight, total)) < 1
            given_so_far[index] += parts[index]
            owed = Fraction(amount_so_far * weight, total) - given_so_far[index]
            assert owed == Fraction(carry[index], total)
            assert abs(owed) < 1


@given(
    amounts=st.lists(st.integers(0, 50), max_size=100),
    weights=st.lists(st.integers(0, 100), min_size=3, max_size=5).filter(any),
)
def test_among_several_the_debt_of_rounding_stays_small(
    amounts: list[int], weights: list[int]
) -> None:
    total, carry = sum(weights), (0,) * len(weights)
    for amount in amounts:
        parts, carry = split_fairly(amount, weights, carry)
        assert (sum(parts), sum(carry)) == (amount, 0)
        assert max(map(abs, carry)) < (len(weights) - 1) * total


def test_a_coin_at_seventy_to_thirty_goes_to_both_in_the_long_run() -> None:
    totals, carry = [0, 0], (0, 0)
    for _ in range(1_000):
        parts, carry = split_fairly(1, (70, 30), carry)
        totals = [total + part for total, part in zip(totals, parts, strict=True)]
    assert totals == [700, 300]


@pytest.mark.parametrize("carry", [(0,), (1, 1)])
def test_a_carry_that_does_not_fit_is_a_bug(carry: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="sums to zero"):
        split_fairly(1, (1, 1), carry)
