"""All services of a process, built once by the composition root."""

from dataclasses import dataclass
from typing import Final

from liveroom.service.access import Access
from liveroom.service.announcing import Announcing
from liveroom.service.asking import Asking
from liveroom.service.battling import Battling
from liveroom.service.broadcasting import Broadcasting
from liveroom.service.coins import Coins
from liveroom.service.couponing import Couponing
from liveroom.service.delivering import Delivering
from liveroom.service.directing import Directing
from liveroom.service.earning import Earning
from liveroom.service.gifting import Gifting
from liveroom.service.goals import Goals
from liveroom.service.housekeeping import Housekeeping
from liveroom.service.importing import Importing
from liveroom.service.judging import Judging
from liveroom.service.levelling import Levelling
from liveroom.service.lines import Lines
from liveroom.service.loyalty_commands import Loyalty
from liveroom.service.members import Members
from liveroom.service.moderating import Moderating
from liveroom.service.numbers import Numbers
from liveroom.service.ordering import Ordering
from liveroom.service.parcelling import Parcelling
from liveroom.service.ports import Ports
from liveroom.service.profiles import Profiles
from liveroom.service.quoting import Quoting
from liveroom.service.recognising import Recognising
from liveroom.service.redeeming import give_back
from liveroom.service.refunding import Refunding
from liveroom.service.relay import Relay
from liveroom.service.replays import Replays
from liveroom.service.reviewing import Reviewing
from liveroom.service.rewarding import Rewarding
from liveroom.service.rooms import Heard, Rooms
from liveroom.service.ruling import Ruling
from liveroom.service.settling import Settling
from liveroom.service.shopping import Shopping
from liveroom.service.staging import Staging
from liveroom.service.standing import Standing
from liveroom.service.talking import Talking
from liveroom.service.tickets import Tickets
from liveroom.service.unwinding import Unwinding
from liveroom.service.webhooks import Webhooks

TICK_S: Final = 0.2
"""How often the application calls `Services.tick`."""
LINES_COUNTED_EVERY_MS: Final = 1_000
POINTS_SETTLED_EVERY_MS: Final = 60_000
LEVELS_REVIEWED_EVERY_MS: Final = 60_000


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
    coins: Coins
    settling: Settling
    unwinding: Unwinding
    goals: Goals
    earning: Earning
    recognising: Recognising
    ruling: Ruling
    couponing: Couponing
    rewarding: Rewarding
    quoting: Quoting
    levelling: Levelling
    shopping: Shopping
    refunding: Refunding
    parcelling: Parcelling
    members: Members
    importing: Importing
    tickets: Tickets
    asking: Asking
    moderating: Moderating
    reviewing: Reviewing
    announcing: Announcing
    webhooks: Webhooks
    delivering: Delivering
    numbers: Numbers
    broadcasting: Broadcasting
    staging: Staging
    battling: Battling
    directing: Directing
    housekeeping: Housekeeping
    relay: Relay
    replays: Replays

    async def start(self) -> None:
        """Take hosts off the air whom a crash left on it, and publish what is unpublished."""
        await self.broadcasting.recover()
        await self.staging.recover()
        await self.battling.start()
        await self.relay.start()
        await self.delivering.start()

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
        await self.delivering.stop()


def build_services(ports: Ports) -> Services:
    """Wire the services to each other."""
    standing = Standing(ports.store, ports.now_ms)
    access = Access(ports.store, standing)
    shared = ports.bus.is_shared
    profiles = Profiles(ports.store, ports.now_ms if shared else None)
    lines = Lines()
    ports.bus.subscribe_all(lines.hear)
    reviewing = Reviewing(ports, access, lines)
    rewarding = Rewarding(ports, access)
    battling = Battling(ports, access)
    ports.bus.subscribe_all(battling.hear)
    judging = Judging(standing, ports.now_ms)
    talking = Talking(ports, access, profiles, judging, reviewing, battling.liked, rewarding.heard)
    moderating = Moderating(ports, access, standing, lines)
    recognising = Recognising(ports, access, profiles)
    ports.bus.subscribe_all(recognising.hear)
    broadcasting = Broadcasting(ports, access)
    staging = Staging(ports, access, profiles)
    heard = Heard(
        texts=lines.recent,
        cards=recognising.current,
        likes=talking.likes,
        cues=lambda actor, state: (
            *staging.cues(actor, state),
            *battling.invitations(actor, state.room.id),
        ),
        rounds=battling.rounds,
        write_likes=talking.write_likes,
    )
    gifting = Gifting(ports, access)
    delivering = Delivering(ports)
    ports.bus.subscribe_all(delivering.hear)
    coins = Coins(ports, access)
    unwinding = Unwinding(ports, access)
    earning = Earning(ports, access)
    levelling = Levelling(ports, profiles)
    undo = (
        rewarding.after_refund,
        levelling.after_refund,
        lambda tx, tenant, done: give_back(tx, tenant, done, at=ports.now_ms()),
    )
    refunding = Refunding(ports, access, profiles, undo)
    parcelling = Parcelling(ports, access)
    couponing = Couponing(ports, access)
    quoting = Quoting(ports, access)
    ordering = Ordering(ports, levelling, rewarding)
    shopping = Shopping(ports, access, profiles, ordering)
    members = Members(ports, access, profiles)
    numbers = Numbers(ports, access, talking)
    rooms = Rooms(ports, access, heard, broadcasting, standing)
    return Services(
        access=access,
        rooms=rooms,
        talking=talking,
        gifting=gifting,
        coins=coins,
        settling=Settling(shopping, coins),
        unwinding=unwinding,
        goals=Goals(ports, access),
        earning=earning,
        recognising=recognising,
        ruling=Ruling(ports, access),
        couponing=couponing,
        rewarding=rewarding,
        quoting=quoting,
        levelling=levelling,
        shopping=shopping,
        refunding=refunding,
        parcelling=parcelling,
        members=members,
        importing=Importing(ports, access, profiles, members, ordering),
        tickets=Tickets(ports, access),
        asking=Asking(
            gifting=gifting,
            loyalty=Loyalty(couponing=couponing, rewarding=rewarding, quoting=quoting),
            members=members,
            moderating=moderating,
            numbers=numbers,
            recognising=recognising,
            reviewing=reviewing,
            rooms=rooms,
            shopping=shopping,
            staging=staging,
            battling=battling,
        ),
        moderating=moderating,
        reviewing=reviewing,
        announcing=Announcing(ports, access),
        webhooks=Webhooks(ports, access),
        delivering=delivering,
        numbers=numbers,
        broadcasting=broadcasting,
        staging=staging,
        battling=battling,
        directing=Directing(ports.store, ports.media),
        housekeeping=Housekeeping(
            ports,
            talking,
            recognising,
            shopping,
            broadcasting,
            staging,
            refunding,
            parcelling,
            unwinding,
            earning,
            battling,
            more=(
                (LINES_COUNTED_EVERY_MS, rewarding.count_lines),
                (POINTS_SETTLED_EVERY_MS, rewarding.settle),
                (LEVELS_REVIEWED_EVERY_MS, levelling.review_due),
            ),
        ),
        relay=Relay(ports.store, ports.bus),
        replays=Replays(ports, access, ports.node),
    )
