"""The addresses that just open: one per identity, each with a reusable ticket.

Also served as `GET /v1/demo/links`, which exists in the demo only; the landing page shows them.
"""

from dataclasses import dataclass
from typing import Final

from liveroom.demo.shop import HOST, HOST_NAME, NEWCOMER, RETURNING, ROOM
from liveroom.domain.actors import ANY_ROOM, Actor, Role
from liveroom.domain.ids import DEFAULT_TENANT, RoomId, UserId
from liveroom.edge.demo_links import DemoLink
from liveroom.service.services import Services
from liveroom.service.tickets import TicketDraft

TICKET_TTL_S: Final = 12 * 3_600
_ISSUER: Final = Actor(
    user=UserId("merchant-xiaoman"), role=Role.MERCHANT, room=ANY_ROOM, tenant=DEFAULT_TENANT
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody that a link makes of its opener, and on which page."""

    page: str
    role: Role
    user: str
    name: str
    zh: str
    en: str


IDENTITIES: Final = (
    Identity(
        page="r",
        role=Role.VIEWER,
        user=RETURNING.id,
        name=RETURNING.name,
        zh="观众：老顾客林夏（金牌会员）",
        en="Viewer: Lin Xia, a returning gold member",
    ),
    Identity(
        page="r",
        role=Role.VIEWER,
        user=NEWCOMER.id,
        name=NEWCOMER.name,
        zh="观众：新朋友 Alex（有金币）",
        en="Viewer: Alex, a newcomer with coins",
    ),
    Identity(
        page="studio",
        role=Role.HOST,
        user=HOST,
        name=HOST_NAME,
        zh="主播间：小满",
        en="Studio: Xiaoman, the host",
    ),
    Identity(
        page="board",
        role=Role.MERCHANT,
        user="merchant-xiaoman",
        name="小满茶铺",
        zh="看板：小满茶铺",
        en="Board: Xiaoman Tea",
    ),
)


@dataclass(frozen=True, slots=True)
class Link:
    """One address that just opens."""

    identity: Identity
    url: str

    def for_landing(self) -> DemoLink:
        """Write it for the landing page."""
        title = f"{self.identity.zh} · {self.identity.en}"
        return DemoLink(role=str(self.identity.role), title=title, url=self.url)


async def make_links(services: Services, base_url: str) -> list[Link]:
    """Issue a reusable ticket for every identity."""
    links = []
    for identity in IDENTITIES:
        draft = TicketDraft(
            user=UserId(identity.user),
            role=identity.role,
            room=RoomId(ROOM),
            name=identity.name,
            ttl_s=TICKET_TTL_S,
            reusable=True,
        )
        ticket = await services.tickets.issue(_ISSUER, draft)
        links.append(Link(identity, f"{base_url}/{identity.page}/{ROOM}#t={ticket}"))
    return links
