"""Who speaks on a stage, from the audio levels that publishers send along (RFC 6464).

In: levels with their moments, and now and then the question. Out: the one speaker of a room,
or nobody, told only when it changes. A cough does not take the floor: a newcomer must be
clearly louder, or the one before must have fallen silent. Must not know packets or slots.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from sfu.media.model import RoomId, SessionId, SpeakerEvent

SILENCE_DB = 127
"""The level of silence; levels are decibels below the loudest (RFC 6464 section 3)."""
AUDIBLE_DB = 50
"""Whoever is quieter than this does not speak."""
LOUDER_DB = 6
"""By so much a newcomer must be louder than who speaks."""
SMOOTHING_S = 0.3
"""Over how long levels are averaged."""
FADE_S = 0.8
"""Without a packet for so long (comfort noise is sent seldom) a voice has fallen silent."""
HOLD_S = 1.0
"""So long a speaker stays the speaker at least."""
ASK_EVERY_S = 0.25
"""How often anybody is asked; a room so hears of a change at most once in `HOLD_S`."""


@final
class Loudness:
    """One voice: decibels above silence, averaged."""

    __slots__ = ("_average", "_heard_at")

    def __init__(self) -> None:
        self._average = 0.0
        self._heard_at: float | None = None

    def heard(self, level: bytes, *, now: float) -> None:
        """Take the value of the header extension: a voice bit, and 7 bits of level."""
        if not level:
            return
        loud = SILENCE_DB - (level[0] & 0x7F)
        if self._heard_at is None or now - self._heard_at > FADE_S:
            self._average = 0.0
            self._heard_at = now - SMOOTHING_S / 4
        weight = min(1.0, max(0.0, now - self._heard_at) / SMOOTHING_S)
        self._average += (loud - self._average) * weight
        self._heard_at = now

    def above_silence_db(self, *, now: float) -> float:
        """Return how loud the voice is now; 0 is silence."""
        if self._heard_at is None or now - self._heard_at > FADE_S:
            return 0.0
        return self._average


@dataclass(slots=True)
class _Floor:
    session: SessionId | None
    since: float


@final
class Speakers:
    """The speaker of each room."""

    __slots__ = ("_asked_at", "_floors")

    def __init__(self) -> None:
        self._floors: dict[RoomId, _Floor] = {}
        self._asked_at = float("-inf")

    def is_due(self, *, now: float) -> bool:
        """Say whether it is time to ask again, and if so note it."""
        if now - self._asked_at < ASK_EVERY_S:
            return False
        self._asked_at = now
        return True

    def decide(
        self, voices: Mapping[RoomId, Mapping[SessionId, float]], *, now: float
    ) -> list[SpeakerEvent]:
        """Take how loud everybody is in the rooms where several could speak; return changes.

        Rooms that are not named have no speaker any more, which is told once.
        """
        closed = [room for room in self._floors if room not in voices]
        changes = [
            SpeakerEvent(room, None)
            for room in closed
            if self._floors.pop(room).session is not None
        ]
        for room, loud in voices.items():
            floor = self._floors.setdefault(room, _Floor(None, now - HOLD_S))
            if now - floor.since < HOLD_S and floor.session in loud:
                continue
            speaker = _speaker(loud, floor.session)
            if speaker != floor.session:
                self._floors[room] = _Floor(speaker, now)
                changes.append(SpeakerEvent(room, speaker))
        return changes


def _speaker(loud: Mapping[SessionId, float], current: SessionId | None) -> SessionId | None:
    audible = SILENCE_DB - AUDIBLE_DB
    loudest = max(loud, key=lambda session: (loud[session], session), default=None)
    if loudest is None or loud[loudest] < audible:
        return None
    before = 0.0 if current is None else loud.get(current, 0.0)
    if before >= audible and loud[loudest] < before + LOUDER_DB:
        return current
    return loudest
