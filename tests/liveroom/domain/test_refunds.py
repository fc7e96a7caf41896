"""Refunds sum to exactly what was paid, whatever the parts; kept gifts are taken off."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.refunds import ATTEMPTS_MAX, RETRY_MS_MAX, Returned, SoldLine, refund, retry_at
from liveroom.domain.refusals import Refused

TEA = SoldLine(line=0, product="tea", quantity=3, paid=10_000, worth=3_500)
CUP = SoldLine(line=1, product="cup", quantity=3, paid=0, gift_of=0, worth=500)


def back(line: int, quantity: Any) -> Returned:
    return Returned(line=line, quantity=quantity)


def test_asking_for_nothing_returns_everything_that_is_left() -> None:
    first = refund([TEA, CUP], [back(0, 1), back(1, 1)])
    rest = refund(first.lines, [])
    assert rest.returned == (back(0, 2), back(1, 2))
    assert first.amount + rest.amount == 10_000
    with pytest.raises(Refused, match="nothing_to_refund"):
        refund(rest.lines, [])


@given(
    lines=st.lists(st.tuples(st.integers(1, 20), st.integers(0, 10**10)), min_size=1, max_size=4),
    chance=st.randoms(use_true_random=False),
)
def test_partial_refunds_sum_to_what_was_paid(lines: list[tuple[int, int]], chance: Any) -> None:
    now = tuple(
        SoldLine(line=number, product=f"p{number}", quantity=quantity, paid=paid)
        for number, (quantity, paid) in enumerate(lines)
    )
    paid, total = sum(line.paid for line in now), 0
    while open_lines := [line for line in now if line.back < line.quantity]:
        line = chance.choice(open_lines)
        done = refund(now, [back(line.line, chance.randint(1, line.quantity - line.back))])
        assert done.amount >= 0
        total, now = total + done.amount, done.lines
        assert total <= paid
    assert total == paid


def test_a_gift_that_is_kept_is_taken_off_and_given_back_when_it_comes_later() -> None:
    kept = refund([TEA, CUP], [back(0, 2)])
    assert kept.amount == 6_666 - 2 * 500
    assert kept.lines[1].docked == 2
    later = refund(kept.lines, [back(1, 2)])
    assert later.amount == 2 * 500
    rest = refund(later.lines, [])
    assert kept.amount + later.amount + rest.amount == 10_000


def test_no_refund_falls_below_zero() -> None:
    dear = replace(CUP, worth=9_000)
    kept = refund([TEA, dear], [back(0, 1)])
    assert (kept.amount, kept.lines[1].docked) == (3_333, 0)
    more = refund(kept.lines, [back(0, 2)])
    assert more.amount == 6_667
    assert more.lines[1].docked == 0


@pytest.mark.parametrize(
    "asked",
    [[back(7, 1)], [back(0, 4)], [back(0, 2), back(0, 2)], [back(0, 0)], [back(0, -1)],
     [back(0, True)], [back(0, 1.0)], [back(0, 10**30)]],
)  # fmt: skip
def test_what_was_not_bought_does_not_come_back(asked: list[Returned]) -> None:
    with pytest.raises(Refused, match="invalid"):
        refund([TEA, CUP], asked)


def test_pauses_between_tries_grow_up_to_an_hour() -> None:
    pauses = [retry_at(attempts, at=0) for attempts in range(ATTEMPTS_MAX + 5)]
    assert pauses == sorted(pauses)
    assert (pauses[1], pauses[-1]) == (4_000, RETRY_MS_MAX)
