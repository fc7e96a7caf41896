"""Holds, reversals, carries and the audit, at a store where several want the same at once."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, text, true, update

from liveroom.domain.ids import TenantId, UserId
from liveroom.domain.ledger import Bundle, HoldDraft, Line, Transfer, chart
from liveroom.domain.ledger.reversals import debt_of
from liveroom.domain.refusals import Refused
from liveroom.store import auditing, carries, holds, posting, reversing
from liveroom.store.database import open_store
from liveroom.store.port import Store, Transaction
from liveroom.store.tables import accounts, bundles, ledger_lines

TENANT, USER = TenantId("t1"), UserId("u1")
_ids = itertools.count(1)


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await open_store(url)
    yield opened
    await opened.close()


def coins(amount: int) -> Bundle:
    """Give coins to, or take them from, the user's wallet."""
    wallet = chart.wallet_of(USER)
    way = (chart.ISSUER, wallet) if amount > 0 else (wallet, chart.PLATFORM)
    transfer = Transfer(*way, abs(amount))
    return Bundle(id=f"b{next(_ids)}", cause="test", ref="k", transfers=(transfer,))


async def test_holds_taken_together_stand_or_fall_together(store: Store) -> None:
    await store.run(lambda tx: posting.post_bundle(tx, TENANT, coins(10), at=1))
    wallet = chart.wallet_of(USER)
    drafts = [
        HoldDraft(id=id, account=wallet, amount=6, expires_at=50, cause="c", ref="r")
        for id in ("h1", "h2")
    ]
    with pytest.raises(Refused, match="not_enough_coins"):
        await store.run(lambda tx: holds.reserve(tx, TENANT, drafts, at=1))
    assert await store.run(lambda tx: holds.find(tx, TENANT, "h1")) is None
    await store.run(lambda tx: holds.reserve(tx, TENANT, drafts[:1], at=1))
    changed = replace(drafts[0], amount=5)
    with pytest.raises(Refused, match="idempotency_mismatch"):
        await store.run(lambda tx: holds.reserve(tx, TENANT, [changed], at=1))
    with pytest.raises(Refused, match="not_found"):
        await store.run(lambda tx: holds.release(tx, TenantId("t2"), "h1", ref="r", at=2))
    assert await store.run(auditing.audit) == []


async def test_a_hold_that_many_want_to_end_ends_once(store: Store) -> None:
    await store.run(lambda tx: posting.post_bundle(tx, TENANT, coins(10), at=1))
    draft = HoldDraft(
        id="h", account=chart.wallet_of(USER), amount=6, expires_at=50, cause="c", ref="r"
    )
    await store.run(lambda tx: holds.reserve(tx, TENANT, [draft], at=1))
    to = [(chart.PLATFORM, 4)]
    ends = [
        lambda tx: holds.capture(tx, TENANT, "h", to, cause="c", ref="r", at=2),
        lambda tx: holds.release(tx, TENANT, "h", ref="r", at=2),
    ]
    results = await asyncio.gather(
        *(store.run(ends[number % 2]) for number in range(8)), return_exceptions=True
    )
    assert sum(isinstance(result, dict) for result in results) == 1
    codes = {result.code for result in results if isinstance(result, Refused)}
    assert codes == {"hold_ended"}
    assert await store.run(auditing.audit) == []


async def test_of_many_reversals_of_one_bundle_there_is_one(store: Store) -> None:
    given = coins(10)
    await store.run(lambda tx: posting.post_bundle(tx, TENANT, given, at=1))
    await store.run(lambda tx: posting.post_bundle(tx, TENANT, coins(-4), at=1))

    def reverse(tx: Transaction) -> dict[str, Line]:
        return reversing.reverse(
            tx, TENANT, given.id, cause="undo", ref="r", actor="m", reason="fraud", at=2,
            debtor=debt_of,
        )  # fmt: skip

    answers = await asyncio.gather(*(store.run(reverse) for _ in range(6)))
    wallet = chart.wallet_of(USER)
    amounts = [{id: line.amount for id, line in answer.items()} for answer in answers]
    assert amounts == [{chart.ISSUER.id: 10, wallet.id: -6, debt_of(wallet).id: -4}] * 6
    with pytest.raises(Refused, match="not_found"):
        await store.run(
            lambda tx: reversing.reverse(
                tx, TENANT, "none", cause="c", ref="r", actor="a", reason="r", at=2
            )
        )
    assert await store.run(auditing.audit) == []


@pytest.mark.parametrize(
    ("table", "changes", "fault"),
    [
        (bundles, {"reason": "another"}, "breaks its chain"),
        (bundles, {"at": 2}, "breaks its chain"),
        (ledger_lines, {"amount": 6, "balance": 6}, "does not follow"),
        (ledger_lines, {"hash": "0" * 64}, "breaks its chain"),
        (accounts, {"head": "0" * 64}, "another last hash"),
    ],
)
async def test_an_audit_finds_what_somebody_changed_behind_the_books(
    store: Store, table: Any, changes: dict[str, Any], fault: str
) -> None:
    for amount in (5, 3):
        await store.run(lambda tx, by=amount: posting.post_bundle(tx, TENANT, coins(by), at=1))

    def falsify(tx: Transaction) -> list[str]:
        guard = "ledger_lines_no_update" if table is ledger_lines else "bundles_no_update"
        if tx.dialect.name == "sqlite":
            tx.execute(text(f"DROP TRIGGER {guard}"))
        else:
            tx.execute(text(f"ALTER TABLE {table.name} DISABLE TRIGGER ALL"))
        first = select(func.min(ledger_lines.c.seq)).where(ledger_lines.c.version == 1)
        where = table.c.seq == first.scalar_subquery() if table is ledger_lines else true()
        tx.execute(update(table).where(where).values(**changes))
        return auditing.audit(tx)

    assert any(fault in found for found in await store.run(falsify))


async def test_a_carry_is_kept_and_begins_anew_with_other_weights(store: Store) -> None:
    def read(*weights: int) -> Any:
        return lambda tx: carries.read(tx, TENANT, "host:h", weights)

    assert await store.run(read(70, 30)) == (0, 0)
    await store.run(lambda tx: carries.write(tx, TENANT, "host:h", (70, 30), (-30, 30)))
    assert await store.run(read(70, 30)) == (-30, 30)
    assert await store.run(read(50, 50)) == (0, 0)
