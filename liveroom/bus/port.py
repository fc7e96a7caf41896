"""The bus carries news from whoever publishes to every node where somebody watches the room.

It is never truth: durable events are in the store first, and a client that missed some
resumes by offset. Services publish, the gateway and the numbers subscribe.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from liveroom.domain.events import Event
from liveroom.domain.ids import RoomId


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


class Bus(Protocol):
    """What every bus promises.

    Order: publications of one room arrive in the order in which they were published here.
    Delivery: at most once to each subscription, to all that existed when it was published;
    a subscriber that raises is logged and does not keep others from theirs.
    """

    async def publish(self, publication: Publication) -> None:
        """Hand a publication to everybody subscribed to its room."""
        ...

    def subscribe(self, room: RoomId, deliver: Deliver) -> Unsubscribe:
        """Take the publications of one room from now on."""
        ...

    def subscribe_all(self, deliver: Deliver) -> Unsubscribe:
        """Take the publications of every room from now on."""
        ...

    async def start(self) -> None:
        """Connect, where there is something to connect to."""
        ...

    async def close(self) -> None:
        """Stop delivering and let go of connections."""
        ...
