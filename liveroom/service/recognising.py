"""Recognition: who came in, shown to the host; welcome back, shown to them.

Runs after the welcome was written, so nobody waits for it. Cards live in memory: after a
restart people come in again and are recognised again.
"""

from collections.abc import Sequence
from typing import Final

from liveroom.bus.port import Publication
from liveroom.domain.actors import Actor
from liveroom.domain.events import DanmakuSaid, Entered, Event, Fact, Recognised, WelcomedBack
from liveroom.domain.ids import EventId, RoomId, TenantId, UserId
from liveroom.domain.members import public_name
from liveroom.domain.recognition import (
    DAY_MS,
    Profile,
    RecognitionQueue,
    card_of,
    last_purchase,
)
from liveroom.domain.refusals import Refused
from liveroom.domain.rooms import Room
from liveroom.observe import EVENTS_DROPPED, RECOGNITION_SECONDS
from liveroom.protocol.batch import ENTERS_ONLINE_MAX
from liveroom.service.access import CUSTOMERS, HOSTS, Access, require
from liveroom.service.entry import Entry
from liveroom.service.gathering import Gathering
from liveroom.service.ports import Ports
from liveroom.service.profiles import Profiles
from liveroom.store import journal, members
from liveroom.store.journal import Place
from liveroom.store.port import Transaction

CROWD: Final = ENTERS_ONLINE_MAX
"""With more viewers than that, entries of strangers are not announced."""


_Visited = tuple[TenantId, RoomId, str]
"""What people visit: a shop's room, on an occasion."""


def occasion_of(room: Room, at: int) -> str:
    """Name what a visit is counted once for: the broadcast, else the day (UTC)."""
    return room.broadcast.id if room.broadcast is not None else f"day:{at // DAY_MS}"


class Recognising:
    """Keeps the hosts' queues of returning customers."""

    def __init__(self, ports: Ports, access: Access, profiles: Profiles) -> None:
        self._ports = ports
        self._access = access
        self._profiles = profiles
        self._queues: dict[RoomId, RecognitionQueue] = {}
        self._visits: Gathering[_Visited, UserId, Profile] = Gathering(self._visit, identity=str)

    async def arrived(self, entry: Entry) -> None:
        """Count the visit, tell the host, welcome the person, announce the entry."""
        actor, room = entry.actor, entry.room
        if actor.anonymous or actor.role not in CUSTOMERS:
            return
        try:
            visited = (room.tenant, room.id, occasion_of(room, self._ports.now_ms()))
            profile = await self._visits.ask(visited, actor.user)
        except Refused:
            EVENTS_DROPPED.labels("cue", "store").inc()
            return
        at = self._ports.now_ms()
        facts: list[Fact] = []
        if profile.returning:
            self._offer(room, profile, entry.at or at)
            facts.append(
                WelcomedBack(
                    tier=profile.tier,
                    orders=profile.orders,
                    visits=profile.visits,
                    name=profile.name,
                    last=last_purchase(profile, at=at),
                )
            )
        if profile.returning or self._ports.online(room.id) <= CROWD:
            facts.append(
                Entered(
                    user=actor.user,
                    name=profile.name,
                    tier=profile.tier,
                    recognised=profile.returning,
                )
            )
        await self._release(room.id)
        events = tuple(self._event(room.id, at, fact, actor.user) for fact in facts)
        if events:
            await self._ports.bus.publish(Publication(room.id, events))

    async def finish(self) -> None:
        """Count every visit that has begun."""
        await self._visits.finish()

    def hear(self, publication: Publication) -> None:
        """Keep the cards that other nodes let out: the host may come in here."""
        for event in publication.events:
            if isinstance(event.fact, Recognised):
                policy = self._ports.policy.queue
                queue = self._queues.setdefault(publication.room, RecognitionQueue(policy))
                queue.note(event, at=self._ports.now_ms())

    def left(self, room: RoomId, user: UserId) -> None:
        """Note that a connection closed; the card stays, the host may still want to thank."""

    def current(self, room: RoomId) -> tuple[Event, ...]:
        """List the cards that are current, most valuable first: the host's snapshot."""
        queue = self._queues.get(room)
        return queue.current(at=self._ports.now_ms()) if queue else ()

    async def thank(self, actor: Actor, room: RoomId, user: UserId) -> None:
        """Let the host thank a customer in public; their card is done then."""
        require(actor, HOSTS)
        actor, door = await self._access.enter(actor, room)
        profile = await self._profiles.of(door.tenant, room, user)
        if not profile.returning:
            raise Refused("no_such_user")
        thanks = {
            "zh": f"感谢{profile.name}家人回来支持",
            "en": f"Thank you for coming back, {profile.name}",
        }
        name = public_name(user=actor.user, claim=actor.name, record=None)
        text = thanks.get(door.language, thanks["en"])
        fact = DanmakuSaid(
            user=actor.user, name=name, text=text, badge=actor.role.value, weight=9.0
        )
        if queue := self._queues.get(room):
            queue.remove(user)
        event = self._event(room, self._ports.now_ms(), fact, user)
        await self._ports.bus.publish(Publication(room, (event,)))

    async def tick(self) -> None:
        """Let waiting cards out at their rate, and forget queues that are empty."""
        at = self._ports.now_ms()
        for room, queue in list(self._queues.items()):
            if queue.waiting():
                await self._release(room)
            if not queue.current(at=at):
                del self._queues[room]

    async def _visit(self, door: _Visited, users: Sequence[UserId]) -> list[Profile]:
        """Count the visits of all who came in together, and read who they are."""
        at = self._ports.now_ms()
        tenant, room, occasion = door

        def command(tx: Transaction) -> dict[UserId, Profile]:
            new = members.count_visits(tx, tenant, room, users, occasion=occasion, at=at)
            read = members.profiles(tx, tenant, room, users)
            if new:
                place = Place(tenant=tenant, room=room, at=at)
                journal.count_up(tx, place, add={"visits": len(new)})
            return read

        read = await self._ports.store.run(command)
        for profile in read.values():
            self._profiles.remember(tenant, room, profile)
        return [read[user] for user in users]

    def _offer(self, room: Room, profile: Profile, at: int) -> None:
        queue = self._queues.setdefault(room.id, RecognitionQueue(self._ports.policy.queue))
        card = card_of(profile, at=at, language=room.language)
        if queue.offer(self._event(room.id, at, card, profile.user), at=at):
            EVENTS_DROPPED.labels("cue", "queue").inc()

    async def _release(self, room: RoomId) -> None:
        queue, at = self._queues.get(room), self._ports.now_ms()
        released = queue.release(at=at) if queue else []
        for event in released:
            RECOGNITION_SECONDS.observe((at - event.at) / 1_000)
        if released:
            await self._ports.bus.publish(Publication(room, tuple(released)))

    def _event(self, room: RoomId, at: int, fact: Fact, user: UserId) -> Event:
        to = user if isinstance(fact, WelcomedBack) else None
        return Event(id=EventId(self._ports.new_id()), room=room, at=at, fact=fact, to=to)
