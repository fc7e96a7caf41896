"""Lost packets, both ways: what to ask of a publisher, what to answer to a viewer.

`ReceiveLog` knows which numbers of a track are missing and when to ask for them again;
`Answers` keeps a leg's viewer from being sent the same packet too often. Both are bounded
whatever the other side sends. Must not know how packets look.
"""

from dataclasses import dataclass
from typing import final

MISSING_MAX = 512
"""Numbers a track may miss at once; the oldest are given up."""
ASKS_MAX = 10
"""Requests for one number before it is given up."""
MISSING_AGE_MAX_S = 1.0
"""A packet missing for longer is of no use to anybody."""
ASK_INTERVAL_MIN_S = 0.02
ROUND_TRIP_FIRST_GUESS_S = 0.1

ANSWERS_MAX = 3
"""Resends of one number to one viewer."""
HOLD_OFF_MIN_S = 0.02
"""The least time between two resends of one number; the round trip when that is longer."""
NUMBERS_PER_NACK_MAX = 512
"""Numbers of one NACK that are looked at; the rest are refused and counted."""
ANSWERED_KEPT = 8192
"""Numbers behind the newest for which resends are counted and allowed."""


@dataclass(slots=True)
class _Missing:
    since: float
    next_at: float
    asks: int = 0
    asked_at: float = 0.0


@final
class ReceiveLog:
    """Which numbers of one track are missing, and when to ask for each again."""

    __slots__ = ("_missing", "_round_trip_s", "given_up", "recovered")

    def __init__(self) -> None:
        self._missing: dict[int, _Missing] = {}
        self._round_trip_s = ROUND_TRIP_FIRST_GUESS_S
        self.recovered = 0
        self.given_up = 0

    def advanced(self, previous: int, sequence: int, *, now: float) -> None:
        """Note that the stream moved on; numbers between are missing (the last 512 of them)."""
        gap = sequence - previous - 1
        if gap <= 0:
            return
        self.given_up += max(0, gap - MISSING_MAX)
        for lost in range(sequence - min(gap, MISSING_MAX), sequence):
            self._missing[lost] = _Missing(now, now)
        while len(self._missing) > MISSING_MAX:
            # Numbers are added in rising order, so the first is the oldest.
            del self._missing[next(iter(self._missing))]
            self.given_up += 1

    def filled(self, sequence: int, *, now: float) -> bool:
        """Note a packet that came late; say whether it had been asked for."""
        missing = self._missing.pop(sequence, None)
        if missing is None:
            return False
        if missing.asks == 1:
            sample = min(max(now - missing.asked_at, 0.0), MISSING_AGE_MAX_S)
            self._round_trip_s += (sample - self._round_trip_s) / 8
        if missing.asks:
            self.recovered += 1
        return missing.asks > 0

    def awaits(self, sequence: int) -> bool:
        """Say whether a number is missing and not given up."""
        return sequence in self._missing

    def clear(self) -> None:
        """Forget what is missing: the stream began anew."""
        self._missing.clear()

    def due(self) -> float | None:
        """Return when a number is to be asked for next."""
        return min((m.next_at for m in self._missing.values()), default=None)

    def take(self, *, now: float) -> tuple[int, ...]:
        """Return the numbers to ask for now, and note that they were asked for."""
        if not self._missing:
            return ()
        wait = max(ASK_INTERVAL_MIN_S, self._round_trip_s)
        asked: list[int] = []
        hopeless: list[int] = []
        for sequence, missing in self._missing.items():
            if missing.next_at > now:
                continue
            if missing.asks >= ASKS_MAX or now - missing.since > MISSING_AGE_MAX_S:
                hopeless.append(sequence)
                continue
            missing.asks += 1
            missing.asked_at = now
            missing.next_at = now + wait
            asked.append(sequence)
        for sequence in hopeless:
            del self._missing[sequence]
        self.given_up += len(hopeless)
        return tuple(asked)


@final
class Answers:
    """How often and when each number was sent again to one leg."""

    __slots__ = ("_answered",)

    def __init__(self) -> None:
        self._answered: dict[int, tuple[int, float]] = {}

    def allow(self, sequence: int, *, newest: int, round_trip_s: float, now: float) -> bool:
        """Say whether to send a number again, and if so note it."""
        if not newest - ANSWERED_KEPT < sequence <= newest:
            return False
        count, last = self._answered.get(sequence, (0, float("-inf")))
        if count >= ANSWERS_MAX or now - last < max(HOLD_OFF_MIN_S, round_trip_s):
            return False
        if count == 0 and len(self._answered) >= ANSWERED_KEPT:
            self._forget(newest)
        self._answered[sequence] = (count + 1, now)
        return True

    def _forget(self, newest: int) -> None:
        oldest = newest - ANSWERED_KEPT
        self._answered = {s: a for s, a in self._answered.items() if s > oldest}
