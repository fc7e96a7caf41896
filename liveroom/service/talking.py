"""Danmaku and likes: heard by everybody who listens now; only the likes' total is kept.

Likes are ambient: a crash may lose the last `LIKES_WRITTEN_MS` of them.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from liveroom.bus.port import Publication
from liveroom.domain.actors import Actor, Role
from liveroom.domain.answers import MENTIONS, answers_host, is_question
from liveroom.domain.events import DanmakuSaid, Event
from liveroom.domain.ids import EventId, RoomId, TenantId, UserId
from liveroom.domain.orders import check_amount
from liveroom.domain.recognition import Profile
from liveroom.domain.refusals import Refused
from liveroom.domain.tiers import Tier, rank
from liveroom.service.access import Access, Door, require_name
from liveroom.service.judging import Judging
from liveroom.service.ports import Ports
from liveroom.service.profiles import Profiles
from liveroom.service.reviewing import Reviewing
from liveroom.store import journal, rooms
from liveroom.store.journal import Place
from liveroom.store.port import Transaction

LIKES_PER_COMMAND_MAX: Final = 100
"""Likes one command may carry; more are refused as invalid."""
ANSWER_WEIGHT: Final = 4.0
"""What an answer to the host weighs beside what its writer does."""
LIKES_WRITTEN_MS: Final = 2_000
"""How often likes are written down."""
TALKS_MAX: Final = 10_000
"""Rooms whose talk is remembered; the one silent longest is forgotten (its likes are kept)."""
RATE_WINDOW_MS: Final = 10_000
"""Over how long messages per second are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A line of danmaku: its event id and the text as others see it.

    `held`: a keeper of order looks at it first.
    """

    id: EventId
    text: str
    held: bool = False


@dataclass(slots=True)
class _Talk:
    tenant: TenantId
    likes: int
    unwritten: int = 0
    asked_at: int | None = None
    seconds: deque[tuple[int, int]] = field(
        default_factory=lambda: deque(maxlen=RATE_WINDOW_MS // 1_000)
    )

    def count_message(self, at: int) -> None:
        second = at // 1_000
        count = self.seconds.pop()[1] if self.seconds and self.seconds[-1][0] == second else 0
        self.seconds.append((second, count + 1))

    def messages_per_s(self, at: int) -> float:
        since = at // 1_000 - RATE_WINDOW_MS // 1_000
        recent = sum(count for second, count in self.seconds if second > since)
        return recent / (RATE_WINDOW_MS / 1_000)


def badge_of(role: Role, tier: Tier) -> str | None:
    """Say which badge a speaker wears."""
    if role in (Role.HOST, Role.MODERATOR):
        return role.value
    return None if tier is Tier.BASIC else tier.value


def weight_of(profile: Profile, *, answers: bool = False) -> float:
    """Say how likely a line survives sampling: answers, buyers and levels before others."""
    buyer, answer = (1.0 if profile.orders else 0.0), (ANSWER_WEIGHT if answers else 0.0)
    return 1.0 + rank(profile.tier) + buyer + answer


OnSaid = Callable[[TenantId, RoomId, UserId, str], None]
"""Hears each line that was shown; must not wait."""


class Talking:
    """Publishes what people say and like."""

    def __init__(
        self,
        ports: Ports,
        access: Access,
        profiles: Profiles,
        judging: Judging,
        reviewing: Reviewing,
        liked: Callable[[RoomId, UserId, int], None],
        on_said: OnSaid,
    ) -> None:
        self._on_said = on_said
        self._ports = ports
        self._access = access
        self._profiles = profiles
        self._judging = judging
        self._reviewing = reviewing
        self._liked = liked
        self._talks: OrderedDict[RoomId, _Talk] = OrderedDict()
        self._written_at = 0

    async def say(self, actor: Actor, room: RoomId, text: str, cid: str | None) -> Said:
        """Publish a line that was cleaned already, as far as the room's order lets it.

        Raises:
            Refused: what `Judging.judge` refuses.

        """
        actor, door = await self._access.enter(actor, room)
        require_name(actor)
        judged = await self._judging.judge(actor, door, text)
        profile = await self._profiles.of(door.tenant, room, actor.user)
        answers = await self._answers(actor, door, judged.text)
        fact = DanmakuSaid(
            user=actor.user,
            name=actor.name or profile.name,
            text=judged.text,
            badge=badge_of(actor.role, profile.tier),
            weight=weight_of(profile, answers=answers) * judged.weight,
        )
        at = self._ports.now_ms()
        event = Event(id=EventId(self._ports.new_id()), room=room, at=at, fact=fact, cid=cid)
        if judged.held:
            await self._reviewing.hold(door, event)
            return Said(id=event.id, text=judged.text, held=True)
        talk = await self._talk(room, door.tenant)
        talk.count_message(at)
        await self._ports.bus.publish(Publication(room, (event,)))
        self._on_said(door.tenant, room, actor.user, judged.text)
        return Said(id=event.id, text=judged.text)

    async def _answers(self, actor: Actor, door: Door, text: str) -> bool:
        """Whether a line answers the host; a question of the host is remembered."""
        at, talk = self._ports.now_ms(), await self._talk(door.room, door.tenant)
        if actor.role is Role.HOST:
            if is_question(text):
                talk.asked_at = at
            return False
        names: list[str] = [] if door.host is None else [door.host]
        if door.host is not None and not MENTIONS.isdisjoint(text):
            names.append((await self._profiles.of(door.tenant, door.room, door.host)).name)
        asked_ms_ago = None if talk.asked_at is None else at - talk.asked_at
        return answers_host(text, names=names, asked_ms_ago=asked_ms_ago)

    async def like(self, actor: Actor, room: RoomId, count: int) -> int:
        """Add likes and return the room's total."""
        actor, door = await self._access.enter(actor, room)
        require_name(actor)
        check_amount("n", count, least=1, most=LIKES_PER_COMMAND_MAX)
        talk = await self._talk(room, door.tenant)
        talk.likes += count
        talk.unwritten += count
        self._liked(room, actor.user, count)
        await self._ports.bus.publish(Publication(room, likes=count))
        return talk.likes

    def likes(self, room: RoomId) -> int:
        """Count a room's likes as far as this process heard; 0 when it heard none."""
        talk = self._talks.get(room)
        return talk.likes if talk else 0

    def messages_per_s(self, room: RoomId) -> float:
        """Tell how fast a room talks."""
        talk = self._talks.get(room)
        return talk.messages_per_s(self._ports.now_ms()) if talk else 0.0

    async def tick(self) -> None:
        """Write likes down when it is time."""
        if self._ports.now_ms() - self._written_at >= LIKES_WRITTEN_MS:
            await self.write_likes()

    async def write_likes(self) -> None:
        """Write every room's new likes down, in one transaction."""
        at = self._written_at = self._ports.now_ms()
        added = {room: talk for room, talk in self._talks.items() if talk.unwritten}
        if not added:
            return
        counts = {room: talk.unwritten for room, talk in added.items()}

        def write(tx: Transaction) -> None:
            for room in sorted(counts):
                place = Place(tenant=added[room].tenant, room=room, at=at)
                journal.count_up(tx, place, add={"likes": counts[room]})

        try:
            await self._ports.store.run(write)
        except Refused:
            return
        for room, talk in added.items():
            talk.unwritten -= counts[room]

    async def _talk(self, room: RoomId, tenant: TenantId) -> _Talk:
        talk = self._talks.get(room)
        if talk is None:
            state = await self._ports.store.run(lambda tx: rooms.state(tx, room))
            likes = state.counters.likes if state else 0
            talk = self._talks.setdefault(room, _Talk(tenant, likes))
            self._make_space()
        self._talks.move_to_end(room)
        return talk

    def _make_space(self) -> None:
        while len(self._talks) > TALKS_MAX:
            room, oldest = next(iter(self._talks.items()))
            if oldest.unwritten:
                return
            del self._talks[room]
