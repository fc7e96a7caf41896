"""The stage: who asks for the mic, who gets it, who is seen where (连麦, 转1v1).

In: commands of viewers and hosts, news of the media core. Each command is one transaction on
the room's stage with its `stage` event, which the media core follows; cues to the host and to
those concerned come after the commit.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from liveroom.bus.port import Publication
from liveroom.domain import seats
from liveroom.domain.actors import Actor, Role
from liveroom.domain.events import (
    CallChanged,
    Event,
    Fact,
    MicChanged,
    QueueChanged,
    Seated,
    Slot,
    SpeakerChanged,
    StageChanged,
    Standing,
)
from liveroom.domain.ids import EventId, RoomId, TenantId, UserId
from liveroom.domain.refusals import Refused
from liveroom.domain.rooms import Phase
from liveroom.domain.seats import Stage
from liveroom.service.access import Access, require, require_name
from liveroom.service.ports import GuestPass, Ports
from liveroom.service.profiles import Profiles
from liveroom.store import journal, rooms
from liveroom.store.journal import Place
from liveroom.store.port import Transaction
from liveroom.store.rooms import RoomState

DIRECTORS = frozenset({Role.HOST, Role.MODERATOR})

Change = Callable[[Stage], Stage]


@dataclass(frozen=True, slots=True)
class _Changed:
    """A stage before and after one command."""

    tenant: TenantId
    before: Stage
    after: Stage


class Staging:
    """Carries out what is asked of stages."""

    def __init__(self, ports: Ports, access: Access, profiles: Profiles) -> None:
        self._ports = ports
        self._access = access
        self._profiles = profiles
        self._watched: dict[RoomId, Stage] = {}

    # Viewers.

    async def ask(self, actor: Actor, room: RoomId) -> MicChanged:
        """Ask for the mic; again is harmless."""
        actor, door = await self._access.enter(actor, room)
        require_name(actor)
        profile = await self._profiles.of(door.tenant, room, actor.user)
        at = self._ports.now_ms()
        name = actor.name or profile.name
        first = profile.tier in self._ports.policy.first_on_mic

        def change(stage: Stage) -> Stage:
            if stage.host is None:
                raise Refused("not_live")
            return seats.ask(
                stage, user=actor.user, name=name, tier=profile.tier, first=first, at=at
            )

        changed = await self._change(room, change)
        return MicChanged(phase="asked", position=changed.after.position(actor.user))

    async def leave(self, actor: Actor, room: RoomId) -> MicChanged:
        """Stop waiting, or give the seat back."""
        actor, _ = await self._access.enter(actor, room)
        at = self._ports.now_ms()
        await self._change(room, lambda stage: seats.leave(stage, actor.user, at=at))
        return MicChanged(phase="none")

    async def answer_call(self, actor: Actor, room: RoomId) -> CallChanged:
        """Accept a private call: from now on only the two see each other."""
        actor, _ = await self._access.enter(actor, room)
        require_name(actor)
        at = self._ports.now_ms()
        changed = await self._change(room, lambda s: seats.answer(s, actor.user, at=at))
        host = changed.after.host
        assert host is not None, room
        return self._called(room, changed.tenant, actor.user, "active", host)

    async def hang_up(self, actor: Actor, room: RoomId) -> CallChanged:
        """End a private call or its invitation, from either side; both are back in the room."""
        actor, _ = await self._access.enter(actor, room)
        await self._change(room, lambda stage: seats.hang_up(stage, actor.user))
        return CallChanged(phase="ended", user=actor.user, name=actor.name or "")

    # Hosts and moderators.

    async def accept(self, actor: Actor, room: RoomId, user: UserId) -> Stage:
        """Seat somebody who waits on the first free slot, or let them be the next in line."""
        at = self._ports.now_ms()
        return await self._direct(actor, room, lambda s: seats.accept(s, user, at=at))

    async def decline(self, actor: Actor, room: RoomId, user: UserId) -> Stage:
        """Take somebody who waits out of the line."""
        return await self._direct(actor, room, lambda s: seats.withdraw(s, user))

    async def place(self, actor: Actor, room: RoomId, slot: int, user: UserId) -> Stage:
        """Seat somebody on a slot; on the main place they change with who stands there."""
        require(actor, DIRECTORS)
        _, door = await self._access.enter(actor, room)
        name = (await self._profiles.of(door.tenant, room, user)).name
        at = self._ports.now_ms()

        def change(stage: Stage) -> Stage:
            if slot == seats.HOST_SLOT:
                return seats.to_main(stage, user)
            asked = stage.asked(user)
            return seats.seat(stage, slot, user=user, name=asked.name if asked else name, at=at)

        return await self._direct(actor, room, change)

    async def mute(
        self, actor: Actor, room: RoomId, slot: int, *, audio: bool, video: bool
    ) -> Stage:
        """Mute a slot, or let it be heard and seen again; true means muted."""
        return await self._direct(
            actor, room, lambda s: seats.mute(s, slot, audio=not audio, video=not video)
        )

    async def take_down(self, actor: Actor, room: RoomId, slot: int) -> Stage:
        """Free a slot; who stood there is cut at once."""
        at = self._ports.now_ms()
        return await self._direct(actor, room, lambda s: seats.take_down(s, slot, at=at))

    async def resize(self, actor: Actor, room: RoomId, count: int) -> Stage:
        """Change how many guests there may be."""
        at = self._ports.now_ms()
        return await self._direct(actor, room, lambda s: seats.resize(s, count, at=at))

    async def call(self, actor: Actor, room: RoomId, user: UserId) -> Stage:
        """Invite a viewer to a private call; only the host can."""
        require(actor, frozenset({Role.HOST}))
        _, door = await self._access.enter(actor, room)
        name = (await self._profiles.of(door.tenant, room, user)).name
        at = self._ports.now_ms()
        return await self._direct(
            actor, room, lambda s: seats.invite(s, user=user, name=name, at=at)
        )

    # What others ask.

    async def now(self, actor: Actor, room: RoomId) -> Stage:
        """Show a stage to who directs it."""
        return await self._direct(actor, room, lambda stage: stage)

    async def may_publish(self, room: RoomId, user: UserId) -> bool:
        """Whether a guest may send media now."""
        state = await self._ports.store.run(lambda tx: rooms.state(tx, room))
        return state is not None and seats.may_publish(state.stage, user)

    def cues(self, actor: Actor, state: RoomState) -> tuple[Event, ...]:
        """Tell what of a stage is current for one person: for who comes in."""
        room, tenant, stage = state.room.id, state.room.tenant, state.stage
        facts: list[Fact] = []
        if actor.role is Role.HOST:
            facts.append(_queue(stage))
        mine = stage.of(actor.user)
        if mine is not None and mine.role is Standing.GUEST:
            facts.append(self._seated(room, tenant, actor.user, mine.slot))
        elif (position := stage.position(actor.user)) is not None:
            asked = stage.asked(actor.user)
            next_ = asked is not None and asked.accepted
            facts.append(MicChanged(phase="next" if next_ else "asked", position=position))
        call, host = stage.call, stage.host
        if call is not None and host is not None:
            if actor.user == call.user:
                facts.append(self._called(room, tenant, actor.user, call.phase.value, host))
            elif actor.user == host.user:
                facts.append(CallChanged(phase=call.phase.value, user=call.user, name=call.name))
        return tuple(self._event(room, fact, to=actor.user) for fact in facts)

    # News of the media core.

    async def guest_changed(self, room: RoomId, user: UserId, *, live: bool) -> None:
        """Note that a guest's media flows, or does not any more."""
        at = self._ports.now_ms()

        def change(stage: Stage) -> Stage:
            return seats.guest_changed(stage, user, live=live, at=at)

        await self._change(room, change)

    async def speaking(self, room: RoomId, user: UserId | None) -> None:
        """Tell a room who speaks now."""
        await self._publish(room, SpeakerChanged(user=user))

    # Time.

    async def recover(self) -> None:
        """After a restart show the stages as they were; who publishes comes back by themselves."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> list[RoomId]:
            return [*rooms.rooms_in(tx, Phase.LIVE), *rooms.rooms_in(tx, Phase.AWAY)]

        for room in await self._ports.store.run(command):
            if not await self._ports.company.is_placed(room):
                await self._change(room, lambda stage: seats.interrupted(stage, at=at))

    async def tick(self) -> None:
        """Free seats that nobody uses, end calls that nobody is in."""
        at = self._ports.now_ms()
        for room, stage in list(self._watched.items()):
            if seats.expire(stage, at=at) != stage:
                await self._change(room, lambda known: seats.expire(known, at=at))

    # Inside.

    async def _direct(self, actor: Actor, room: RoomId, change: Change) -> Stage:
        require(actor, DIRECTORS)
        await self._access.enter(actor, room)
        return (await self._change(room, change)).after

    async def _change(self, room: RoomId, change: Change) -> _Changed:
        at = self._ports.now_ms()

        def command(tx: Transaction) -> _Changed:
            state = rooms.state(tx, room, lock=True)
            if state is None:
                raise Refused("no_such_room")
            tenant, before = state.room.tenant, state.stage
            after = change(before)
            if after != before:
                rooms.set_stage(tx, room, after)
            if (after.slots, after.private) != (before.slots, before.private):
                fact = StageChanged(slots=after.slots, private=after.private)
                place = Place(tenant=tenant, room=room, at=at)
                journal.append(tx, place, [fact], new_id=self._ports.new_id)
            return _Changed(tenant, before, after)

        changed = await self._ports.store.run(command)
        if changed.after != changed.before:
            await self._follow(room, changed)
        self._watch(room, changed.after)
        return changed

    def _watch(self, room: RoomId, stage: Stage) -> None:
        """Look at a room's stage again with each tick while something on it may expire."""
        guests = any(place.role is Standing.GUEST for place in stage.slots)
        if guests or stage.call is not None:
            self._watched[room] = stage
        else:
            self._watched.pop(room, None)

    async def _follow(self, room: RoomId, changed: _Changed) -> None:
        """Tell those whom a change concerns; the media core follows the `stage` event."""
        before, after = changed.before, changed.after
        for user, fact in self._personal(room, changed):
            await self._publish(room, fact, to=user)
        if (before.queue, before.seats) != (after.queue, after.seats):
            await self._publish(room, _queue(after))

    def _personal(self, room: RoomId, changed: _Changed) -> list[tuple[UserId, Fact]]:
        before, after = changed.before, changed.after
        told: list[tuple[UserId, Fact]] = []
        for place in after.slots:
            was = before.of(place.user)
            if place.role is Standing.GUEST and (was is None or was.slot != place.slot):
                seated = self._seated(room, changed.tenant, place.user, place.slot)
                invited = was is None and before.asked(place.user) is None
                told.append((place.user, replace(seated, invited=invited)))
        told += [
            (place.user, MicChanged(phase="down"))
            for place in before.slots
            if place.role is Standing.GUEST and after.of(place.user) is None
        ]
        told += [
            (asked.user, MicChanged(phase="declined"))
            for asked in before.queue
            if after.asked(asked.user) is None and after.of(asked.user) is None
        ]
        for position, asked in enumerate(after.queue, start=1):
            phase = "next" if asked.accepted else "asked"
            if (before.asked(asked.user), before.position(asked.user)) != (asked, position):
                told.append((asked.user, MicChanged(phase=phase, position=position)))
        return [*told, *self._about_call(room, changed)]

    def _about_call(self, room: RoomId, changed: _Changed) -> list[tuple[UserId, Fact]]:
        before, after = changed.before.call, changed.after.call
        host = changed.after.host or changed.before.host
        if host is None or (before and before.phase) == (after and after.phase):
            return []
        call = after or before
        assert call is not None
        phase = "ended" if after is None else after.phase.value
        called: Fact = CallChanged(phase=phase, user=host.user, name=host.name)
        if after is not None:
            called = self._called(room, changed.tenant, call.user, phase, host)
        return [
            (call.user, called),
            (host.user, CallChanged(phase=phase, user=call.user, name=call.name)),
        ]

    def _seated(self, room: RoomId, tenant: TenantId, user: UserId, slot: int) -> Seated:
        passed = self._pass(room, tenant, user)
        return Seated(slot=slot, whip_url=passed.whip_url, token=passed.token)

    def _called(
        self, room: RoomId, tenant: TenantId, user: UserId, phase: str, host: Slot
    ) -> CallChanged:
        passed = self._pass(room, tenant, user)
        return CallChanged(
            phase=phase,
            user=host.user,
            name=host.name,
            whip_url=passed.whip_url,
            token=passed.token,
        )

    def _pass(self, room: RoomId, tenant: TenantId, user: UserId) -> GuestPass:
        guest = Actor(user=user, role=Role.GUEST, room=room, tenant=tenant)
        return self._ports.guest_pass(guest)

    async def _publish(self, room: RoomId, fact: Fact, *, to: UserId | None = None) -> None:
        await self._ports.bus.publish(Publication(room, (self._event(room, fact, to=to),)))

    def _event(self, room: RoomId, fact: Fact, *, to: UserId | None) -> Event:
        at, identity = self._ports.now_ms(), EventId(self._ports.new_id())
        return Event(id=identity, room=room, at=at, fact=fact, to=to)


def _queue(stage: Stage) -> QueueChanged:
    return QueueChanged(asked=stage.queue, seats=stage.seats)
