"""Any sequence of issuing, spending, holding, refunding, expiring and reversing keeps the books.

The invariants 1 to 9, 12 and 13 of the catalogue (C.6), against SQLite and PostgreSQL, with a
plain model beside them. LIVEROOM_TEST_ROUNDS makes the walk longer: 5,000 steps a round.
"""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle as Made,
)
from hypothesis.stateful import (
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from liveroom.domain.ids import TenantId, UserId
from liveroom.domain.ledger import (
    Account,
    Bundle,
    HoldDraft,
    Terms,
    Transfer,
    chart,
)
from liveroom.domain.ledger import (
    holds as hold_rules,
)
from liveroom.domain.ledger.reversals import debt_of
from liveroom.domain.refusals import Refused
from liveroom.store import auditing, holds, posting, reversing
from liveroom.store.database import open_store
from liveroom.store.lots import lots_of
from liveroom.store.port import Store, Transaction
from liveroom.store.tables import ledger_lines

ROUNDS = os.environ.get("LIVEROOM_TEST_ROUNDS")
EXAMPLES, STEPS = (50 * int(ROUNDS), 50) if ROUNDS else (4, 25)
CAP = 400
"""Units of the template that are ever issued."""
UNIT = "coupon/t1"
ISSUER = chart.issuer_of(UNIT, cap=CAP)
EXPIRED = chart.expired_of(UNIT)
REDEEMED = Account("shop", UNIT, "redeemed", floor=0)
REVOKED = Account("shop", UNIT, "revoked")
WALLETS = [chart.wallet_of(UserId(name), UNIT) for name in "abc"]
RESERVED = [hold_rules.reserved_of(wallet) for wallet in WALLETS]

Result = TypeVar("Result")
_tenants = itertools.count(1)
_ids = itertools.count(1)


@dataclass
class Opened:
    """A store that synchronous tests can use."""

    runner: asyncio.Runner
    store: Store

    def run(self, command: Callable[[Transaction], Result]) -> Result:
        return self.runner.run(self.store.run(command))


@pytest.fixture
def opened(url: str) -> Iterator[Opened]:
    with asyncio.Runner() as runner:
        store = runner.run(open_store(url))
        yield Opened(runner, store)
        runner.run(store.close())


@dataclass
class Lot:
    """A lot as the model knows it."""

    ends: int | None
    left: int


@dataclass
class Spent:
    """A purchase: what it took from which lots, and what of it was given back."""

    id: str
    account: Account
    amount: int
    back: int = 0
    reversed: bool = False
    taken: dict[str, int] = field(default_factory=dict)


class Ledger(RuleBasedStateMachine):
    """Drives the stored ledger of one fresh shop."""

    opened: Opened
    grants = Made("grants")
    spends = Made("spends")
    held = Made("held")

    @initialize()
    def begin(self) -> None:
        self.tenant = TenantId(f"t{next(_tenants)}-{id(self)}")
        self.now = 1_000
        self.issued = 0
        self.seen: dict[tuple[str, int], tuple[int, int]] = {}

    def tx(self, command: Callable[[Transaction], Result]) -> Result:
        return self.opened.run(command)

    def new_id(self) -> str:
        return f"b{next(_ids):09d}"

    def post(self, *transfers: Transfer, **fields: Any) -> str | None:
        """Post a bundle; None when it was refused, which must change nothing."""
        bundle = Bundle(id=self.new_id(), cause="c", ref="r", transfers=transfers, **fields)
        before = self.balances()
        code = self.refusal(lambda tx: posting.post_bundle(tx, self.tenant, bundle, at=self.now))
        assert code in (None, "used_up")
        if code is None:
            return bundle.id
        assert self.balances() == before
        return None

    def refusal(self, command: Callable[[Transaction], object]) -> str | None:
        try:
            self.tx(command)
        except Refused as refused:
            return refused.code
        return None

    def balances(self) -> dict[str, int]:
        accounts = [ISSUER, REDEEMED, *WALLETS, *RESERVED, *map(debt_of, WALLETS)]

        def read(tx: Transaction) -> dict[str, int]:
            return {one.id: posting.balance_of(tx, self.tenant, one).amount for one in accounts} | {
                one.id: self.total(tx, one) for one in (EXPIRED, REVOKED)
            }

        return self.tx(read)

    def total(self, tx: Transaction, account: Account) -> int:
        table = ledger_lines.c
        mine = (table.tenant == self.tenant, table.account == account.id)
        return sum(tx.execute(select(table.amount).where(*mine)).scalars())

    def lots(self, wallet: Account) -> dict[str, Lot]:
        found = self.tx(lambda tx: lots_of(tx, self.tenant, wallet))
        return {lot.id: Lot(lot.terms.expires_at, lot.left) for lot in found}

    def spendable(self, wallet: Account) -> int:
        return self.tx(lambda tx: posting.spendable_of(tx, self.tenant, wallet, at=self.now))

    @rule(
        target=grants,
        wallet=st.sampled_from(WALLETS),
        amount=st.integers(1, 60),
        lasts=st.none() | st.integers(1, 300),
    )
    def grant(self, wallet: Account, amount: int, lasts: int | None) -> tuple[str | None, Account]:
        ends = None if lasts is None else self.now + lasts
        id = self.post(Transfer(ISSUER, wallet, amount, Terms(expires_at=ends, funder="shop")))
        assert (id is None) == (self.issued + amount > CAP), "the cap is exact"
        self.issued += amount if id else 0
        return id, wallet

    @rule(target=spends, wallet=st.sampled_from(WALLETS), amount=st.integers(1, 40))
    def spend(self, wallet: Account, amount: int) -> Spent:
        can, before = self.spendable(wallet), self.lots(wallet)
        id = self.post(Transfer(wallet, REDEEMED, amount))
        assert (id is not None) == (amount <= can)
        if id is None:
            return Spent("", wallet, 0)
        after = self.lots(wallet)
        taken = {
            lot: was.left - (after[lot].left if lot in after else 0) for lot, was in before.items()
        }
        self.check_order(before, taken)
        return Spent(id, wallet, amount, taken={lot: by for lot, by in taken.items() if by})

    def check_order(self, before: dict[str, Lot], taken: dict[str, int]) -> None:
        """See that nothing ended was taken, and nothing that ends later before what ends sooner."""
        ending = {lot: was for lot, was in before.items() if was.ends is not None}
        for lot, was in ending.items():
            assert was.ends is not None
            if was.ends <= self.now:
                assert not taken[lot], "an expired lot was spent"
                continue
            sooner = [
                one for one, other in ending.items()
                if other.ends is not None and self.now < other.ends < was.ends
            ]  # fmt: skip
            if taken[lot]:
                assert all(taken[one] == before[one].left for one in sooner)

    @rule(spent=spends, part=st.integers(1, 40), grace_ms=st.sampled_from([0, 0, 100]))
    def refund(self, spent: Spent, part: int, grace_ms: int) -> None:
        part = min(part, spent.amount - spent.back)
        if part <= 0 or spent.reversed:
            return
        before = self.lots(spent.account)
        id = self.post(Transfer(REDEEMED, spent.account, part), returns=spent.id, grace_ms=grace_ms)
        assert id is not None
        spent.back += part
        for lot, now in self.lots(spent.account).items():
            gained = now.left - (before[lot].left if lot in before else 0)
            if gained and lot in spent.taken:
                spent.taken[lot] -= gained
                assert spent.taken[lot] >= 0, "more came back to a lot than was taken from it"
            elif gained:
                assert now.ends == self.now + grace_ms, "a refund lengthened an expiry"

    @rule(spent=spends, again=st.booleans())
    def reverse_spend(self, spent: Spent, again: bool) -> None:
        if not spent.amount or spent.back:
            return
        before = self.balances()
        self.reverse(spent.id)
        after = self.balances()
        if spent.reversed:
            assert after == before, "reversing twice is reversing once"
        else:
            assert after[spent.account.id] == before[spent.account.id] + spent.amount
            assert after[REDEEMED.id] == before[REDEEMED.id] - spent.amount
        spent.reversed = True
        if again:
            self.reverse(spent.id)
            assert self.balances() == after

    @rule(grant=consumes(grants))
    def reverse_grant(self, grant: tuple[str | None, Account]) -> None:
        id, wallet = grant
        if id is None:
            return
        before = self.balances()
        amount = self.amount_of(id, wallet)
        self.reverse(id)
        after = self.balances()
        assert after[ISSUER.id] == before[ISSUER.id] + amount
        owed = before[debt_of(wallet).id] - after[debt_of(wallet).id]
        assert before[wallet.id] - after[wallet.id] + owed == amount
        assert owed >= 0
        assert after[wallet.id] >= 0
        self.issued -= amount

    def amount_of(self, bundle: str, account: Account) -> int:
        table = ledger_lines.c
        mine = (table.tenant == self.tenant, table.bundle == bundle, table.account == account.id)
        return int(self.tx(lambda tx: tx.execute(select(table.amount).where(*mine)).scalar_one()))

    def reverse(self, id: str) -> None:
        self.tx(
            lambda tx: reversing.reverse(
                tx, self.tenant, id, cause="undo", ref="r", actor="m", reason="because",
                at=self.now, debtor=debt_of,
            )
        )  # fmt: skip

    @rule(
        target=held,
        wallet=st.sampled_from(WALLETS),
        amount=st.integers(1, 40),
        lasts=st.integers(1, 200),
    )
    def hold(self, wallet: Account, amount: int, lasts: int) -> HoldDraft | None:
        draft = HoldDraft(
            id=self.new_id(), account=wallet, amount=amount, expires_at=self.now + lasts,
            cause="hold", ref="r",
        )  # fmt: skip
        can = self.spendable(wallet)
        code = self.refusal(lambda tx: holds.reserve(tx, self.tenant, [draft], at=self.now))
        assert code == ("used_up" if amount > can else None)
        if code is not None:
            return None
        again = self.tx(lambda tx: holds.reserve(tx, self.tenant, [draft], at=self.now))
        assert again[0].draft == draft
        return draft

    @rule(draft=held, part=st.integers(1, 40), late=st.booleans())
    def capture(self, draft: HoldDraft | None, part: int, late: bool) -> None:
        if draft is None:
            return
        state = self.state(draft)
        at = draft.expires_at if late else self.now
        ends = state == "held" and at < draft.expires_at and part <= draft.amount
        before = self.balances()
        done = self.attempt(
            lambda tx: holds.capture(
                tx, self.tenant, draft.id, [(REDEEMED, part)], cause="c", ref="r", at=at
            )
        )
        assert done == ends
        after = self.balances()
        assert after[REDEEMED.id] - before[REDEEMED.id] == (part if ends else 0)

    @rule(draft=held)
    def release(self, draft: HoldDraft | None) -> None:
        if draft is None:
            return
        state, before = self.state(draft), self.balances()[draft.account.id]
        done = self.attempt(
            lambda tx: holds.release(tx, self.tenant, draft.id, ref="r", at=self.now)
        )
        assert done == (state == "held")
        assert self.balances()[draft.account.id] - before == (draft.amount if done else 0)

    def state(self, draft: HoldDraft) -> str:
        found = self.tx(lambda tx: holds.find(tx, self.tenant, draft.id))
        assert found is not None
        return str(found.state)

    def attempt(self, command: Callable[[Transaction], object]) -> bool:
        code = self.refusal(command)
        assert code in (None, "hold_ended", "invalid")
        return code is None

    @rule(ms=st.integers(1, 120))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule()
    def sweep(self) -> None:
        self.tx(lambda tx: holds.expire_due(tx, at=self.now))
        self.tx(lambda tx: reversing.expire_lots(tx, new_id=self.new_id, at=self.now))
        ends = [lot.ends for wallet in WALLETS for lot in self.lots(wallet).values()]
        assert all(end is None or end > self.now for end in ends)

    @rule(wallet=st.sampled_from(WALLETS), amount=st.integers(1, 10))
    def revoke(self, wallet: Account, amount: int) -> None:
        self.post(Transfer(wallet, REVOKED, amount))

    @rule(amount=st.sampled_from([0, -1, 2**63, 1.5, True, "3"]))
    def nonsense(self, amount: Any) -> None:
        before = self.balances()
        transfer = Transfer(ISSUER, WALLETS[0], amount)
        bundle = Bundle(id=self.new_id(), cause="c", ref="r", transfers=(transfer,))
        code = self.refusal(lambda tx: posting.post_bundle(tx, self.tenant, bundle, at=self.now))
        assert (code, self.balances()) == ("invalid", before)

    @invariant()
    def the_books_are_right(self) -> None:
        held = self.balances()
        assert sum(held.values()) == 0
        assert -held[ISSUER.id] == self.issued <= CAP, "issued = held + reserved + redeemed + …"
        for account in (REDEEMED, *WALLETS, *RESERVED):
            assert held[account.id] >= 0
        for wallet in WALLETS:
            assert held[debt_of(wallet).id] <= 0
        assert self.tx(lambda tx: auditing.audit(tx, self.tenant)) == []


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_whatever_happens_the_books_are_right(opened: Opened) -> None:
    machine = type("Ledger", (Ledger,), {"opened": opened})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
