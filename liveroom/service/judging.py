"""What becomes of a line before anybody sees it: refused, masked, held back, damped, or said.

The keepers of order (host, moderators, the shop) are not judged.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from liveroom.domain import contacts
from liveroom.domain.actors import Actor
from liveroom.domain.ids import RoomId
from liveroom.domain.moderation import Bar, Policy, is_keeper
from liveroom.domain.pace import CHORUS_WEIGHT, Pace
from liveroom.domain.refusals import Refused
from liveroom.domain.wording import WordAction, fold, mask
from liveroom.service.access import Door
from liveroom.service.languages import Dictionaries
from liveroom.service.ports import Clock
from liveroom.service.standing import RoomOrder, Standing

ROOMS_MAX: Final = 2_000
"""Rooms whose pace is remembered; the one silent longest starts anew."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A line as it may be shown; `weight` multiplies its chance (0: its writer and the host)."""

    text: str
    weight: float = 1.0
    held: bool = False


class Judging:
    """Judges lines."""

    def __init__(self, standing: Standing, now_ms: Clock) -> None:
        self._standing = standing
        self._now_ms = now_ms
        self._simplify = Dictionaries().simplify
        self._paces: OrderedDict[RoomId, Pace] = OrderedDict()

    async def judge(self, actor: Actor, door: Door, text: str) -> Judged:
        """Say what becomes of a cleaned line.

        Raises:
            Refused: `muted`, `slow_mode`, `words`, `links`, `contacts`.

        """
        order = await self._standing.of(door.tenant, door.room)
        at = self._now_ms()
        mute = order.find(actor.user, Bar.MUTE, role=actor.role, at=at)
        if mute is not None:
            raise Refused("muted", retry_ms=mute.left_ms(at=at))
        if is_keeper(actor.role):
            return Judged(text)
        pace = self._pace(door.room)
        wait_ms = pace.wait_ms(actor.user, order.rules.slow_ms, at=at)
        if wait_ms:
            raise Refused("slow_mode", retry_ms=wait_ms)
        found = order.words.look(text)
        if found.action is WordAction.REFUSE:
            raise Refused("words")
        spans = {*found.spans, *_unwanted(order, text)}
        pace.note(actor.user, at=at)
        shown = mask(text, spans) if spans and found.action is not WordAction.REVIEW else text
        if found.action is WordAction.REVIEW:
            return Judged(shown, held=True)
        return Judged(shown, self._weight(pace, actor, order, text, at))

    def _weight(self, pace: Pace, actor: Actor, order: RoomOrder, text: str, at: int) -> float:
        folded = fold(text, self._simplify).text or text
        repeats = pace.repeats(actor.user, folded, at=at)
        if order.rules.repeats and repeats > order.rules.repeats:
            return 0.0
        return CHORUS_WEIGHT if pace.is_chorus(folded, at=at) else 1.0

    def _pace(self, room: RoomId) -> Pace:
        pace = self._paces.setdefault(room, Pace())
        self._paces.move_to_end(room)
        if len(self._paces) > ROOMS_MAX:
            self._paces.popitem(last=False)
        return pace


def _unwanted(order: RoomOrder, text: str) -> set[tuple[int, int]]:
    """Find links and contacts to be masked.

    Raises:
        Refused: `links`, `contacts` where the room refuses them.

    """
    spans: set[tuple[int, int]] = set()
    for policy, find, code in (
        (order.rules.links, contacts.links_in, "links"),
        (order.rules.contacts, contacts.contacts_in, "contacts"),
    ):
        if policy is Policy.ALLOW:
            continue
        found = find(text)
        if found and policy is Policy.REFUSE:
            raise Refused(code)
        spans.update(found)
    return spans
