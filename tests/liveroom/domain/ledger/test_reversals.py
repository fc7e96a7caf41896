"""Undoing restores every account, and names what somebody owes instead of hiding it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.ledger import Account, Transfer
from liveroom.domain.ledger.reversals import debt_of, undo
from liveroom.domain.refusals import Refused

GIVER = Account("user:u", "coins", "wallet", floor=0)
HOST = Account("host:h", "coins", "available", floor=0)
FEE = Account("platform", "coins", "fee")
GIFT = ((GIVER, -100), (HOST, 70), (FEE, 30))


def net(transfers: tuple[Transfer, ...]) -> dict[Account, int]:
    amounts: dict[Account, int] = {}
    for one in transfers:
        amounts[one.debit] = amounts.get(one.debit, 0) - one.amount
        amounts[one.credit] = amounts.get(one.credit, 0) + one.amount
    return amounts


def test_what_is_there_is_taken_back() -> None:
    undone = undo(GIFT, spendable={GIVER.id: 0, HOST.id: 70})
    assert net(undone) == {GIVER: 100, HOST: -70, FEE: -30}


def test_what_is_not_there_any_more_becomes_a_debt() -> None:
    undone = undo(GIFT, spendable={GIVER.id: 0, HOST.id: 20}, debtor=debt_of)
    assert net(undone) == {GIVER: 100, HOST: -20, FEE: -30, debt_of(HOST): -50}
    assert debt_of(HOST).floor is not None


def test_where_nobody_may_owe_it_is_refused() -> None:
    with pytest.raises(Refused, match="not_enough_coins"):
        undo(GIFT, spendable={GIVER.id: 0, HOST.id: 69})


def test_units_do_not_mix() -> None:
    points = Account("user:u", "points", "wallet", floor=0)
    issuer = Account("issuer", "points", "issued")
    undone = undo(
        (*GIFT, (points, 5), (issuer, -5)), spendable={GIVER.id: 0, HOST.id: 70, points.id: 5}
    )
    assert all(one.debit.unit == one.credit.unit for one in undone)
    assert net(undone)[issuer] == 5


@given(
    shares=st.lists(st.integers(1, 100), min_size=1, max_size=5),
    there=st.lists(st.integers(0, 120), min_size=5, max_size=5),
)
def test_undoing_is_the_exact_opposite_but_for_debts(shares: list[int], there: list[int]) -> None:
    hosts = [Account(f"host:{number}", "coins", "available", floor=0) for number in range(5)]
    touched = [(GIVER, -sum(shares)), *zip(hosts, shares, strict=False)]
    spendable = {GIVER.id: 0, **{h.id: held for h, held in zip(hosts, there, strict=True)}}
    amounts = net(undo(touched, spendable=spendable, debtor=debt_of))
    assert amounts[GIVER] == sum(shares)
    for host, share in zip(hosts, shares, strict=False):
        own, owed = amounts.get(host, 0), amounts.get(debt_of(host), 0)
        assert own + owed == -share
        assert spendable[host.id] + own >= 0
