"""Rooms: create them, let people in, tell who returns what they missed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from liveroom.domain.actors import Actor, Role
from liveroom.domain.basket import card_of
from liveroom.domain.events import Event
from liveroom.domain.ids import DEFAULT_TENANT, RoomId, UserId
from liveroom.domain.moderation import Bar
from liveroom.domain.refusals import Refused
from liveroom.domain.rooms import Broadcast, Room, RoomDraft
from liveroom.service.access import MERCHANTS, Access, Door, require
from liveroom.service.broadcasting import Broadcasting
from liveroom.service.cards import read_cards
from liveroom.service.entry import Card, Entry, Missed, Mute, Snapshot
from liveroom.service.gathering import Gathering
from liveroom.service.ports import Ports
from liveroom.service.standing import Standing
from liveroom.store import journal, members, rooms
from liveroom.store.members import Guest
from liveroom.store.port import Transaction
from liveroom.store.rooms import RoomState

MISSED_MAX: Final = 500
"""A resume that missed more durable events than this gets a snapshot instead."""
BROADCASTS_LISTED_MAX: Final = 100
"""Broadcasts of one listing; older ones are left out."""

EventsOf = Callable[[RoomId], tuple[Event, ...]]
"""Lists events of a room that are kept in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a process heard in its rooms and no store keeps: talk, cards, likes.

    `cues` tells what of a stage is current for one person, `rounds` what the room is in.
    """

    texts: EventsOf
    cards: EventsOf
    likes: Callable[[RoomId], int]
    cues: Callable[[Actor, RoomState], tuple[Event, ...]]
    rounds: EventsOf
    write_likes: Callable[[], Awaitable[None]]


_Read = tuple[RoomState, Card, Guest | None]
"""What one who comes in is shown, as one transaction read it."""


class Rooms:
    """Creates rooms and lets people in."""

    def __init__(
        self,
        ports: Ports,
        access: Access,
        heard: Heard,
        broadcasting: Broadcasting,
        standing: Standing,
    ) -> None:
        self._ports = ports
        self._access = access
        self._heard = heard
        self._broadcasting = broadcasting
        self._entries: Gathering[Door, Actor, _Read] = Gathering(self._read, identity=id)
        self._standing = standing

    async def create(self, actor: Actor, draft: RoomDraft) -> Room:
        """Create a room of the actor's shop; the same content again returns the room."""
        require(actor, MERCHANTS)
        if actor.tenant is not None and draft.merchant not in (None, actor.tenant):
            raise Refused("forbidden", "A token of one merchant cannot create another's room.")
        room = Room(
            id=draft.id or RoomId(self._ports.new_id()),
            tenant=draft.merchant or actor.tenant or DEFAULT_TENANT,
            title=draft.title,
            host=draft.host,
            cover=draft.cover,
            language=draft.language,
            planned_at=draft.planned_at,
            created_at=self._ports.now_ms(),
            anonymous=draft.anonymous,
        )

        def command(tx: Transaction) -> Room:
            if rooms.create(tx, room, epoch=self._ports.new_id()):
                return room
            known = rooms.find(tx, room.id)
            if known is None or not _same(known, room):
                raise Refused("exists")
            return known

        return await self._ports.store.run(command)

    async def get(self, room: RoomId) -> Room:
        """Show a room's public fields."""
        found = await self._ports.store.run(lambda tx: rooms.find(tx, room))
        if found is None:
            raise Refused("no_such_room")
        return found

    async def list(self) -> list[Room]:
        """List rooms, those on air first."""
        return await self._ports.store.run(rooms.all_rooms)

    async def broadcasts(self, actor: Actor, room: RoomId) -> Sequence[Broadcast]:
        """List a room's broadcasts with their reports, newest first: merchant and host only."""
        require(actor, MERCHANTS | {Role.HOST})
        await self._access.enter(actor, room)
        return await self._ports.store.run(
            lambda tx: rooms.broadcasts_of(tx, room, limit=BROADCASTS_LISTED_MAX)
        )

    async def end(self, actor: Actor, room: RoomId) -> Broadcast | None:
        """Close the broadcast with its report; None when there is none."""
        await self._heard.write_likes()
        return await self._broadcasting.end(actor, room)

    async def host_live(self, room: RoomId, user: UserId, session: str) -> None:
        """Note that the host's media flows: the first time opens a broadcast."""
        await self._broadcasting.host_live(room, user, session)

    async def host_gone(self, room: RoomId, user: UserId, session: str) -> None:
        """Note that the host's media stopped; a session taken over meanwhile changes nothing."""
        await self._broadcasting.host_gone(room, user, session)

    async def enter(self, actor: Actor, room: RoomId) -> Entry:
        """Let somebody in: everything current, read in one transaction."""
        at = self._ports.now_ms()
        actor, door = await self._access.enter(actor, room)
        state, card, somebody = await self._entries.ask(door, actor)
        order = await self._standing.of(door.tenant, room)
        mute = order.find(actor.user, Bar.MUTE, role=actor.role, at=at)
        return Entry(
            actor=actor,
            you=card,
            mute=None if mute is None else Mute(until=mute.until),
            room=state.room,
            snapshot=self._snapshot(actor, state, order.rules.slow_ms),
            epoch=state.epoch,
            offset=state.n,
            personal=0 if somebody is None else somebody.pn,
            at=at,
        )

    async def finish(self) -> None:
        """Answer everybody who is coming in."""
        await self._entries.finish()

    async def _read(self, door: Door, actors: Sequence[Actor]) -> Sequence[_Read]:
        """Read for all who come in together: the room once, their cards at once."""

        def command(tx: Transaction) -> list[_Read]:
            state = rooms.state(tx, door.room)
            assert state is not None, door.room
            cards = read_cards(tx, actors, door.tenant, door.room)
            for actor, (_card, somebody) in zip(actors, cards, strict=True):
                if somebody is not None:
                    _remember_name(tx, actor, door, somebody)
            return [(state, card, somebody) for card, somebody in cards]

        return await self._ports.store.run(command)

    async def introduce(self, actor: Actor, room: RoomId) -> None:
        """Remember the name of somebody who is seen here without coming in, such as a host."""
        actor, door = await self._access.enter(actor, room)
        if actor.anonymous:
            return

        def command(tx: Transaction) -> None:
            _remember_name(tx, actor, door, members.guest(tx, door.tenant, room, actor.user))

        await self._ports.store.run(command)

    def _snapshot(self, actor: Actor, state: RoomState, slow_ms: int) -> Snapshot:
        room = state.room.id
        likes = max(state.counters.likes, self._heard.likes(room))
        return Snapshot(
            stage=state.stage.slots,
            pin=card_of(state.pinned, at=self._ports.now_ms()) if state.pinned else None,
            rounds=self._heard.rounds(room),
            texts=self._heard.texts(room),
            counters=replace(state.counters, likes=likes),
            recognised=self._heard.cards(room) if actor.role is Role.HOST else (),
            slow_ms=slow_ms,
            private=state.stage.private,
            cues=self._heard.cues(actor, state),
        )

    async def missed(
        self, actor: Actor, room: RoomId, epoch: str, offset: int, personal: int
    ) -> Missed | None:
        """Return what happened since a position; None = take a snapshot instead."""
        actor, door = await self._access.enter(actor, room)

        def command(tx: Transaction) -> Missed | None:
            state = rooms.state(tx, room)
            assert state is not None, room
            pn = 0
            if not actor.anonymous:
                pn = members.guest(tx, door.tenant, room, actor.user).pn
            gaps = (state.n - offset, pn - personal)
            if state.epoch != epoch or any(not 0 <= gap <= MISSED_MAX for gap in gaps):
                return None
            own = journal.personal_since(tx, door.tenant, room, actor.user, personal) if pn else []
            return Missed(
                events=tuple(journal.since(tx, door.tenant, room, offset)),
                personal_events=tuple(own),
                offset=state.n,
                personal=pn,
            )

        return await self._ports.store.run(command)


def _same(known: Room, wanted: Room) -> bool:
    return replace(wanted, created_at=known.created_at, broadcast=known.broadcast) == replace(
        known, planned_at=wanted.planned_at
    )


def _remember_name(tx: Transaction, actor: Actor, door: Door, known: Guest) -> None:
    if actor.name and known.nickname != actor.name:
        members.remember_nickname(tx, door.tenant, door.room, actor.user, actor.name)
