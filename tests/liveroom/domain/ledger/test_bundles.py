"""Bundles sum to zero, never overdraw, post once, and replay to the same balances."""

from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from liveroom.domain.ledger import (
    BALANCE_MAX,
    Account,
    Balance,
    Book,
    Bundle,
    Line,
    Transfer,
    account_of,
    check_sums,
    post,
)
from liveroom.domain.refusals import Refused

ISSUER = Account("issuer", "coins", "issued")
PLATFORM = Account("platform", "coins", "fee")
WALLETS = [Account(f"user:{name}", "coins", "wallet", floor=0) for name in "abc"]
POINTS = [Account("issuer", "points", "issued"), Account("user:a", "points", "wallet", floor=0)]


def bundle(*transfers: Transfer, id: str = "b1") -> Bundle:
    return Bundle(id=id, cause="test", ref="k", transfers=transfers)


class LedgerMachine(RuleBasedStateMachine):
    """Any sequence of bundles, half of them repeated, against one book."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.count = 0

    @rule(
        pairs=st.lists(
            st.tuples(
                st.sampled_from([ISSUER, PLATFORM, *WALLETS]),
                st.sampled_from([ISSUER, PLATFORM, *WALLETS]),
                st.integers(1, 1_000),
            ).filter(lambda pair: pair[0] != pair[1]),
            min_size=1,
            max_size=4,
        ),
        repeat=st.booleans(),
    )
    def post(self, pairs: list[tuple[Account, Account, int]], repeat: bool) -> None:
        self.count += 1
        made = bundle(*(Transfer(*pair) for pair in pairs), id=f"b{self.count}")
        before = (dict(self.book.balances), len(self.book.lines))
        try:
            lines = self.book.post(made)
        except Refused:
            assert (dict(self.book.balances), len(self.book.lines)) == before
            return
        if repeat:
            count = len(self.book.lines)
            assert self.book.post(made) == lines
            assert len(self.book.lines) == count

    @invariant()
    def sums_to_zero(self) -> None:
        assert sum(balance.amount for balance in self.book.balances.values()) == 0

    @invariant()
    def no_wallet_is_overdrawn(self) -> None:
        held = [self.book.balances.get(wallet.id, Balance()).amount for wallet in WALLETS]
        assert min(held) >= 0

    @invariant()
    def replay_gives_the_same_balances(self) -> None:
        again = Book()
        again.apply(self.book.lines)
        assert again.balances == self.book.balances


LedgerMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestLedger = LedgerMachine.TestCase


def test_a_gift_moves_coins_to_host_and_platform() -> None:
    host = Account("host:h", "coins", "earned")
    lines = post(
        {WALLETS[0].id: Balance(100, 1)},
        bundle(Transfer(WALLETS[0], host, 70), Transfer(WALLETS[0], PLATFORM, 30)),
        at=1,
    ).lines
    assert {line.account.id: (line.amount, line.balance) for line in lines} == {
        "user:a:coins:wallet": (-100, 0),
        "host:h:coins:earned": (70, 70),
        "platform:coins:fee": (30, 30),
    }


def test_a_bundle_that_one_account_cannot_bear_is_refused_whole() -> None:
    book = Book()
    book.post(bundle(Transfer(ISSUER, WALLETS[0], 10)))
    with pytest.raises(Refused, match="not_enough_coins"):
        book.post(
            bundle(Transfer(WALLETS[0], PLATFORM, 5), Transfer(WALLETS[1], PLATFORM, 1), id="b2")
        )
    held = book.balances[WALLETS[0].id]
    assert (held.amount, held.version) == (10, 1)


@pytest.mark.parametrize("amount", [0, -1, 2**63, True, 1.0, 1.5, "1", None, Fraction(3)])
def test_amounts_are_positive_integers(amount: object) -> None:
    with pytest.raises(Refused) as refused:
        post({}, bundle(Transfer(ISSUER, WALLETS[0], amount)), at=1)
    assert refused.value.code == "invalid"


def test_a_balance_never_passes_63_bits() -> None:
    with pytest.raises(Refused, match="invalid"):
        post(
            {WALLETS[0].id: Balance(BALANCE_MAX, 9)}, bundle(Transfer(ISSUER, WALLETS[0], 1)), at=1
        )


def test_a_transfer_moves_one_unit_between_two_accounts() -> None:
    with pytest.raises(ValueError, match="one unit"):
        post({}, bundle(Transfer(ISSUER, POINTS[1], 1)), at=1)
    with pytest.raises(ValueError, match="two accounts"):
        post({}, bundle(Transfer(ISSUER, ISSUER, 1)), at=1)


@pytest.mark.parametrize("count", [0, 101])
def test_a_bundle_has_a_bounded_number_of_transfers(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        post({}, bundle(*[Transfer(ISSUER, WALLETS[0], 1)] * count), at=1)


def test_what_is_short_names_its_unit() -> None:
    with pytest.raises(Refused, match="not_enough_points"):
        post({}, bundle(Transfer(POINTS[1], POINTS[0], 1)), at=1)
    shelf = Account("shop", "stock/p1", "shelf", floor=0)
    with pytest.raises(Refused, match="out_of_stock"):
        post({}, bundle(Transfer(shelf, Account("buyer", "stock/p1", "sold"), 1)), at=1)


def test_the_same_id_with_other_content_is_refused() -> None:
    book = Book()
    book.post(bundle(Transfer(ISSUER, WALLETS[0], 10)))
    with pytest.raises(Refused, match="idempotency_mismatch"):
        book.post(bundle(Transfer(ISSUER, WALLETS[0], 11)))


def test_a_journal_with_a_gap_or_a_wrong_sum_is_noticed() -> None:
    with pytest.raises(AssertionError, match="gap"):
        Book().apply([Line(ISSUER, 5, 5, 2)])
    with pytest.raises(AssertionError, match="wrong balance"):
        Book().apply([Line(ISSUER, 5, 6, 1)])
    with pytest.raises(AssertionError, match="sums to 5"):
        check_sums([Line(ISSUER, 5, 5, 1)])


def test_what_is_short_of_a_coupon_says_it_is_used_up() -> None:
    coupon = Account("user:a", "coupon/t1", "wallet", floor=0)
    with pytest.raises(Refused, match="used_up"):
        post({}, bundle(Transfer(coupon, Account("shop", "coupon/t1", "redeemed"), 1)), at=1)


@pytest.mark.parametrize(
    ("owner", "unit", "purpose"),
    [("user:a:coins", "coins", "wallet"), ("shop", "stock/a:b:shelf", "shelf")],
)
def test_an_account_is_read_back_from_its_name(owner: str, unit: str, purpose: str) -> None:
    account = Account(owner, unit, purpose, floor=0)
    assert account_of(account.id, unit, floor=0) == account


def test_a_chain_covers_everything_of_a_bundle_and_the_line_before() -> None:
    def head(before: str = "", at: int = 1, amount: int = 5, **changed: str) -> str:
        fields = {"id": "b", "cause": "c", "ref": "r", "actor": "a", "reason": "w", **changed}
        made = Bundle(**fields, transfers=(Transfer(ISSUER, WALLETS[0], amount),))
        (line,) = [
            line
            for line in post({WALLETS[0].id: Balance(0, 0, before)}, made, at=at).lines
            if line.account == WALLETS[0]
        ]
        return line.head

    changes = [{name: "x"} for name in ("id", "cause", "ref", "actor", "reason", "reverses")]
    heads = [head(), head("y"), head(at=2), head(amount=6), *(head(**one) for one in changes)]
    assert len(set(heads)) == len(heads)
    assert head() == heads[0]
