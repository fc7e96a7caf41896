"""The stage as a service: who may what, what everybody is told, what the media is to show."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from liveroom.domain.actors import Actor, Role
from liveroom.domain.ids import DEFAULT_TENANT, RoomId, UserId
from liveroom.domain.members import MemberDraft
from liveroom.domain.seats import UNUSED_MS_MAX
from liveroom.service.directing import Directing, private_stage
from liveroom.store import rooms
from tests.house import ROOM, House, host, open_house, refusal, viewer
from tests.house import merchant_actor as merchant


@dataclass
class Shown:
    """A media core that notes what it is told."""

    slots: dict[tuple[str, int], tuple[tuple[str, str] | None, bool, bool]] = field(
        default_factory=dict
    )
    gathered: dict[str, frozenset[str]] = field(default_factory=dict)
    ended: list[tuple[str, str]] = field(default_factory=list)

    def show(
        self,
        room: str,
        slot: int,
        publisher: tuple[str, str] | None,
        *,
        audio: bool = True,
        video: bool = True,
    ) -> None:
        self.slots[room, slot] = (publisher, audio, video)

    def forget(self, room: str, slot: int) -> None:
        del self.slots[room, slot]

    def gather(self, room: str, users: frozenset[str], stage: str) -> None:
        assert stage == private_stage(RoomId(room))
        self.gathered[room] = users

    def dismiss(self, room: str) -> None:
        del self.gathered[room]

    def end_user(self, room: str, user: str, roles: Collection[str], reason: str) -> int:
        assert (list(roles), reason) == (["guest"], "taken_down")
        self.ended.append((room, user))
        return 1


@dataclass
class Studio:
    """A room on air and what is shown of it."""

    house: House
    shown: Shown
    directing: Directing

    @property
    def staging(self) -> Any:
        return self.house.services.staging

    async def seen(self) -> dict[tuple[str, int], Any]:
        """Return what the media core shows now."""
        await self.house.settle()
        await self.directing.follow(ROOM)
        return self.shown.slots

    def told(self, user: str, kind: str) -> list[Any]:
        """Return what one person was told."""
        events = [event for event in self.house.heard if event.to == user]
        return [event.fact for event in events if kind == event.fact.KIND]

    async def stage(self) -> Any:
        state = await self.house.store.run(lambda tx: rooms.state(tx, ROOM))
        assert state is not None
        return state.stage


@pytest.fixture
async def studio(house: House) -> Studio:
    await house.services.rooms.host_live(ROOM, UserId("h1"), "s1")
    shown = Shown()
    return Studio(house, shown, Directing(house.store, shown))


def moderator() -> Actor:
    return Actor(user=UserId("mod"), role=Role.MODERATOR, room=ROOM)


async def test_a_viewer_asks_is_seated_and_everybody_hears_of_it(studio: Studio) -> None:
    asked = await studio.staging.ask(viewer("ann", name="Ann"), ROOM)
    assert (asked.phase, asked.position) == ("asked", 1)
    (queue,) = studio.house.facts("mic_queue")
    assert [(a.user, a.name) for a in queue.asked] == [("ann", "Ann")]
    await studio.staging.accept(host(), ROOM, UserId("ann"))
    (seat,) = studio.told("ann", "seat")
    assert (seat.slot, seat.invited) == (1, False)
    assert await studio.seen() == {(ROOM, 1): ((ROOM, "ann"), True, True)}
    stage = studio.house.facts("stage")[-1]
    assert [(s.slot, s.user, s.role, s.live) for s in stage.slots] == [
        (0, "h1", "host", True),
        (1, "ann", "guest", False),
    ]
    await studio.staging.guest_changed(ROOM, UserId("ann"), live=True)
    await studio.house.settle()
    assert studio.house.facts("stage")[-1].slots[1].live


async def test_who_has_a_seat_may_publish_and_nobody_else(studio: Studio) -> None:
    assert not await studio.staging.may_publish(ROOM, UserId("ann"))
    await studio.staging.place(moderator(), ROOM, 3, UserId("ann"))
    assert await studio.staging.may_publish(ROOM, UserId("ann"))
    assert [seat.invited for seat in studio.told("ann", "seat")] == [True]
    await studio.seen()
    await studio.staging.take_down(host(), ROOM, 3)
    assert not await studio.staging.may_publish(ROOM, UserId("ann"))
    assert await studio.seen() == {}
    assert studio.shown.ended == [(ROOM, "ann")]
    assert [mic.phase for mic in studio.told("ann", "mic")] == ["down"]


async def test_the_next_in_line_moves_up_and_is_told(studio: Studio) -> None:
    await studio.staging.resize(host(), ROOM, 1)
    for user in ("ann", "ben"):
        await studio.staging.ask(viewer(user), ROOM)
        await studio.staging.accept(host(), ROOM, UserId(user))
    assert [mic.phase for mic in studio.told("ben", "mic")][-1] == "next"
    await studio.staging.leave(viewer("ann"), ROOM)
    assert [seat.slot for seat in studio.told("ben", "seat")] == [1]


async def test_a_diamond_member_waits_before_the_others(studio: Studio) -> None:
    await studio.house.make_product(price=600_000)
    await studio.house.order("o1", "dia", unit_price=600_000)
    await studio.staging.ask(viewer("ann"), ROOM)
    asked = await studio.staging.ask(viewer("dia"), ROOM)
    assert asked.position == 1
    assert studio.told("ann", "mic")[-1].position == 2


async def test_declining_takes_somebody_out_of_the_line(studio: Studio) -> None:
    await studio.staging.ask(viewer("ann"), ROOM)
    await studio.staging.decline(host(), ROOM, UserId("ann"))
    assert [mic.phase for mic in studio.told("ann", "mic")] == ["asked", "declined"]
    assert (await studio.stage()).queue == ()


async def test_a_mute_is_enforced_at_the_media_core(studio: Studio) -> None:
    await studio.staging.place(host(), ROOM, 1, UserId("ann"))
    await studio.staging.mute(host(), ROOM, 1, audio=True, video=False)
    assert (await studio.seen())[ROOM, 1] == ((ROOM, "ann"), False, True)
    await studio.staging.mute(host(), ROOM, 1, audio=False, video=False)
    assert (await studio.seen())[ROOM, 1] == ((ROOM, "ann"), True, True)


async def test_host_and_guest_change_places(studio: Studio) -> None:
    await studio.staging.place(host(), ROOM, 1, UserId("ann"))
    await studio.staging.place(host(), ROOM, 0, UserId("ann"))
    assert await studio.seen() == {
        (ROOM, 0): ((ROOM, "ann"), True, True),
        (ROOM, 1): ((ROOM, "h1"), True, True),
    }
    await studio.house.services.rooms.host_gone(ROOM, UserId("h1"), "s1")
    await studio.house.services.rooms.host_live(ROOM, UserId("h1"), "s2")
    assert (await studio.seen())[ROOM, 1] == ((ROOM, "h1"), True, True)
    await studio.staging.place(host(), ROOM, 0, UserId("h1"))
    assert await studio.seen() == {(ROOM, 1): ((ROOM, "ann"), True, True)}


@pytest.mark.parametrize(
    "actor", [viewer(), merchant(), Actor(user=UserId("g"), role=Role.GUEST, room=ROOM)]
)
async def test_only_hosts_and_moderators_direct(studio: Studio, actor: Actor) -> None:
    before = await studio.stage()
    staging, ann = studio.staging, UserId("ann")
    assert await refusal(staging.place(actor, ROOM, 1, ann)) == "forbidden"
    assert await refusal(staging.accept(actor, ROOM, ann)) == "forbidden"
    assert await refusal(staging.decline(actor, ROOM, ann)) == "forbidden"
    assert await refusal(staging.take_down(actor, ROOM, 1)) == "forbidden"
    assert await refusal(staging.resize(actor, ROOM, 1)) == "forbidden"
    assert await refusal(staging.call(actor, ROOM, ann)) == "forbidden"
    assert await refusal(staging.mute(actor, ROOM, 1, audio=True, video=True)) == "forbidden"
    assert await studio.stage() == before


async def test_what_cannot_be_is_refused_and_changes_nothing(studio: Studio) -> None:
    staging = studio.staging
    await staging.place(host(), ROOM, 1, UserId("ann"))
    before = await studio.stage()
    assert await refusal(staging.place(host(), ROOM, 1, UserId("ben"))) == "slot_taken"
    assert await refusal(staging.place(host(), ROOM, 9, UserId("ben"))) == "no_such_slot"
    assert await refusal(staging.place(host(), ROOM, 0, UserId("ben"))) == "no_seat"
    assert await refusal(staging.mute(host(), ROOM, 2, audio=True, video=True)) == "no_such_slot"
    assert await refusal(staging.accept(host(), ROOM, UserId("ben"))) == "not_asked"
    assert await refusal(staging.ask(viewer("ann"), ROOM)) == "on_stage"
    assert await refusal(staging.ask(viewer("x", anonymous=True), ROOM)) == "anonymous"
    assert await refusal(staging.answer_call(viewer("ben"), ROOM)) == "no_call"
    other = host(room="r2")
    assert await refusal(staging.take_down(other, ROOM, 1)) == "other_room"
    foreign = host(tenant="m9")
    assert await refusal(staging.take_down(foreign, ROOM, 1)) == "no_such_room"
    assert await studio.stage() == before


async def test_nobody_asks_for_the_mic_where_nobody_is_live(house: House) -> None:
    assert await refusal(house.services.staging.ask(viewer(), ROOM)) == "not_live"


async def test_a_private_call_is_seen_by_two_and_then_by_all_again(studio: Studio) -> None:
    staging, private = studio.staging, private_stage(ROOM)
    await staging.place(host(), ROOM, 1, UserId("ben"))
    await staging.call(host(), ROOM, UserId("ann"))
    assert [call.phase for call in studio.told("ann", "call")] == ["invited"]
    assert await refusal(staging.answer_call(viewer("ben"), ROOM)) == "no_call"
    await staging.answer_call(viewer("ann"), ROOM)
    assert await studio.seen() == {
        (ROOM, 0): (None, True, True),
        (ROOM, 1): (None, True, True),
        (private, 0): ((ROOM, "h1"), True, True),
        (private, 1): ((ROOM, "ann"), True, True),
    }
    assert studio.shown.gathered == {ROOM: {"h1", "ann"}}
    assert studio.house.facts("stage")[-1].private
    entered = await studio.house.services.rooms.enter(viewer("late"), ROOM)
    assert entered.snapshot.private
    await staging.hang_up(viewer("ann"), ROOM)
    assert await studio.seen() == {(ROOM, 1): ((ROOM, "ben"), True, True)}
    assert studio.shown.gathered == {}
    assert studio.shown.ended == [(ROOM, "ann")]
    assert [call.phase for call in studio.told("h1", "call")] == ["invited", "active", "ended"]


async def test_a_host_who_drops_out_of_a_call_comes_back_into_it(studio: Studio) -> None:
    """Not into the public room: they may not know that everybody would see them."""
    await studio.staging.call(host(), ROOM, UserId("ann"))
    await studio.staging.answer_call(viewer("ann"), ROOM)
    await studio.house.services.rooms.host_gone(ROOM, UserId("h1"), "s1")
    await studio.house.services.rooms.host_live(ROOM, UserId("h1"), "s2")
    assert (await studio.seen())[ROOM, 0] == (None, True, True)
    assert studio.house.facts("stage")[-1].private


async def test_who_comes_in_is_told_what_is_current_for_them(studio: Studio) -> None:
    async def cues(actor: Actor) -> list[Any]:
        entry = await studio.house.services.rooms.enter(actor, ROOM)
        return [event.fact for event in entry.snapshot.cues]

    await studio.staging.place(host(), ROOM, 1, UserId("ann"))
    await studio.staging.ask(viewer("ben"), ROOM)
    await studio.staging.call(host(), ROOM, UserId("cat"))
    (queue, call) = await cues(host())
    assert [a.user for a in queue.asked] == ["ben"]
    assert (call.phase, call.user) == ("invited", "cat")
    assert [(seat.KIND, seat.slot) for seat in await cues(viewer("ann"))] == [("seat", 1)]
    assert [(mic.phase, mic.position) for mic in await cues(viewer("ben"))] == [("asked", 1)]
    assert [(c.KIND, c.phase, c.user) for c in await cues(viewer("cat"))] == [
        ("call", "invited", "h1")
    ]
    assert await cues(viewer("dan")) == []


async def test_a_seat_that_nobody_uses_is_freed_by_time(studio: Studio) -> None:
    await studio.staging.place(host(), ROOM, 1, UserId("ann"))
    await studio.staging.tick()
    assert (await studio.stage()).at(1) is not None
    studio.house.clock.pass_ms(UNUSED_MS_MAX)
    await studio.staging.tick()
    assert (await studio.stage()).at(1) is None


async def test_the_end_of_a_broadcast_clears_the_stage_and_cuts_guests(studio: Studio) -> None:
    await studio.staging.place(host(), ROOM, 1, UserId("ann"))
    await studio.seen()
    await studio.house.services.rooms.end(host(), ROOM)
    assert await studio.seen() == {}
    assert studio.shown.ended == [(ROOM, "ann")]


async def test_after_a_restart_seats_are_shown_again_and_calls_are_over(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    async with open_house(url) as first:
        await first.make_room()
        await first.services.rooms.host_live(ROOM, UserId("h1"), "s1")
        await first.services.staging.place(host(), ROOM, 2, UserId("ann"))
        await first.services.staging.mute(host(), ROOM, 2, audio=True, video=False)
        await first.services.staging.ask(viewer("ben"), ROOM)
        await first.services.staging.call(host(), ROOM, UserId("ann"))
        await first.services.staging.answer_call(viewer("ann"), ROOM)
    async with open_house(url, name="b") as second:
        shown = Shown()
        await Directing(second.store, shown).start()
        assert shown.slots == {(ROOM, 2): ((ROOM, "ann"), False, True)}
        assert await second.services.staging.may_publish(ROOM, UserId("ann"))
        entry = await second.services.rooms.enter(viewer("ben"), ROOM)
        assert [event.fact.KIND for event in entry.snapshot.cues] == ["mic"]
        assert not entry.snapshot.private


async def test_who_speaks_is_told_to_the_room(studio: Studio) -> None:
    await studio.staging.speaking(ROOM, UserId("ann"))
    await studio.staging.speaking(ROOM, None)
    assert [fact.user for fact in studio.house.facts("speaker")] == ["ann", None]


async def test_a_member_is_seated_under_their_nickname(studio: Studio) -> None:
    draft = MemberDraft(id=UserId("ann"), name="陈默")
    await studio.house.services.members.import_one(merchant(), draft, "import")
    stage = await studio.staging.place(host(), ROOM, 1, UserId("ann"))
    assert stage.at(1).name == "陈默"
    assert DEFAULT_TENANT == "default"
