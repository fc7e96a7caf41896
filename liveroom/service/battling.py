"""PKs as a service: two hosts agree, both rooms see both, people's support is counted, one end.

Each step is one transaction over both rooms, locked in the order of their ids. What people do
is gathered here for a moment and added up in the store, so that several nodes count together
and a restart loses at most `COUNT_EVERY_MS` of likes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from liveroom.bus.port import Publication
from liveroom.domain import pk as rules
from liveroom.domain import seats
from liveroom.domain.actors import Actor, Role
from liveroom.domain.events import (
    Event,
    Fact,
    GiftSent,
    PkInvited,
    PkScored,
    PkSide,
    RoundChanged,
    StageChanged,
)
from liveroom.domain.ids import EventId, RoomId, TenantId, UserId
from liveroom.domain.pk import Phase, Pk, PkId, Side
from liveroom.domain.refusals import Refused
from liveroom.service.access import HOSTS, Access, require
from liveroom.service.ports import Ports
from liveroom.store import journal, pks, rooms
from liveroom.store.journal import Place
from liveroom.store.port import Transaction
from liveroom.store.rooms import RoomState

COUNT_EVERY_MS: Final = 1_000
"""How often support is added up and told while a PK runs."""
SUPPORTERS_MAX: Final = 100_000
"""People gathered between two counts; the likes of further ones are not counted."""

RELOAD_EVERY_MS: Final = 5_000
"""How often a node looks which PKs others have begun or ended."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What one transaction came to."""

    tenant: TenantId
    before: Pk | None
    after: Pk


