"""Parcels follow orders, and a first purchase that does not leave raises one alert."""

from pathlib import Path
from typing import Any

import pytest

from liveroom.domain.ids import OrderId, TenantId, UserId
from liveroom.domain.parcels import SHIP_WITHIN_MS, Address, Parcel, ParcelState
from liveroom.service.parcelling import ParcelDraft, ShipmentNotice
from tests.house import House, host, merchant_actor, open_house, refusal, viewer

HOME = Address(name="李明", phone="13800000000", line="茶园路 1 号", city="杭州")


@pytest.fixture
async def house(tmp_path: Path) -> Any:
    async with open_house(f"sqlite:///{tmp_path}/store.db") as opened:
        await opened.make_room(host="h1")
        await opened.make_product()
        yield opened


async def parcels(house: House, **asked: Any) -> list[Parcel]:
    return await house.services.parcelling.listed(merchant_actor(), **asked)


def shipped(order: str, state: ParcelState = ParcelState.SHIPPED, **fields: Any) -> ShipmentNotice:
    return ShipmentNotice(tenant=TenantId("default"), order=OrderId(order), state=state, **fields)


async def test_a_live_order_opens_a_parcel_and_history_does_not(house: House) -> None:
    await house.order("old", "u1", room=None)
    await house.order("o1", "u1")
    (parcel,) = await parcels(house)
    assert (parcel.order, parcel.member, parcel.first) == ("o1", "u1", False)
    assert parcel.promised_at == house.clock.now + SHIP_WITHIN_MS


async def test_the_first_purchase_is_guarded_once(house: House) -> None:
    apologies: list[str | None] = []
    house.services.parcelling._apologise = (lambda _tx, _, one: apologies.append(one.order),)
    await house.order("first", "u1")
    await house.order("second", "u1")
    await house.order("sent", "u2")
    await house.services.parcelling.noticed(shipped("sent", tracking="T1"))
    house.clock.pass_ms(SHIP_WITHIN_MS - 1)
    assert await house.services.parcelling.guard() == 0
    house.clock.pass_ms(1)
    assert await house.services.parcelling.guard() == 1
    assert await house.services.parcelling.guard() == 0
    assert apologies == ["first"]
    late = await parcels(house, late=True)
    assert {parcel.order: parcel.alerted_at is not None for parcel in late} == {
        "first": True,
        "second": False,
    }


async def test_the_warehouse_may_say_things_twice_but_not_take_them_back(house: House) -> None:
    await house.order("o1", "u1")
    parcelling = house.services.parcelling
    assert await parcelling.noticed(shipped("o1", carrier="SF", tracking="T1")) == 1
    assert await parcelling.noticed(shipped("o1")) == 0
    assert (
        await refusal(parcelling.noticed(shipped("o1", ParcelState.WAITING))) == "parcel_elsewhere"
    )
    assert await refusal(parcelling.noticed(shipped("o9"))) == "no_such_order"
    (parcel,) = await parcels(house)
    assert (parcel.state, parcel.carrier, parcel.tracking) == (ParcelState.SHIPPED, "SF", "T1")


async def test_a_reward_goes_to_the_address_its_owner_gives_once(house: House) -> None:
    await house.make_member("u1")
    parcelling, draft = house.services.parcelling, ParcelDraft(member=UserId("u1"), title="茶杯")
    sent = await parcelling.send(merchant_actor(), draft, "k1")
    assert await parcelling.send(merchant_actor(), draft, "k1") == sent
    assert sent.address is None
    await parcelling.set_address(viewer(), HOME)
    assert [one.address for one in await parcelling.mine(viewer())] == [HOME]
    again = await parcelling.send(merchant_actor(), draft, "k2")
    assert again.address == HOME
    assert await parcelling.mine(viewer("u2")) == []


async def test_who_may_not_and_what_is_not_there(house: House) -> None:
    await house.make_member("u1")
    parcelling, draft = house.services.parcelling, ParcelDraft(member=UserId("u1"), title="t")
    for actor in (viewer(), host()):
        assert await refusal(parcelling.send(actor, draft, "k")) == "forbidden"
        assert await refusal(parcelling.listed(actor)) == "forbidden"
    other = merchant_actor("other")
    assert await refusal(parcelling.send(other, draft, "k")) == "no_such_user"
    sent = await parcelling.send(merchant_actor(), draft, "k")
    moving = parcelling.move(other, sent.id, ParcelState.LOST, carrier=None, tracking=None)
    assert await refusal(moving) == "no_such_parcel"
    assert await parcelling.listed(other) == []
    nobody = viewer(anonymous=True)
    assert await refusal(parcelling.mine(nobody)) == "anonymous"
    assert await refusal(parcelling.set_address(nobody, HOME)) == "anonymous"


async def test_a_refunded_order_stays_in_the_warehouse(house: House) -> None:
    await house.order("o1", "u1")
    await house.services.refunding.refund(
        merchant_actor(), OrderId("o1"), [], reason="", restock=True, key="r"
    )
    assert [parcel.state for parcel in await parcels(house)] == [ParcelState.CANCELLED]
