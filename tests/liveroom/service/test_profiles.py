"""Profiles come from memory while they are true, and nobody waits for a slow store."""

import asyncio

import pytest

from liveroom.domain.ids import DEFAULT_TENANT, RoomId, UserId
from liveroom.domain.refusals import Refused
from liveroom.domain.tiers import Tier
from liveroom.service import profiles as profiles_module
from liveroom.service.profiles import Profiles
from tests.house import ROOM, House, viewer

U1 = UserId("u1")


async def test_a_profile_is_read_once_until_truth_moves_on(house: House) -> None:
    await house.make_product()
    profiles = Profiles(house.store)
    first = await profiles.of(DEFAULT_TENANT, ROOM, U1)
    await house.order("o1", "u1")
    assert await profiles.of(DEFAULT_TENANT, ROOM, U1) is first
    profiles.forget(DEFAULT_TENANT, U1)
    assert (await profiles.of(DEFAULT_TENANT, ROOM, U1)).orders == 1


async def test_the_services_own_cache_follows_orders(house: House) -> None:
    await house.make_product()
    for spent, badge in ((1, None), (50_000, "silver")):
        await house.order(f"o{spent}", "u1", unit_price=spent)
        await house.services.talking.say(viewer(), ROOM, "hi", None)
        assert house.facts("danmaku")[-1].badge == badge


@pytest.mark.parametrize("failure", ["slow", "full"])
async def test_a_store_that_does_not_answer_makes_a_stranger(
    house: House, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.make_member("u1", name="小明")
    monkeypatch.setattr(profiles_module, "LOAD_S_MAX", 0.01)

    class Silent:
        async def run(self, _command: object) -> object:
            if failure == "full":
                raise Refused("unavailable")
            return await asyncio.Event().wait()

    profiles = Profiles(Silent())
    profile = await profiles.of(DEFAULT_TENANT, ROOM, U1)
    assert (profile.tier, profile.name, profile.returning) == (Tier.BASIC, "u***1", False)


async def test_the_cache_is_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles_module, "PROFILES_MAX", 2)
    profiles = Profiles(house.store)
    kept = [await profiles.of(DEFAULT_TENANT, ROOM, UserId(f"u{i}")) for i in range(3)]
    assert await profiles.of(DEFAULT_TENANT, ROOM, UserId("u2")) is kept[2]
    assert await profiles.of(DEFAULT_TENANT, ROOM, UserId("u0")) is not kept[0]
    assert (await profiles.of(DEFAULT_TENANT, RoomId("r9"), U1)).visits == 0