class Battling:
    """Carries out PKs."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access
        self._current: dict[RoomId, tuple[TenantId, Pk]] = {}
        self._liked: dict[tuple[PkId, RoomId], dict[UserId, int]] = {}
        self._counted_at = self._loaded_at = 0

    # Hosts.

    async def challenge(
        self, actor: Actor, room: RoomId, slot: int, other: RoomId, seconds: int | None
    ) -> Pk:
        """Invite another room's host, or agree to their invitation: then it begins."""
        require(actor, HOSTS)
        actor, door = await self._access.enter(actor, room)
        rival = await self._access.door(other)
        if rival.tenant != door.tenant:
            raise Refused("no_such_room")
        at = self._ports.now_ms()

        def command(tx: Transaction) -> _Step:
            mine, theirs = _locked(tx, room, other)
            sides = (_side(mine, slot=1), _side(theirs, slot=slot))
            known = pks.of_room(tx, door.tenant, room) or pks.of_room(tx, door.tenant, other)
            if known is not None and {side.room for side in known.sides} != {room, other}:
                raise Refused("in_pk")
            if known is not None:
                agreed = rules.accept(known, room, slot=slot, at=at)
                if agreed is not known:
                    self._begin(tx, door.tenant, agreed, (mine, theirs), at)
                return _Step(door.tenant, known, agreed)
            made = rules.invite(
                PkId(self._ports.new_id()),
                sides=sides,
                seconds=seconds or rules.SECONDS_DEFAULT,
                at=at,
            )
            rival = sides[1]
            seats.show_rival(mine.stage, slot, room=other, user=rival.user, name=rival.name)
            pks.add(tx, door.tenant, made)
            return _Step(door.tenant, None, made)

        step = await self._ports.store.run(command)
        await self._follow(step)
        return step.after

    async def leave(self, actor: Actor, room: RoomId) -> None:
        """Decline, withdraw, or give up: a running PK is then the other room's."""
        require(actor, HOSTS)
        _, door = await self._access.enter(actor, room)
        await self._change(door.tenant, room, lambda pk, at: rules.leave(pk, room, at=at))

    # What others ask.

    def rounds(self, room: RoomId) -> tuple[Event, ...]:
        """List what a room is in, for who comes in."""
        found = self._current.get(room)
        if found is None or found[1].phase is Phase.INVITED:
            return ()
        return (self._event(room, self._told(found[1])),)

    def invitations(self, actor: Actor, room: RoomId) -> tuple[Event, ...]:
        """Tell a host who comes in of an invitation that waits."""
        found = self._current.get(room)
        if actor.role is not Role.HOST or found is None or found[1].phase is not Phase.INVITED:
            return ()
        return (self._event(room, _invited(found[1], room)),)

    # What people do.

    def liked(self, room: RoomId, user: UserId, count: int) -> None:
        """Count somebody's likes for their room's host."""
        found = self._current.get(room)
        if found is None or found[1].phase is not Phase.RUNNING:
            return
        people = self._liked.setdefault((found[1].id, room), {})
        if user in people or len(people) < SUPPORTERS_MAX:
            people[user] = people.get(user, 0) + count

    def hear(self, publication: Publication) -> None:
        """Count who gives as one who takes part; what a gift costs counts only by rule."""
        for event in publication.events:
            if isinstance(event.fact, GiftSent):
                self.liked(publication.room, event.fact.user, 0)

    # Time.

    async def start(self) -> None:
        """Go on with what was going on, here or on another node."""
        self._loaded_at = self._ports.now_ms()
        found = await self._ports.store.run(pks.unfinished)
        self._current = {side.room: (tenant, pk) for tenant, pk in found for side in pk.sides}

    async def tick(self) -> None:
        """Count, tell the score, end what is over."""
        at = self._ports.now_ms()
        if at - self._loaded_at >= RELOAD_EVERY_MS:
            await self.start()
        is_counting = at - self._counted_at >= COUNT_EVERY_MS
        if is_counting:
            self._counted_at = at
        for tenant, pk in {pk.id: (tenant, pk) for tenant, pk in self._current.values()}.values():
            if pk.phase is Phase.SETTLED:
                if at - pk.at >= rules.SHOWN_MS:
                    await self._clear(tenant, pk)
            elif at >= pk.deadline:
                await self._change(tenant, pk.sides[0].room, self._settled)
            elif is_counting and pk.phase is Phase.RUNNING:
                await self._count(tenant, pk)

    def _settled(self, pk: Pk, at: int) -> Pk:
        return rules.settle(pk, self._ports.policy.pk, at=at)

    async def _count(self, tenant: TenantId, pk: Pk) -> None:
        """Add up what was gathered and tell the score; a host who has gone home gives up."""

        def command(tx: Transaction) -> tuple[Pk, RoomId | None]:
            return self._counted(tx, tenant, pk), _gone(tx, pk)

        counted, gone = await self._ports.store.run(command)
        if gone is not None:
            await self._change(tenant, gone, lambda known, at: rules.leave(known, gone, at=at))
        elif counted.sides != pk.sides:
            self._remember(tenant, counted)
            for side in counted.sides:
                await self._publish(side.room, self._scored(counted))

    def _counted(self, tx: Transaction, tenant: TenantId, pk: Pk) -> Pk:
        for side in sorted(pk.sides, key=lambda side: side.room):
            gathered = self._liked.pop((pk.id, side.room), None)
            if gathered:
                pks.add_support(tx, tenant, pk.id, side.room, gathered)
        most = self._ports.policy.pk.likes_each_max
        return rules.supported(pk, pks.support(tx, tenant, pk, likes_each_max=most))

    # Inside.

    async def _change(
        self, tenant: TenantId, room: RoomId, change: Callable[[Pk, int], Pk]
    ) -> None:
        """Take one step with the PK a room is in; an end takes the last support along."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> _Step | None:
            known = pks.of_room(tx, tenant, room)
            if known is None:
                return None
            states = _locked(tx, known.sides[0].room, known.sides[1].room)
            known = pks.find(tx, tenant, known.id)
            assert known is not None
            after = change(self._counted(tx, tenant, known), at)
            if after.phase is known.phase:
                return None
            pks.save(tx, tenant, after)
            if after.phase is Phase.SETTLED:
                for state in states:
                    self._append(tx, tenant, state.room.id, [self._told(after)], at)
            return _Step(tenant, known, after)

        step = await self._ports.store.run(command)
        if step is not None:
            await self._follow(step)

    def _begin(
        self,
        tx: Transaction,
        tenant: TenantId,
        pk: Pk,
        states: tuple[RoomState, RoomState],
        at: int,
    ) -> None:
        pks.save(tx, tenant, pk)
        pks.open_coins(tx, tenant, pk)
        for state in sorted(states, key=lambda state: state.room.id):
            room = state.room.id
            rival = pk.other(room)
            stage = seats.show_rival(
                state.stage, rival.slot, room=rival.room, user=rival.user, name=rival.name
            )
            rooms.set_stage(tx, room, stage)
            changed = StageChanged(slots=stage.slots, private=stage.private)
            self._append(tx, tenant, room, [changed, self._told(pk)], at)

    async def _clear(self, tenant: TenantId, pk: Pk) -> None:
        """Take the rivals off both stages."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> None:
            for state in _locked(tx, pk.sides[0].room, pk.sides[1].room):
                stage = seats.drop_rival(state.stage, pk.other(state.room.id).room, at=at)
                if stage != state.stage:
                    rooms.set_stage(tx, state.room.id, stage)
                    changed = StageChanged(slots=stage.slots, private=stage.private)
                    self._append(tx, tenant, state.room.id, [changed], at)
            pks.hide(tx, tenant, pk.id)

        await self._ports.store.run(command)
        for side in pk.sides:
            self._current.pop(side.room, None)

    def _append(
        self, tx: Transaction, tenant: TenantId, room: RoomId, facts: list[Fact], at: int
    ) -> None:
        place = Place(tenant=tenant, room=room, at=at)
        journal.append(tx, place, facts, new_id=self._ports.new_id)

    async def _follow(self, step: _Step) -> None:
        self._remember(step.tenant, step.after)
        was_invited = step.before is None or step.before.phase is Phase.INVITED
        if was_invited and step.after != step.before:
            for side in step.after.sides:
                await self._publish(side.room, _invited(step.after, side.room))

    def _remember(self, tenant: TenantId, pk: Pk) -> None:
        for side in pk.sides:
            if pk.phase is Phase.VOID:
                self._current.pop(side.room, None)
            else:
                self._current[side.room] = (tenant, pk)

    def _shown(self, pk: Pk) -> tuple[PkSide, ...]:
        rule = self._ports.policy.pk
        return tuple(
            PkSide(
                room=side.room,
                user=side.user,
                name=side.name,
                score=rules.score(side.support, rule),
                supporters=side.support.supporters,
            )
            for side in pk.sides
        )

    def _told(self, pk: Pk) -> RoundChanged:
        return RoundChanged(
            round=pk.id,
            type="pk",
            phase=pk.phase.value,
            started_at=pk.at,
            deadline=pk.deadline,
            sides=self._shown(pk),
            winner=pk.winner,
        )

    def _scored(self, pk: Pk) -> PkScored:
        return PkScored(round=pk.id, sides=self._shown(pk))

    async def _publish(self, room: RoomId, fact: Fact) -> None:
        await self._ports.bus.publish(Publication(room, (self._event(room, fact),)))

    def _event(self, room: RoomId, fact: Fact) -> Event:
        at, identity = self._ports.now_ms(), EventId(self._ports.new_id())
        return Event(id=identity, room=room, at=at, fact=fact)


