"""What happens on a stage: who stands and waits there, private calls, PKs.

Part of `events`, which re-exports what is here; other modules import it from there.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from liveroom.domain.delivery import Audience, Delivery
from liveroom.domain.ids import RoomId, UserId


class Standing(StrEnum):
    """As what somebody stands on a stage; a rival is another room's host."""

    HOST = "host"
    GUEST = "guest"
    RIVAL = "rival"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One place on the stage: who stands there and whether their media flows.

    `audio` and `video` false = muted by the host. `room` is a rival's own; `since` is when a
    guest was seated or their media began or stopped (UTC ms).
    """

    slot: int
    user: UserId
    name: str
    live: bool
    audio: bool = True
    video: bool = True
    role: Standing = Standing.HOST
    room: RoomId | None = None
    since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChanged:
    """Who is on stage now; slot 0 is the main place. `live` false = slate, they will be back.

    `private` = the host is in a private call and not to be seen here meanwhile.
    """

    KIND: ClassVar[str] = "stage"
    DELIVERY: ClassVar[Delivery] = Delivery.STATE
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    slots: tuple[Slot, ...]
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Somebody who waits for the mic; `accepted` = next in line, `first` = by their level."""

    user: UserId
    name: str
    tier: str
    at: int
    first: bool = False
    accepted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChanged:
    """Who waits for the mic now, in line: for the host."""

    KIND: ClassVar[str] = "mic_queue"
    DELIVERY: ClassVar[Delivery] = Delivery.CUE
    AUDIENCE: ClassVar[Audience] = Audience.HOST
    asked: tuple[Asked, ...]
    seats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MicChanged:
    """How one stands with the mic: asked (with a place in line), next, declined, down, none."""

    KIND: ClassVar[str] = "mic"
    DELIVERY: ClassVar[Delivery] = Delivery.CUE
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    phase: str
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seated:
    """One has a seat and what it takes to publish; `invited` = without having asked."""

    KIND: ClassVar[str] = "seat"
    DELIVERY: ClassVar[Delivery] = Delivery.CUE
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    slot: int
    whip_url: str
    token: str | None
    invited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChanged:
    """A private call of two: invited, active, ended; the called one gets what publishing takes."""

    KIND: ClassVar[str] = "call"
    DELIVERY: ClassVar[Delivery] = Delivery.CUE
    AUDIENCE: ClassVar[Audience] = Audience.ONE
    phase: str
    user: UserId
    name: str
    whip_url: str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PkSide:
    """One of the two rooms of a PK with its score so far."""

    room: RoomId
    user: UserId
    name: str
    score: int
    supporters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundChanged:
    """A round began, or was settled once: `winner` is a room, None = a draw (UTC ms)."""

    KIND: ClassVar[str] = "round"
    DELIVERY: ClassVar[Delivery] = Delivery.STATE
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    round: str
    type: str
    phase: str
    started_at: int
    deadline: int
    sides: tuple[PkSide, ...] = ()
    winner: RoomId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PkScored:
    """How a running PK stands, at most once a second."""

    KIND: ClassVar[str] = "pk_score"
    DELIVERY: ClassVar[Delivery] = Delivery.CUE
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    round: str
    sides: tuple[PkSide, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PkInvited:
    """Another room's host asks for a PK (`incoming`), or was asked; `phase` void = it is off."""

    KIND: ClassVar[str] = "pk_invite"
    DELIVERY: ClassVar[Delivery] = Delivery.CUE
    AUDIENCE: ClassVar[Audience] = Audience.HOST
    round: str
    phase: str
    incoming: bool
    room: RoomId
    user: UserId
    name: str
    seconds: int
    deadline: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerChanged:
    """Who speaks on stage now; None = nobody."""

    KIND: ClassVar[str] = "speaker"
    DELIVERY: ClassVar[Delivery] = Delivery.CUE
    AUDIENCE: ClassVar[Audience] = Audience.ALL
    user: UserId | None
