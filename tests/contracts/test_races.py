"""Many want the same at once, each with an order of their own: exactly what there is is had.

LIVEROOM_TEST_ROUNDS makes it 200 clients on 100 units and coupons, five rounds a round.
"""

import asyncio
import itertools
import os

import pytest

from liveroom.domain.ids import TenantId, UserId
from liveroom.domain.ledger import Account, Bundle, HoldDraft, Transfer, chart
from liveroom.domain.orders import Flash
from liveroom.domain.refusals import Refused
from liveroom.store import auditing, holds, posting
from liveroom.store.database import open_store
from liveroom.store.port import Transaction
from tests.house import open_house

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3_600)]

LONG = os.environ.get("LIVEROOM_TEST_ROUNDS")
ROUNDS = 5 * int(LONG) if LONG else 1
CLIENTS, UNITS = (200, 100) if LONG else (40, 20)
AT_ONCE = 40
"""Requests in flight at a time, as a server's own bounds would have it."""


async def all_of(attempts: list[object]) -> list[object]:
    """Have everybody try, so many at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(attempt: object) -> object:
        async with gate:
            return await attempt  # type: ignore[misc]

    return await asyncio.gather(*(one(attempt) for attempt in attempts), return_exceptions=True)


def codes(results: list[object]) -> list[str]:
    return [result.code for result in results if isinstance(result, Refused)]


async def test_separate_orders_of_the_last_units(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        for number in range(ROUNDS):
            product = f"p{number}"
            await house.make_product(product, stock=UNITS)
            results = await all_of(
                [house.order(f"o{number}-{i}", f"u{i}", product=product) for i in range(CLIENTS)]
            )
            assert codes(results) == ["out_of_stock"] * (CLIENTS - UNITS), results
            assert await house.stock(product) == 0
        assert await house.store.run(auditing.audit) == []


async def test_checkouts_of_a_flash_sale_keep_stock_and_everybody_s_limit(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        sale = Flash(price=1, starts_at=0, ends_at=house.clock.now + 1, per_user=1)
        await house.make_product(stock=UNITS, flash=sale)
        users = [f"u{i % (CLIENTS // 2)}" for i in range(CLIENTS)]
        for user in set(users):
            await house.make_member(user)
        results = await all_of([house.check_out(user, key=f"k{i}") for i, user in enumerate(users)])
        assert set(codes(results)) <= {"limit_reached", "out_of_stock"}
        assert CLIENTS - len(codes(results)) == UNITS
        assert await house.stock() == 0
        house.clock.pass_ms(1)
        await house.make_member("late")
        assert await house.store.run(auditing.audit) == []


async def test_coupons_of_a_template_with_a_cap(url: str) -> None:
    tenant, ids = TenantId("t1"), itertools.count(1)
    store = await open_store(url)

    def claim_and_use(user: str, unit: str) -> object:
        wallet = chart.wallet_of(UserId(user), unit)
        transfer = Transfer(chart.issuer_of(unit, cap=UNITS), wallet, 1)
        bundle = Bundle(id=f"b{next(ids)}", cause="claimed", ref=user, transfers=(transfer,))
        draft = HoldDraft(
            id=f"{unit}/{user}", account=wallet, amount=1, expires_at=9, cause="c", ref=user
        )
        to = [(Account("shop", unit, "redeemed"), 1)]

        def command(tx: Transaction) -> object:
            posting.post_bundle(tx, tenant, bundle, at=1)
            holds.reserve(tx, tenant, [draft], at=1)
            return holds.capture(tx, tenant, draft.id, to, cause="redeemed", ref=user, at=2)

        return store.run(command)

    for number in range(ROUNDS):
        unit = f"coupon/t{number}"
        results = await all_of([claim_and_use(f"u{i}", unit) for i in range(CLIENTS)])
        assert codes(results) == ["used_up"] * (CLIENTS - UNITS), results
        redeemed = Account("shop", unit, "redeemed")
        used = await store.run(lambda tx, one=redeemed: posting.total_of(tx, tenant, one))
        assert used == UNITS
    assert await store.run(auditing.audit) == []
    await store.close()
