"""How often: slow mode for each person, and the same text again and again.

Bounded memory: who spoke longest ago is forgotten, which at worst lets them speak again.
Times are UTC milliseconds and passed in.
"""

from collections import OrderedDict, deque
from typing import Final, TypeVar

from liveroom.domain.ids import UserId

SPEAKERS_MAX: Final = 20_000
"""People of one room whose last line is remembered."""
REPEAT_WINDOW_MS: Final = 30_000
CHORUS_WINDOW_MS: Final = 10_000
CHORUS_MAX: Final = 10
"""The same text from anybody so often within the window weighs less from then on."""
CHORUS_WEIGHT: Final = 0.05
TEXTS_MAX: Final = 2_000
"""Texts of one room that are remembered."""


Key = TypeVar("Key")


class Pace:
    """Remembers when people of one room spoke and what."""

    __slots__ = ("_chorus", "_own", "_spoke_at")

    def __init__(self) -> None:
        self._spoke_at: OrderedDict[UserId, int] = OrderedDict()
        self._own: OrderedDict[tuple[UserId, str], deque[int]] = OrderedDict()
        self._chorus: OrderedDict[str, deque[int]] = OrderedDict()

    def wait_ms(self, user: UserId, slow_ms: int, *, at: int) -> int:
        """Say how long somebody has to wait until their next line; 0 = not at all."""
        spoke_at = self._spoke_at.get(user)
        if not slow_ms or spoke_at is None or at < spoke_at:
            return 0
        return max(0, spoke_at + slow_ms - at)

    def note(self, user: UserId, *, at: int) -> None:
        """Note that somebody's line was taken."""
        self._spoke_at[user] = at
        self._spoke_at.move_to_end(user)
        if len(self._spoke_at) > SPEAKERS_MAX:
            self._spoke_at.popitem(last=False)

    def repeats(self, user: UserId, folded: str, *, at: int) -> int:
        """Count how often somebody said a (folded) text lately, this time included."""
        return _count(self._own, (user, folded), at=at, window_ms=REPEAT_WINDOW_MS)

    def is_chorus(self, folded: str, *, at: int) -> bool:
        """Count a (folded) text of anybody; True when the room says it all the time."""
        return _count(self._chorus, folded, at=at, window_ms=CHORUS_WINDOW_MS) > CHORUS_MAX


def _count(times: OrderedDict[Key, deque[int]], key: Key, *, at: int, window_ms: int) -> int:
    said = times.setdefault(key, deque(maxlen=128))
    times.move_to_end(key)
    while said and at - said[0] >= window_ms:
        said.popleft()
    said.append(at)
    if len(times) > TEXTS_MAX:
        times.popitem(last=False)
    return len(said)
