"""A stage with its guests, a private call and a PK come to the same on both stores."""

import asyncio

from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.pk import SHOWN_MS
from liveroom.service.battling import COUNT_EVERY_MS
from liveroom.store import rooms
from tests.house import ROOM, House, host, open_house, refusal, viewer

OTHER = RoomId("r2")


async def prepare(house: House) -> None:
    for room in (ROOM, OTHER):
        await house.make_room(room)
        await house.services.rooms.host_live(room, UserId(f"h-{room}"), f"s-{room}")


async def standing(house: House, room: RoomId) -> list[tuple[int, str]]:
    state = await house.store.run(lambda tx: rooms.state(tx, room))
    assert state is not None
    return [(slot.slot, slot.user) for slot in state.stage.slots]


async def test_one_seat_is_given_once_to_many_who_are_seated_at_once(url: str) -> None:
    async with open_house(url) as house:
        await prepare(house)
        place = house.services.staging.place
        asked = [place(host("h-r1"), ROOM, 1, UserId(f"u{number}")) for number in range(8)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        refused = [getattr(outcome, "code", None) for outcome in outcomes]
        assert sorted(refused, key=str) == sorted([None] + ["slot_taken"] * 7, key=str)
        assert len(await standing(house, ROOM)) == 2


async def test_a_pk_begins_counts_and_is_settled_once(url: str) -> None:
    async with open_house(url) as house:
        await prepare(house)
        services = house.services
        hosts = {room: host(f"h-{room}", room) for room in (ROOM, OTHER)}
        await services.battling.challenge(hosts[ROOM], ROOM, 1, OTHER, 60)
        both = [services.battling.challenge(hosts[OTHER], OTHER, 1, ROOM, None) for _ in range(2)]
        outcomes = await asyncio.gather(*both, return_exceptions=True)
        assert [getattr(outcome, "code", "begun") for outcome in outcomes].count("begun") >= 1
        assert await standing(house, ROOM) == [(0, "h-r1"), (1, "h-r2")]
        await services.talking.like(viewer("ann"), ROOM, 70)
        house.clock.pass_ms(COUNT_EVERY_MS)
        await services.battling.tick()
        await services.talking.like(viewer("ann"), ROOM, 70)
        await services.talking.like(viewer("ben", OTHER), OTHER, 5)
        house.clock.pass_ms(60_000)
        await asyncio.gather(services.battling.tick(), services.battling.tick())
        await house.settle()
        settled = [fact for fact in house.facts("round") if fact.phase == "settled"]
        assert [fact.winner for fact in settled] == [ROOM, ROOM], "once in each room"
        assert [side.score for side in settled[0].sides] == [110, 15]
        house.clock.pass_ms(SHOWN_MS)
        await services.battling.tick()
        assert await standing(house, ROOM) == [(0, "h-r1")]
        assert await refusal(services.battling.challenge(hosts[ROOM], ROOM, 1, ROOM, 60)) == (
            "invalid"
        )
