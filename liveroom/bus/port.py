"""The bus carries news from whoever publishes to every node where somebody watches the room.

It is never truth: durable events are in the store first, and a client that missed some
resumes by offset. Services publish, the gateway and the numbers subscribe.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from liveroom.domain.events import Event
from liveroom.domain.ids import RoomId, UserId


@dataclass(frozen=True, slots=True)
class Publication:
    """News of one room: events in their order, and how many likes were added."""

    room: RoomId
    events: tuple[Event, ...] = ()
    likes: int = 0


Deliver = Callable[[Publication], None]
"""Takes a publication at once and never waits; it runs on the event loop."""

Unsubscribe = Callable[[], None]
"""Ends a subscription; calling it again does nothing."""


class BusUnavailableError(ConnectionError):
    """The broker did not take durable events: they stay in the outbox, publish them again."""


def is_durable(event: Event) -> bool:
    """Whether the store has the event too: the bus must neither lose nor double it."""
    return event.n is not None or event.pn is not None


class Bus(Protocol):
    """What every bus promises.

    Order: what is published here reaches a room's subscribers here in that order; events
    with an `n` reach every node in the order of their numbers. Fleeting events of several
    nodes mix freely, and those of another node may come merged.
    Delivery: fleeting events and likes at most once, to the subscriptions that existed then.
    Events with an `n`: exactly once and without a gap to every subscription that was `ready`
    before they were committed, late after an outage (then from the store). Personal events:
    at least once, in the order of their `pn`.
    A subscriber that raises is logged and does not keep others from theirs.
    """

    @property
    def is_shared(self) -> bool:
        """Whether other processes publish and hear here too."""
        ...

    @property
    def is_degraded(self) -> bool:
        """Whether the other nodes cannot be reached; this one goes on, fed by the store."""
        ...

    async def publish(self, publication: Publication) -> None:
        """Hand a publication to everybody subscribed to its room.

        Raises:
            BusUnavailableError: durable events may not have reached the other nodes; the
                same publication again is harmless. Fleeting ones never raise.

        """
        ...

    def subscribe(self, room: RoomId, deliver: Deliver) -> Unsubscribe:
        """Take the publications of one room from now on."""
        ...

    def subscribe_all(self, deliver: Deliver) -> Unsubscribe:
        """Take what is heard in this process: its own news, and rooms subscribed to here."""
        ...

    async def ready(self, room: RoomId) -> None:
        """Wait until nothing committed from now on can miss the room's subscriptions.

        Call it between subscribing and reading a snapshot. It waits for a broker no longer
        than a moment: what comes meanwhile is made up for from the store.
        """
        ...

    async def start(self) -> None:
        """Connect, where there is something to connect to; a broker that is down is no error."""
        ...

    async def close(self) -> None:
        """Stop delivering and let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Share:
    """What a process has of a room: people, media sessions, lines said there per second."""

    online: int = 0
    sessions: int = 0
    messages_per_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a room's host is: that process' HTTP origin, and the media session of whom."""

    process: str
    url: str
    user: UserId
    session: str


class Company(Protocol):
    """The other processes on the bus, as far as they are known here; never certain."""

    def share(self, room: RoomId) -> Share:
        """Sum up what the others have of a room."""
        ...

    def peers(self) -> tuple[str, ...]:
        """Name the processes that were heard of lately, this one included."""
        ...

    def origins(self) -> tuple[str, ...]:
        """List the HTTP origins of the others."""
        ...

    async def elsewhere(self, room: RoomId) -> Place | None:
        """Tell where a room's host is if that is another process."""
        ...

    def origin_of(self, room: RoomId) -> str | None:
        """Tell the HTTP origin of another process that had the host when that was asked last."""
        ...

    async def is_placed(self, room: RoomId) -> bool:
        """Whether some living process has the room's host; True when that cannot be known."""
        ...

    async def take(self, room: RoomId, user: UserId, session: str) -> None:
        """Note that a room's host is here now; who had them before gives them up."""
        ...

    async def verify(self, room: RoomId) -> None:
        """Look anew where a room's host is: one that is here no more is given up."""
        ...

    async def release(self, room: RoomId, session: str) -> None:
        """Note that the host has gone, unless somebody else has them by now."""
        ...


class Alone:
    """The company of a single process."""

    def share(self, _room: RoomId) -> Share:
        """Have no others to ask."""
        return Share()

    def peers(self) -> tuple[str, ...]:
        """Know nobody."""
        return ()

    def origins(self) -> tuple[str, ...]:
        """Know nobody."""
        return ()

    async def elsewhere(self, _room: RoomId) -> Place | None:
        """Have every host here."""
        return None

    def origin_of(self, _room: RoomId) -> str | None:
        """Have every host here."""
        return None

    async def is_placed(self, _room: RoomId) -> bool:
        """After a start no host is here."""
        return False

    async def take(self, _room: RoomId, _user: UserId, _session: str) -> None:
        """Have nobody to tell."""

    async def verify(self, _room: RoomId) -> None:
        """Have every host here."""

    async def release(self, _room: RoomId, _session: str) -> None:
        """Have nobody to tell."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a room's history goes: its epoch, and its last event number."""

    epoch: str
    n: int


class History(Protocol):
    """The truth behind the news, as a bus asks for it. Every call may raise `Refused`."""

    async def positions(self, rooms: Collection[RoomId]) -> Mapping[RoomId, Position]:
        """Tell how far the rooms are; one that does not exist is left out."""
        ...

    async def since(self, room: RoomId, offset: int) -> Sequence[Event]:
        """List the room's events after an offset, in order; a bounded page of them."""
        ...

    async def personal_since(self, rooms: Collection[RoomId], at: int) -> Sequence[Event]:
        """List the personal events in these rooms from a time on (UTC ms), in order."""
        ...
