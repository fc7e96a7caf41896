"""The review queue: lines that viewers report, and lines that the word list holds back."""

from collections.abc import Sequence
from typing import Final

from liveroom.bus.port import Publication
from liveroom.domain.actors import Actor
from liveroom.domain.events import DanmakuSaid, Event, LineReported, LinesDeleted
from liveroom.domain.ids import EventId, RoomId, UserId
from liveroom.domain.moderation import Act, ReportedLine, ReportState, permit
from liveroom.domain.refusals import Refused
from liveroom.service.access import Access, Door, require_name
from liveroom.service.lines import Lines
from liveroom.service.ports import Ports
from liveroom.store import journal, moderation
from liveroom.store.journal import Place
from liveroom.store.moderation import Spot
from liveroom.store.port import Transaction

OPEN_MAX: Final = 20
"""Reports of one person, or held lines of one writer, that may wait in a room."""
HELD_BY: Final = "*"
"""Who reported a line that the word list held back: no user has this id."""
REASONS: Final = frozenset({"spam", "abuse", "fraud", "sexual", "other"})


class Reviewing:
    """Collects what keepers of order should look at, and what they decided."""

    def __init__(self, ports: Ports, access: Access, lines: Lines) -> None:
        self._ports = ports
        self._access = access
        self._lines = lines

    async def report(self, actor: Actor, room: RoomId, line: EventId, reason: str) -> int:
        """Report a line; returns how many people did. The host is told.

        Raises:
            Refused: `no_such_line`, `anonymous`, `invalid`, `rate` with too many open ones.

        """
        actor, door = await self._access.enter(actor, room)
        require_name(actor)
        if reason not in REASONS:
            raise Refused("invalid", f"reason: one of {', '.join(sorted(REASONS))}.")
        said = self._lines.find(room, line)
        if said is None:
            raise Refused("no_such_line")
        return await self._file(door, said, reporter=actor.user, reason=reason, held=False)

    async def hold(self, door: Door, line: Event) -> None:
        """Keep a line back until somebody judges it."""
        await self._file(door, line, reporter=UserId(HELD_BY), reason="words", held=True)

    async def _file(
        self, door: Door, line: Event, *, reporter: UserId, reason: str, held: bool
    ) -> int:
        assert isinstance(line.fact, DanmakuSaid)
        spot, at, fact = Spot(tenant=door.tenant, room=door.room), self._ports.now_ms(), line.fact

        def command(tx: Transaction) -> tuple[bool, int]:
            waiting = (
                moderation.held_of(tx, spot, fact.user)
                if held
                else moderation.open_by(tx, spot, reporter)
            )
            if waiting >= OPEN_MAX:
                raise Refused("words" if held else "rate", retry_ms=None if held else 60_000)
            is_new = moderation.report(
                tx, spot, line, reporter=reporter, reason=reason, held=held, at=at
            )
            return is_new, sum(found.count for found in moderation.queue(tx, spot, line.id))

        is_new, count = await self._ports.store.run(command)
        if is_new and count:
            cue = LineReported(
                line=line.id,
                user=fact.user,
                name=fact.name,
                text=fact.text,
                count=count,
                held=held,
                reason=reason,
            )
            event = Event(id=EventId(self._ports.new_id()), room=door.room, at=at, fact=cue)
            await self._ports.bus.publish(Publication(door.room, (event,)))
        return count

    async def queue(self, actor: Actor, room: RoomId) -> Sequence[ReportedLine]:
        """List what waits to be judged, oldest first."""
        permit(actor.role, Act.REVIEW)
        actor, door = await self._access.enter(actor, room)
        spot = Spot(tenant=door.tenant, room=room)
        return await self._ports.store.run(lambda tx: moderation.queue(tx, spot))

    async def resolve(self, actor: Actor, room: RoomId, line: EventId, state: ReportState) -> bool:
        """Judge a line: delete it, leave it, or release one that was held; False = was judged."""
        permit(actor.role, Act.REVIEW)
        if state is ReportState.OPEN:
            raise Refused("invalid", "verdict: upheld, dismissed or released.")
        actor, door = await self._access.enter(actor, room)
        spot, at = Spot(tenant=door.tenant, room=room), self._ports.now_ms()

        def command(tx: Transaction) -> ReportedLine | None:
            found = next(iter(moderation.queue(tx, spot, line)), None)
            if found is None or not moderation.judge(tx, spot, line, state):
                return None
            moderation.note(
                tx,
                spot,
                at=at,
                actor=actor.user,
                role=actor.role.value,
                act=Act.REVIEW.value,
                target=line,
                reason=state.value,
                detail=f"{found.user}: {found.text}",
            )
            if state is ReportState.UPHELD and not found.held:
                place = Place(tenant=door.tenant, room=room, at=at)
                gone = LinesDeleted(lines=(line,))
                journal.append(tx, place, [gone], new_id=self._ports.new_id)
            return found

        judged = await self._ports.store.run(command)
        if judged is not None and judged.held and state is ReportState.RELEASED:
            fact = DanmakuSaid(
                user=judged.user, name=judged.name, text=judged.text, badge=judged.badge
            )
            event = Event(id=line, room=room, at=at, fact=fact)
            await self._ports.bus.publish(Publication(room, (event,)))
        return judged is not None
