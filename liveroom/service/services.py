"""All services of a process, built once by the composition root."""

from dataclasses import dataclass
from typing import Final

from liveroom.service.access import Access
from liveroom.service.asking import Asking
from liveroom.service.broadcasting import Broadcasting
from liveroom.service.gifting import Gifting
from liveroom.service.housekeeping import Housekeeping
from liveroom.service.members import Members
from liveroom.service.numbers import Numbers
from liveroom.service.ordering import Ordering
from liveroom.service.ports import Ports
from liveroom.service.profiles import Profiles
from liveroom.service.recognising import Recognising
from liveroom.service.relay import Relay
from liveroom.service.rooms import Heard, Rooms
from liveroom.service.shopping import Shopping
from liveroom.service.talking import Talking
from liveroom.service.tickets import Tickets

TICK_S: Final = 0.2
"""How often the application calls `Services.tick`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the edge may call.

    The application calls `start` before the edge listens, `tick` every `TICK_S`, and `stop`
    after the edge has gone and before it closes bus and store.
    """

    access: Access
    rooms: Rooms
    talking: Talking
    gifting: Gifting
    recognising: Recognising
    shopping: Shopping
    members: Members
    tickets: Tickets
    asking: Asking
    numbers: Numbers
    broadcasting: Broadcasting
    housekeeping: Housekeeping
    relay: Relay

    async def start(self) -> None:
        """Take hosts off the air whom a crash left on it, and publish what is unpublished."""
        await self.broadcasting.recover()
        await self.relay.start()

    async def tick(self) -> None:
        """Do what time demands: cards, likes, expired checkouts, absent hosts, old keys."""
        await self.housekeeping.tick()

    async def stop(self) -> None:
        """Answer what was accepted, write the likes down and publish the rest."""
        await self.gifting.finish()
        await self.rooms.finish()
        await self.recognising.finish()
        await self.talking.write_likes()
        await self.relay.stop()


def build_services(ports: Ports) -> Services:
    """Wire the services to each other."""
    access = Access(ports.store)
    profiles = Profiles(ports.store, ports.policy.thresholds)
    talking = Talking(ports, access, profiles)
    recognising = Recognising(ports, access, profiles)
    broadcasting = Broadcasting(ports, access)
    heard = Heard(
        texts=talking.recent,
        cards=recognising.current,
        likes=talking.likes,
        write_likes=talking.write_likes,
    )
    gifting = Gifting(ports, access)
    shopping = Shopping(ports, access, profiles, Ordering(ports))
    members = Members(ports, access, profiles)
    numbers = Numbers(ports, access, talking)
    rooms = Rooms(ports, access, heard, broadcasting)
    return Services(
        access=access,
        rooms=rooms,
        talking=talking,
        gifting=gifting,
        recognising=recognising,
        shopping=shopping,
        members=members,
        tickets=Tickets(ports, access),
        asking=Asking(
            gifting=gifting,
            members=members,
            numbers=numbers,
            recognising=recognising,
            rooms=rooms,
            shopping=shopping,
        ),
        numbers=numbers,
        broadcasting=broadcasting,
        housekeeping=Housekeeping(ports, talking, recognising, shopping, broadcasting),
        relay=Relay(ports.store, ports.bus),
    )
