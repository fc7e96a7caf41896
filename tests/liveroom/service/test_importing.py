"""An import goes row by row, whole or not at all, on from where it was, and fires nothing."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from liveroom.domain.actors import AgeBand
from liveroom.domain.ids import OrderId, ProductId, UserId
from liveroom.domain.imports import Import, ImportKind, RowFault
from liveroom.domain.ledger import chart
from liveroom.domain.members import MemberDraft
from liveroom.domain.orders import OrderDraft, OrderLine
from liveroom.service.importing import ImportRow, PastOrder
from tests.house import MONDAY, ROOM, House, host, merchant_actor, open_house, refusal, viewer


@pytest.fixture
async def house(tmp_path: Path) -> Any:
    async with open_house(f"sqlite:///{tmp_path}/store.db") as opened:
        await opened.make_room(host="h1")
        await opened.make_product(stock=5)
        yield opened


def person(id: str, line: int = 2, **fields: Any) -> ImportRow:
    return ImportRow(line=line, content=MemberDraft(id=UserId(id), **fields))


def past(
    id: str, user: str = "u1", product: str = "p1", title: str | None = None, line: int = 2,
    **fields: Any,
) -> ImportRow:  # fmt: skip
    bought = {"quantity": 1, "unit_price": 60_000, **fields}
    lines = (OrderLine(product=ProductId(product), **bought),)
    draft = OrderDraft(id=OrderId(id), user=UserId(user), lines=lines, paid_at=MONDAY - 10**9)
    return ImportRow(line=line, content=PastOrder(draft=draft, titles=(title,), categories=(None,)))


async def begin(house: House, total: int, kind: ImportKind = ImportKind.MEMBERS) -> Import:
    return await house.services.importing.begin(merchant_actor(), "i1", kind, total)


async def add(house: House, first: int, *rows: ImportRow) -> Import:
    return await house.services.importing.add(merchant_actor(), "i1", first, rows)


async def test_rows_go_in_and_faulty_ones_are_told_by_line(house: House) -> None:
    await begin(house, 4)
    broken = RowFault(line=4, code="invalid", why="age_band: …")
    state = await add(
        house, 0,
        person("a", age_band=AgeBand.ADULT, coins=70),
        person("b", line=3, coins=-1),
        ImportRow(line=4, content=broken),
        person("a", line=5, coins=1),
    )  # fmt: skip
    assert (state.next, state.done, state.failed) == (4, 1, 3)
    _, faults = await house.services.importing.state(merchant_actor(), "i1")
    assert [(fault.line, fault.code) for fault in faults] == [
        (3, "invalid"), (4, "invalid"), (5, "exists"),
    ]  # fmt: skip
    assert await house.balance(chart.wallet_of(UserId("a"))) == 70
    assert await house.balance(chart.wallet_of(UserId("b"))) == 0


async def test_an_interrupted_import_goes_on_and_repeats_nothing(house: House) -> None:
    await begin(house, 3)
    await add(house, 0, person("a", coins=5), person("b", coins=5))
    assert (await begin(house, 3)).next == 2
    assert await refusal(add(house, 3, person("d"))) == "import_elsewhere"
    twins = [person("a", coins=5), person("b", coins=5), person("c", coins=5)]
    states = await asyncio.gather(*(add(house, 0, *twins) for _ in range(3)))
    assert {(state.next, state.done, state.failed) for state in states} == {(3, 3, 0)}
    for user in "abc":
        assert await house.balance(chart.wallet_of(UserId(user))) == 5
    assert await refusal(add(house, 3, person("e"))) == "invalid"


async def test_history_counts_and_fires_nothing(house: House) -> None:
    await begin(house, 3, ImportKind.ORDERS)
    state = await add(
        house, 0, past("o1"), past("o2", product="gone", title="旧款"), past("o3", product="gone")
    )
    assert (state.done, state.failed) == (2, 1)
    await house.settle()
    assert house.heard == []
    assert await house.stock() == 5
    assert await house.services.parcelling.listed(merchant_actor()) == []
    me = await house.services.members.me(viewer(), ROOM)
    assert (me.card.orders, me.card.tier) == (2, "silver")
    await house.services.refunding.refund(
        merchant_actor(), OrderId("o1"), [], reason="", restock=True, key="r"
    )
    assert await house.stock() == 5, "what never left the shelf does not come back to it"


async def test_an_order_is_there_once_and_not_with_other_content(house: House) -> None:
    await begin(house, 3, ImportKind.ORDERS)
    state = await add(house, 0, past("o1"), past("o1", line=3), past("o1", line=4, quantity=2))
    assert (state.done, state.failed) == (2, 1)
    me = await house.services.members.me(viewer(), ROOM)
    assert me.card.orders == 1


async def test_who_may_not_and_what_does_not_fit(house: House) -> None:
    importing = house.services.importing
    for actor in (viewer(), host()):
        assert await refusal(importing.begin(actor, "i", ImportKind.MEMBERS, 1)) == "forbidden"
    for total in (0, -1, 10**9, True, 1.0):
        assert await refusal(begin(house, total)) == "invalid"
    await begin(house, 2)
    assert await refusal(begin(house, 3)) == "exists"
    assert await refusal(begin(house, 2, ImportKind.ORDERS)) == "exists"
    other = merchant_actor("other")
    assert await refusal(importing.state(other, "i1")) == "no_such_import"
    assert await refusal(importing.add(other, "i1", 0, [person("a")])) == "no_such_import"
