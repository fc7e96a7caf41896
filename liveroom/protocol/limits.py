"""How fast one user may go: token buckets per kind of command, and a watch for abuse.

One `Allowance` is shared by all sockets of a user on this node. Over a rate a command is
refused with the time to wait; ten times over for ten seconds ends the connection.
Time is passed in; nothing here knows a clock or a socket.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

ABUSE_FACTOR = 10
"""This many times the rate counts as abuse …"""
ABUSE_SECONDS = 10
"""… when it lasts for this many seconds in a row."""


class Kind(StrEnum):
    """What is counted apart."""

    SAY = "say"
    GIFT = "gift"
    LIKE = "like"
    ASK = "ask"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second, and so many at once after a pause."""

    per_s: float
    burst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The limits of one user."""

    say: Rate = Rate(2, 10)
    gift: Rate = Rate(20, 20)
    like: Rate = Rate(20, 40)
    ask: Rate = Rate(10, 20)
    other: Rate = Rate(10, 20)


@dataclass(frozen=True, slots=True)
class Admission:
    """How much of what was asked may pass, when to try the rest, and whether it is abuse."""

    admitted: int
    retry_ms: int = 0
    abusive: bool = False


class TokenBucket:
    """Fills at a rate up to its burst; full at the beginning."""

    __slots__ = ("_at", "_level", "_rate")

    def __init__(self, rate: Rate, *, now: float) -> None:
        self._rate = rate
        self._level = float(rate.burst)
        self._at = now

    def take(self, wanted: int, *, now: float) -> int:
        """Take up to `wanted` whole tokens."""
        self._fill(now)
        taken = min(wanted, int(self._level))
        self._level -= taken
        return taken

    def wait_s(self, wanted: int, *, now: float) -> float:
        """Say how long until `wanted` tokens (at most a full bucket) are there."""
        self._fill(now)
        missing = min(wanted, self._rate.burst) - self._level
        return max(0.0, missing / self._rate.per_s)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(
                float(self._rate.burst), self._level + (now - self._at) * self._rate.per_s
            )
            self._at = now


class AbuseWatch:
    """Counts attempts second by second and remembers how many bad seconds came in a row."""

    __slots__ = ("_bound", "_count", "_second", "_streak")

    def __init__(self, rate: Rate) -> None:
        self._bound = rate.per_s * ABUSE_FACTOR
        self._second = -1
        self._count = 0
        self._streak = 0

    def note(self, attempts: int, *, now: float) -> bool:
        """Note attempts; True once the streak is long enough."""
        second = int(now)
        if second != self._second:
            bad = self._count >= self._bound and second == self._second + 1
            self._streak = self._streak + 1 if bad else 0
            self._second = second
            self._count = 0
        self._count += attempts
        return self._streak >= ABUSE_SECONDS


class Allowance:
    """One user's buckets; a kind's bucket is made when it is first used."""

    __slots__ = ("_kinds", "_rates")

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._kinds: dict[Kind, tuple[TokenBucket, AbuseWatch]] = {}

    def admit(self, kind: Kind, *, now: float, count: int = 1) -> Admission:
        """Let as much pass as the rate allows; `count` matters for likes only."""
        pair = self._kinds.get(kind)
        if pair is None:
            rate: Rate = getattr(self._rates, kind.value)
            pair = self._kinds[kind] = (TokenBucket(rate, now=now), AbuseWatch(rate))
        bucket, watch = pair
        abusive = watch.note(count, now=now)
        admitted = bucket.take(count, now=now)
        if admitted == count:
            return Admission(admitted, abusive=abusive)
        retry_ms = ceil(bucket.wait_s(count - admitted, now=now) * 1000)
        return Admission(admitted, retry_ms=max(1, retry_ms), abusive=abusive)
