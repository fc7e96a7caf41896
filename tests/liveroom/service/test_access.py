"""A token acts for one shop; what it does not say is the room's; shops never see each other."""

import pytest

from liveroom.domain.actors import ANY_ROOM, Actor, Role
from liveroom.domain.ids import DEFAULT_TENANT, RoomId, TenantId, UserId
from liveroom.service import access as access_module
from liveroom.service.access import MERCHANTS, Access, require
from liveroom.service.standing import Standing
from tests.house import ROOM, House, merchant_actor, refusal, viewer


@pytest.mark.parametrize(
    ("actor", "tenant"),
    [
        (viewer(room="r2"), "m2"),
        (viewer(), DEFAULT_TENANT),
        (viewer(room="r2", tenant=TenantId("m9")), "m9"),
        (Actor(user=UserId("u"), role=Role.VIEWER, room=ANY_ROOM), DEFAULT_TENANT),
        (merchant_actor(), DEFAULT_TENANT),
        (merchant_actor("m2"), "m2"),
        (Actor(user=UserId("root"), role=Role.ADMIN, room=RoomId("none")), DEFAULT_TENANT),
    ],
)
async def test_outside_a_room_a_token_means_its_shop(
    house: House, actor: Actor, tenant: str
) -> None:
    await house.make_room("r2", merchant="m2")
    assert await house.services.access.tenant(actor) == tenant


async def test_a_room_is_read_once_and_forgotten_over_the_bound(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_module, "DOORS_MAX", 2)
    for id in ("r2", "r3"):
        await house.make_room(id)
    access, reads = Access(house.store, Standing(house.store, house.clock)), 0
    run = house.store.run

    async def counted(command: object) -> object:
        nonlocal reads
        reads += 1
        return await run(command)

    house.store.run = counted
    for room in ("r1", "r1", "r2", "r1", "r3", "r1", "r2"):
        await access.door(RoomId(room))
    assert reads == 4


async def test_an_unknown_room_is_looked_for_each_time(house: House) -> None:
    later = RoomId("later")
    assert await refusal(house.services.access.door(later)) == "no_such_room"
    await house.make_room("later")
    assert (await house.services.access.door(later)).tenant == DEFAULT_TENANT


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_in_the_set_or_refused(role: Role) -> None:
    actor = Actor(user=UserId("u"), role=role, room=ROOM)
    if role in MERCHANTS:
        require(actor, MERCHANTS)
    else:
        with pytest.raises(Exception, match="forbidden"):
            require(actor, MERCHANTS)
