"""What holds in a room now: its rules, its words, and who is barred from what.

Remembered per room and looked at again at most every `FRESH_MS`: one small read tells whether
anything changed, on whichever node. When the store does not answer, what is known goes on
counting. A change made here counts at once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from liveroom.domain.actors import Actor, Role
from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.domain.moderation import Bar, ChatRules, Sanction
from liveroom.domain.refusals import Refused
from liveroom.domain.wording import Languages, Word, WordList
from liveroom.observe import logger
from liveroom.service.languages import Dictionaries
from liveroom.service.ports import Clock
from liveroom.store import moderation
from liveroom.store.moderation import EVERYWHERE, Spot
from liveroom.store.port import Store, Transaction

FRESH_MS: Final = 1_000
"""How old what is remembered may be: a ban on another node counts here within this."""
ROOMS_MAX: Final = 5_000
"""Rooms remembered; the one unused longest is read again when needed."""
WORDS_AT_ONCE_MAX: Final = 200
"""More words are made ready in a thread, so that the room does not wait."""

_log = logger(__name__)
_BARS_ENTRY: Final = ((Bar.BAN, "banned"), (Bar.KICK, "kicked"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomOrder:
    """Everything that holds in a room."""

    rules: ChatRules
    words: WordList
    sanctions: Mapping[UserId, tuple[Sanction, ...]]

    def find(self, user: UserId, bar: Bar, *, role: Role, at: int) -> Sanction | None:
        """Find what bars somebody who comes with a role."""
        for sanction in self.sanctions.get(user, ()):
            if sanction.bar is bar and sanction.holds(at=at, role=role):
                return sanction
        return None


@dataclass(slots=True)
class _Known:
    order: RoomOrder | None = None
    versions: tuple[int, int] = (-1, -1)
    checked_at: int = 0
    is_stale: bool = True
    reading: asyncio.Task[None] | None = field(default=None)


@dataclass(frozen=True, slots=True)
class _Read:
    versions: tuple[int, int]
    rules: ChatRules
    words: list[Word]
    sanctions: list[Sanction]


class Standing:
    """Knows what holds where."""

    def __init__(self, store: Store, now_ms: Clock, languages: Languages | None = None) -> None:
        self._store = store
        self._now_ms = now_ms
        self._languages = languages or Dictionaries()
        self._rooms: OrderedDict[Spot, _Known] = OrderedDict()

    async def of(self, tenant: TenantId, room: RoomId) -> RoomOrder:
        """Tell what holds in a room, at most `FRESH_MS` old."""
        spot = Spot(tenant=tenant, room=room)
        known = self._rooms.setdefault(spot, _Known())
        self._rooms.move_to_end(spot)
        if len(self._rooms) > ROOMS_MAX:
            self._rooms.popitem(last=False)
        age = self._now_ms() - known.checked_at
        if known.order is not None and not known.is_stale and 0 <= age < FRESH_MS:
            return known.order
        if known.reading is None:
            known.reading = asyncio.create_task(self._refresh(spot, known), name="standing")
        await asyncio.shield(known.reading)
        if known.order is None:
            raise Refused("unavailable")
        return known.order

    def forget(self, tenant: TenantId, room: RoomId) -> None:
        """Look again before the next answer: something was changed here."""
        for spot, known in self._rooms.items():
            if spot.tenant == tenant and room in (spot.room, EVERYWHERE):
                known.is_stale = True

    async def admit(self, actor: Actor, tenant: TenantId, room: RoomId) -> None:
        """Refuse somebody who may not be in a room.

        Raises:
            Refused: `banned` or `kicked`, with the time that is left.

        """
        order = await self.of(tenant, room)
        if actor.user not in order.sanctions:
            return
        at = self._now_ms()
        for bar, code in _BARS_ENTRY:
            sanction = order.find(actor.user, bar, role=actor.role, at=at)
            if sanction is not None:
                raise Refused(code, retry_ms=sanction.left_ms(at=at))

    async def _refresh(self, spot: Spot, known: _Known) -> None:
        at = self._now_ms()
        known.is_stale = False
        try:
            read = await self._store.run(lambda tx: _read(tx, spot, known.versions, at))
            if read is not None:
                known.order = await self._prepare(read)
                known.versions = read.versions
            known.checked_at = at
        except Refused as refused:
            _log.warning("order not read", room=spot.room, why=refused.why)
            known.checked_at = at  # what is known goes on counting
        finally:
            known.reading = None

    async def _prepare(self, read: _Read) -> RoomOrder:
        many = len(read.words) > WORDS_AT_ONCE_MAX or read.rules.homophones
        if many:
            words = await asyncio.to_thread(self._word_list, read)
        else:
            words = self._word_list(read)
        sanctions: dict[UserId, tuple[Sanction, ...]] = {}
        for sanction in read.sanctions:
            sanctions[sanction.user] = (*sanctions.get(sanction.user, ()), sanction)
        return RoomOrder(rules=read.rules, words=words, sanctions=sanctions)

    def _word_list(self, read: _Read) -> WordList:
        return WordList(read.words, self._languages, homophones=read.rules.homophones)


def _read(tx: Transaction, spot: Spot, known: tuple[int, int], at: int) -> _Read | None:
    """Read what holds; None when nothing changed since these versions."""
    versions = moderation.versions(tx, spot)
    if versions == known:
        return None
    everywhere = Spot(tenant=spot.tenant, room=EVERYWHERE)
    return _Read(
        versions,
        moderation.rules_of(tx, spot),
        moderation.words_of(tx, everywhere) + moderation.words_of(tx, spot),
        moderation.standing(tx, spot, at=at),
    )
