"""PKs as a service: both agree, both rooms see both, support is counted, settled once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from liveroom.domain.actors import AgeBand
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.pk import INVITED_MS_MAX, SHOWN_MS
from liveroom.service.battling import COUNT_EVERY_MS
from liveroom.store import rooms
from tests.house import House, host, open_house, refusal, viewer

A, B = RoomId("r1"), RoomId("r2")


@dataclass
class Ring:
    """Two rooms on air."""

    house: House

    @property
    def battling(self) -> Any:
        return self.house.services.battling

    async def challenge(self, room: RoomId, other: RoomId, seconds: int | None = None) -> Any:
        return await self.battling.challenge(host(f"h-{room}", room), room, 1, other, seconds)

    async def begin(self, seconds: int = 60) -> None:
        await self.challenge(A, B, seconds)
        await self.challenge(B, A)

    async def pass_ms(self, ms: int) -> None:
        self.house.clock.pass_ms(ms)
        await self.battling.tick()
        await self.house.settle()

    async def like(self, room: RoomId, user: str, count: int) -> None:
        await self.house.services.talking.like(viewer(user, room), room, count)

    def rounds(self, room: RoomId) -> list[Any]:
        heard = [event for event in self.house.heard if event.room == room]
        return [event.fact for event in heard if event.fact.KIND == "round"]

    async def slots(self, room: RoomId) -> list[tuple[int, str, str]]:
        state = await self.house.store.run(lambda tx: rooms.state(tx, room))
        assert state is not None
        return [(slot.slot, slot.user, slot.role.value) for slot in state.stage.slots]


@pytest.fixture
async def ring(house: House) -> Ring:
    await house.make_room("r2")
    for room in (A, B):
        await house.services.rooms.host_live(room, UserId(f"h-{room}"), f"s-{room}")
    return Ring(house)


async def test_it_begins_when_both_hosts_agree_and_each_room_sees_both(ring: Ring) -> None:
    await ring.challenge(A, B, 60)
    assert ring.rounds(A) == []
    invites = {(e.room, e.fact.incoming) for e in ring.house.heard if e.fact.KIND == "pk_invite"}
    assert invites == {(A, False), (B, True)}
    await ring.challenge(B, A)
    await ring.house.settle()
    assert await ring.slots(A) == [(0, "h-r1", "host"), (1, "h-r2", "rival")]
    assert await ring.slots(B) == [(0, "h-r2", "host"), (1, "h-r1", "rival")]
    for room in (A, B):
        (begun,) = ring.rounds(room)
        assert (begun.type, begun.phase, begun.deadline - begun.started_at) == (
            "pk",
            "running",
            60_000,
        )
        entered = await ring.house.services.rooms.enter(viewer(room=room), room)
        assert [event.fact.phase for event in entered.snapshot.rounds] == ["running"]


async def test_people_and_their_likes_decide_and_it_is_settled_once(ring: Ring) -> None:
    await ring.begin()
    await ring.like(A, "ann", 100)
    await ring.like(A, "ann", 100)
    await ring.like(B, "ben", 50)
    await ring.like(B, "cat", 60)
    await ring.pass_ms(COUNT_EVERY_MS)
    scores = [e.fact for e in ring.house.heard if e.fact.KIND == "pk_score"][-1]
    assert [(s.room, s.score, s.supporters) for s in scores.sides] == [(A, 110, 1), (B, 130, 2)]
    await ring.pass_ms(60_000)
    await ring.pass_ms(1)
    for room in (A, B):
        ended = [fact for fact in ring.rounds(room) if fact.phase == "settled"]
        assert [fact.winner for fact in ended] == [B]
    await ring.like(A, "dan", 100)
    await ring.pass_ms(SHOWN_MS)
    assert await ring.slots(A) == [(0, "h-r1", "host")]
    assert await ring.slots(B) == [(0, "h-r2", "host")]
    await ring.begin()
    assert len(await ring.slots(A)) == 2, "and a new one may begin"


async def test_likes_of_the_last_moment_count(ring: Ring) -> None:
    await ring.begin()
    await ring.like(B, "ben", 3)
    await ring.pass_ms(60_000)
    assert ring.rounds(A)[-1].winner == B


async def test_a_gift_makes_one_a_supporter_but_its_price_does_not_count(ring: Ring) -> None:
    await ring.house.make_member("rich", coins=5_000)
    await ring.begin()
    giver = viewer("rich", A, age_band=AgeBand.ADULT)
    await ring.house.services.gifting.give(giver, A, "rocket", 9, "k")
    await ring.house.settle()
    for user in ("ann", "ben"):
        await ring.like(B, user, 1)
    await ring.pass_ms(60_000)
    last = ring.rounds(A)[-1]
    assert [(side.score, side.supporters) for side in last.sides] == [(10, 1), (22, 2)]
    assert last.winner == B


async def test_a_draw_has_no_winner(ring: Ring) -> None:
    await ring.begin()
    await ring.pass_ms(60_000)
    assert (ring.rounds(A)[-1].phase, ring.rounds(A)[-1].winner) == ("settled", None)


async def test_who_leaves_or_goes_home_has_lost(ring: Ring) -> None:
    await ring.begin()
    await ring.battling.leave(host("h-r1"), A)
    await ring.house.settle()
    assert ring.rounds(B)[-1].winner == B
    await ring.pass_ms(SHOWN_MS)
    await ring.begin()
    await ring.house.services.rooms.end(host("h-r2", B), B)
    await ring.pass_ms(COUNT_EVERY_MS)
    assert (ring.rounds(A)[-1].phase, ring.rounds(A)[-1].winner) == ("settled", A)


async def test_an_invitation_may_be_declined_withdrawn_or_time_out(ring: Ring) -> None:
    await ring.challenge(A, B)
    await ring.battling.leave(host("h-r2", B), B)
    await ring.challenge(A, B)
    await ring.battling.leave(host("h-r1"), A)
    await ring.challenge(A, B)
    await ring.pass_ms(INVITED_MS_MAX)
    phases = [e.fact.phase for e in ring.house.heard if e.fact.KIND == "pk_invite" and e.room == B]
    assert phases == ["invited", "void"] * 3
    assert ring.rounds(A) == []


async def test_what_cannot_be_is_refused_and_changes_nothing(ring: Ring) -> None:
    house, battling = ring.house, ring.battling
    await house.make_room("foreign", merchant="m2")
    await house.make_room("r3")
    ask = battling.challenge
    assert await refusal(ask(viewer(), A, 1, B, None)) == "forbidden"
    assert await refusal(ask(host("h-r1"), A, 1, RoomId("foreign"), None)) == "no_such_room"
    assert await refusal(ask(host("h-r1"), A, 1, RoomId("none"), None)) == "no_such_room"
    assert await refusal(ask(host("h-r1"), A, 1, RoomId("r3"), None)) == "not_live"
    assert await refusal(ask(host("h-r1"), A, 1, A, None)) == "invalid"
    assert await refusal(ask(host("h-r1"), A, 9, B, None)) == "no_such_slot"
    assert await refusal(ask(host("h-r1"), A, 1, B, 5)) == "invalid"
    await house.services.staging.place(host("h-r1"), A, 1, UserId("ann"))
    assert await refusal(ask(host("h-r1"), A, 1, B, None)) == "slot_taken"
    await house.services.staging.take_down(host("h-r1"), A, 1)
    await ring.challenge(A, B)
    await house.services.rooms.host_live(RoomId("r3"), UserId("h3"), "s3")
    third = host("h3", "r3")
    assert await refusal(ask(third, RoomId("r3"), 1, A, None)) == "in_pk"
    await house.services.staging.call(host("h-r2", B), B, UserId("cat"))
    assert await refusal(ring.challenge(B, A)) == "in_call"
    assert await ring.slots(A) == [(0, "h-r1", "host")]


async def test_a_restart_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    async with open_house(url) as first:
        await first.make_room("r1")
        await first.make_room("r2")
        for room in (A, B):
            await first.services.rooms.host_live(room, UserId(f"h-{room}"), f"s-{room}")
        ring = Ring(first)
        await ring.begin()
        await ring.like(B, "ben", 3)
        await ring.pass_ms(COUNT_EVERY_MS)
        clock = first.clock
    async with open_house(url, name="b", clock=clock) as second:
        ring = Ring(second)
        assert await ring.slots(A) == [(0, "h-r1", "host"), (1, "h-r2", "rival")]
        await ring.pass_ms(60_000)
        assert [(f.phase, f.winner) for f in ring.rounds(A)] == [("settled", B)]