def _locked(tx: Transaction, one: RoomId, two: RoomId) -> tuple[RoomState, RoomState]:
    """Read two rooms for writing, always in the same order; returned as asked for."""
    found: dict[RoomId, RoomState] = {}
    for room in sorted({one, two}):
        state = rooms.state(tx, room, lock=True)
        if state is None:
            raise Refused("no_such_room")
        found[room] = state
    return found[one], found[two]


def _side(state: RoomState, *, slot: int) -> Side:
    host = state.stage.host
    if host is None or not host.live:
        raise Refused("not_live")
    if state.stage.call is not None:
        raise Refused("in_call")
    return Side(room=state.room.id, user=host.user, name=host.name, slot=slot)


def _gone(tx: Transaction, pk: Pk) -> RoomId | None:
    """Name the room whose broadcast has ended: its host has given up."""
    for side in pk.sides:
        state = rooms.state(tx, side.room)
        if state is None or state.room.broadcast is None:
            return side.room
    return None


def _invited(pk: Pk, room: RoomId) -> PkInvited:
    other = pk.other(room)
    return PkInvited(
        round=pk.id,
        phase=pk.phase.value,
        incoming=pk.sides[1].room == room,
        room=other.room,
        user=other.user,
        name=other.name,
        seconds=pk.seconds,
        deadline=pk.deadline,
    )
