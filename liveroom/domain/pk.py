"""A PK of two rooms: invited, running, settled once; who wins is a pure function.

Each room shows the other's host for a set time while both audiences support theirs. What counts
is how many people take part, and their likes up to a bound each: the law lets nobody be ranked
by tips alone, so coins count only where the operator's rule says so. Times are UTC ms.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NewType

from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.refusals import Refused

PkId = NewType("PkId", str)

SECONDS_DEFAULT: Final = 300
SECONDS_MIN: Final = 10
SECONDS_MAX: Final = 1_800
INVITED_MS_MAX: Final = 60_000
"""An invitation that is not accepted for so long is void."""
SHOWN_MS: Final = 10_000
"""So long both hosts stay on both screens after the end, with the result."""


class Phase(StrEnum):
    """Where a PK is; `VOID` = never begun: declined, withdrawn or not answered."""

    INVITED = "invited"
    RUNNING = "running"
    SETTLED = "settled"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What a room's people did for their host: how many, their counted likes, their coins."""

    supporters: int = 0
    likes: int = 0
    coins: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRule:
    """What counts how much; of one person at most `likes_each_max` likes."""

    per_supporter: int = 10
    per_like: int = 1
    per_coin: int = 0
    likes_each_max: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two rooms; its host stands on `slot` of the other one."""

    room: RoomId
    user: UserId
    name: str
    slot: int
    support: Support = Support()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pk:
    """A PK; `sides` begins with who invited. `at` is when its phase began."""

    id: PkId
    sides: tuple[Side, Side]
    phase: Phase
    seconds: int
    at: int
    deadline: int
    winner: RoomId | None = None

    def side(self, room: RoomId) -> Side:
        """Return a room's side."""
        return next(side for side in self.sides if side.room == room)

    def other(self, room: RoomId) -> Side:
        """Return the other room's side."""
        return next(side for side in self.sides if side.room != room)


def score(support: Support, rule: ScoreRule) -> int:
    """Weigh what a room's people did."""
    return (
        support.supporters * rule.per_supporter
        + support.likes * rule.per_like
        + support.coins * rule.per_coin
    )


def winner_of(sides: tuple[Side, Side], rule: ScoreRule) -> RoomId | None:
    """Say who wins: the higher score, then more people; None is a draw, and both have won."""
    first, second = sides
    one = (score(first.support, rule), first.support.supporters)
    two = (score(second.support, rule), second.support.supporters)
    if one == two:
        return None
    return first.room if one > two else second.room


def invite(id_: PkId, *, sides: tuple[Side, Side], seconds: int, at: int) -> Pk:
    """Invite another room."""
    if sides[0].room == sides[1].room:
        raise Refused("invalid", "A room has no PK with itself.")
    if not SECONDS_MIN <= seconds <= SECONDS_MAX:
        raise Refused("invalid", f"A PK lasts from {SECONDS_MIN} to {SECONDS_MAX} seconds.")
    deadline = at + INVITED_MS_MAX
    return Pk(id=id_, sides=sides, phase=Phase.INVITED, seconds=seconds, at=at, deadline=deadline)


def accept(pk: Pk, room: RoomId, *, slot: int, at: int) -> Pk:
    """Let the invited room agree: it begins; the one that invited has agreed already."""
    if pk.phase is not Phase.INVITED or at >= pk.deadline:
        raise Refused("no_pk")
    if pk.sides[1].room != room:
        return pk
    sides = (replace(pk.sides[0], slot=slot), pk.sides[1])
    deadline = at + pk.seconds * 1_000
    return replace(pk, sides=sides, phase=Phase.RUNNING, at=at, deadline=deadline)


def supported(pk: Pk, support: Mapping[RoomId, Support]) -> Pk:
    """Take the totals so far; after the end nothing counts any more."""
    if pk.phase is not Phase.RUNNING:
        return pk
    first, second = (
        replace(side, support=support.get(side.room, side.support)) for side in pk.sides
    )
    return replace(pk, sides=(first, second))


def settle(pk: Pk, rule: ScoreRule, *, at: int) -> Pk:
    """End a PK whose time is over, once; before that and again nothing happens."""
    if at < pk.deadline:
        return pk
    if pk.phase is Phase.INVITED:
        return replace(pk, phase=Phase.VOID, at=at)
    if pk.phase is not Phase.RUNNING:
        return pk
    return replace(pk, phase=Phase.SETTLED, at=at, winner=winner_of(pk.sides, rule))


def leave(pk: Pk, room: RoomId, *, at: int) -> Pk:
    """Let a room end it early: an invitation is void, a running PK is the other room's."""
    if pk.phase is Phase.INVITED:
        return replace(pk, phase=Phase.VOID, at=at)
    if pk.phase is not Phase.RUNNING:
        return pk
    return replace(pk, phase=Phase.SETTLED, at=at, deadline=at, winner=pk.other(room).room)
