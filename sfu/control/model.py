"""The vocabulary of control: what a caller asks to open, what it gets, what it is told later."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from sfu.media.model import Output, RoomId, SessionId

Address = tuple[Any, ...]
"""What the socket calls a peer: (host, port), and two more numbers in IPv6."""


class Direction(StrEnum):
    """Which way media flows in a session, seen from the peer."""

    PUBLISH = "publish"
    PLAY = "play"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Somebody, already authenticated, asks for a session.

    `address` is the host that the HTTP request came from; it is only counted.
    """

    direction: Direction
    room: RoomId
    user: str
    role: str
    address: str
    offer: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that exists now: its id, the answer, the name of its ICE session."""

    session: SessionId
    answer: str
    etag: str


@dataclass(frozen=True, slots=True)
class MediaEvent:
    """Something the rest of the house wants to know.

    `kind`: "live" (a publisher's first media packet, also after a stall), "away" (a live
    publisher's media ended or stalled), "left" (a guest's session ended), "speaker" (somebody
    else speaks on a room's stage, nobody when `user` is empty), "sound_only" (a viewer's path
    carries no picture of a slot any more), "picture" (it does again), "session_opened",
    "session_closed", "recorded" (a recording's file is closed). `detail` tells the direction,
    the role, and why: {"reason": …}.
    """

    kind: str
    room: str
    user: str
    session: str
    detail: Mapping[str, str] = field(default_factory=dict)


class Transmit(Protocol):
    """Hand one datagram to the network; it may be lost."""

    def __call__(self, data: bytes, address: Address) -> None:
        """Send, never raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """The ways back out of control, wired once in `app`."""

    transmit: Transmit
    act: Callable[[Output], None]
    """Send what the engine returned."""
    on_event: Callable[[MediaEvent], None]
    on_join_step: Callable[[str, float], None]
    """Name and seconds of one step of a join: ice, dtls, first_packet."""
