"""All services of a process, built once by the composition root."""

from dataclasses import dataclass

from liveroom.service.asking import Asking
from liveroom.service.gifting import Gifting
from liveroom.service.members import Members
from liveroom.service.numbers import Numbers
from liveroom.service.ports import Ports
from liveroom.service.recognising import Recognising
from liveroom.service.rooms import Rooms
from liveroom.service.shopping import Shopping
from liveroom.service.talking import Talking
from liveroom.service.tickets import Tickets

TICK_S = 0.2
"""How often the application calls `Services.tick`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the edge may call.

    The application calls `start` before the edge listens, `tick` every `TICK_S`, and `stop`
    after the edge has gone.
    """

    rooms: Rooms
    talking: Talking
    gifting: Gifting
    recognising: Recognising
    shopping: Shopping
    members: Members
    tickets: Tickets
    asking: Asking
    numbers: Numbers

    async def start(self) -> None:
        """Publish what a crash left unpublished, and see who is still on air."""

    async def tick(self) -> None:
        """Do what time demands: cards, expired checkouts, away hosts, old keys."""

    async def stop(self) -> None:
        """Publish the rest and write the likes down."""


def build_services(ports: Ports) -> Services:
    """Wire the services to each other."""
    return Services(
        rooms=Rooms(ports),
        talking=Talking(ports),
        gifting=Gifting(ports),
        recognising=Recognising(ports),
        shopping=Shopping(ports),
        members=Members(ports),
        tickets=Tickets(ports),
        asking=Asking(ports),
        numbers=Numbers(ports),
    )
