"""Routes of people: import a member, one's own card and ledger, tickets instead of tokens."""

from dataclasses import asdict, replace
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from liveroom.domain.actors import AgeBand, Role
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.members import COINS_MAX, NAME_LENGTH_MAX, MemberDraft
from liveroom.domain.refusals import Refused
from liveroom.edge.api.access import find_room, owned
from liveroom.edge.api.table import (
    ANYONE,
    BEARERS,
    MERCHANTS,
    PRINTED,
    Amount,
    Call,
    Id,
    Key,
    Number,
    Row,
)
from liveroom.service.tickets import TICKET_TTL_S, TICKET_TTL_S_MAX, TicketDraft

TRADED_TTL_S = 12 * 60 * 60
"""How long a token traded for a ticket lives."""
TICKET_CHARS_MAX = 200
CURSOR_CHARS_MAX = 200

PAGES = {Role.HOST: "studio", Role.MODERATOR: "studio", Role.MERCHANT: "board", Role.ADMIN: "board"}
"""Which page a ticket of a role opens; others open the player."""

MemberName = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX, pattern=PRINTED)]


class MemberBody(msgspec.Struct, frozen=True, kw_only=True):
    """A member; `coins` is the opening balance of a new one and needs an Idempotency-Key."""

    id: Id
    name: MemberName | None = None
    age_band: AgeBand | None = None
    coins: Annotated[int, Meta(ge=0, le=COINS_MAX)] = 0
    public_orders: bool | None = None
    ritual: bool | None = None


class MemberShown(msgspec.Struct, frozen=True, kw_only=True):
    """A member record as the shop sees it; `spent` in fen."""

    id: str
    name: str | None
    age_band: AgeBand | None
    public_orders: bool
    ritual: bool
    orders: Number
    spent: Number
    created_at: Number


class NextTierShown(msgspec.Struct, frozen=True, kw_only=True):
    """The next level and what is missing to it, in fen."""

    tier: str
    missing: Number


class FollowShown(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one follows the room, and how many do."""

    following: bool
    followers: Number


class MeShown(msgspec.Struct, frozen=True, kw_only=True):
    """One's own card; `coins` is null for anonymous visitors."""

    user: str
    name: str
    role: str
    tier: str
    to_next: NextTierShown | None
    orders: Number
    visits: Number
    coins: Number | None
    age_band: AgeBand | None
    anonymous: bool
    ritual: bool
    public_orders: bool
    following: bool
    follow: FollowShown | UnsetType = UNSET


class LineShown(msgspec.Struct, frozen=True, kw_only=True):
    """One line of one's ledger; `balance` after it, `ref` = the command's id."""

    id: str
    at: Number
    unit: str
    amount: Amount
    balance: Amount
    cause: str
    ref: str


class LedgerShown(msgspec.Struct, frozen=True, kw_only=True):
    """Newest lines first; `next` continues the listing, null at its end."""

    lines: list[LineShown]
    next: str | None


class TicketBody(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a link lets in, as what; `ttl` in seconds, single use."""

    user: Id
    role: Role
    room: Id
    name: MemberName | None = None
    ttl: Annotated[int, Meta(ge=1, le=TICKET_TTL_S_MAX)] = TICKET_TTL_S


class TicketShown(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket and the address that opens with it."""

    ticket: str
    url: str


class TradeBody(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket to trade."""

    ticket: Annotated[str, Meta(min_length=1, max_length=TICKET_CHARS_MAX)]


class Traded(msgspec.Struct, frozen=True, kw_only=True):
    """The token for a ticket, and what it says."""

    token: str
    room: str
    role: Role
    user: str


async def import_member(call: Call, body: MemberBody) -> MemberShown:
    """Import one member."""
    if body.coins and call.key is None:
        raise Refused("key_required", "An opening balance needs an Idempotency-Key header.")
    draft = MemberDraft(
        id=UserId(body.id),
        name=body.name,
        age_band=body.age_band,
        coins=body.coins,
        public_orders=body.public_orders,
        ritual=body.ritual,
    )
    member = await call.backend.services.members.import_one(call.bearer(), draft, call.key)
    return MemberShown(
        id=member.id,
        name=member.name,
        age_band=member.age_band,
        public_orders=member.public_orders,
        ritual=member.ritual,
        orders=member.orders,
        spent=member.spent,
        created_at=member.created_at,
    )


async def show_me(call: Call) -> dict[str, Any]:
    """Show one's own card, and with `room` the relation to that room."""
    actor, room = call.bearer(), None
    if "room" in call.query:
        place = await find_room(call.backend, call.query["room"])
        actor, room = owned(actor, place), place.id
    me = await call.backend.services.members.me(actor, room)
    shown = asdict(me.card)
    return shown if me.follow is None else shown | {"follow": me.follow}


async def show_ledger(call: Call) -> LedgerShown:
    """Show one's own ledger."""
    cursor = call.query.get("cursor") or None
    if cursor is not None and len(cursor) > CURSOR_CHARS_MAX:
        raise Refused("invalid", "cursor: send the `next` of the page before.")
    page = await call.backend.services.members.ledger(call.bearer(), cursor)
    return LedgerShown(lines=[LineShown(**asdict(line)) for line in page.lines], next=page.next)


async def issue_ticket(call: Call, body: TicketBody) -> TicketShown:
    """Make a single-use link for somebody."""
    actor = owned(call.bearer(), await find_room(call.backend, body.room))
    if body.role is Role.ADMIN and actor.role is not Role.ADMIN:
        raise Refused("forbidden", "Only an admin may make a ticket for an admin.")
    draft = TicketDraft(
        user=UserId(body.user),
        role=body.role,
        room=RoomId(body.room),
        name=body.name,
        ttl_s=body.ttl,
    )
    ticket = await call.backend.services.tickets.issue(actor, draft)
    page = PAGES.get(body.role, "r")
    url = f"{call.backend.addresses().http_url}/{page}/{body.room}#t={ticket}"
    return TicketShown(ticket=ticket, url=url)


async def trade_ticket(call: Call, body: TradeBody) -> Traded:
    """Use a ticket up for a token."""
    actor = await call.backend.services.tickets.trade(body.ticket)
    at = call.backend.now_ms() / 1000
    token = call.backend.tokens.sign(replace(actor, expires_at=0.0), at=at, ttl_s=TRADED_TTL_S)
    return Traded(token=token, room=actor.room, role=actor.role, user=actor.user)


ROWS = (
    Row(
        method="POST",
        path="/v1/members",
        summary="Import a member.",
        handle=import_member,
        access=MERCHANTS,
        body=MemberBody,
        answer=MemberShown,
        status=201,
        key=Key.OPTIONAL,
        refusals=("exists", "key_required", "idempotency_mismatch"),
    ),
    Row(
        method="GET",
        path="/v1/me",
        summary="Show my card.",
        handle=show_me,
        access=BEARERS,
        answer=MeShown,
        query=("room",),
        refusals=("no_such_room", "other_room"),
    ),
    Row(
        method="GET",
        path="/v1/me/ledger",
        summary="Show my ledger, newest first.",
        handle=show_ledger,
        access=BEARERS,
        answer=LedgerShown,
        query=("cursor",),
        refusals=("anonymous", "invalid"),
    ),
    Row(
        method="POST",
        path="/v1/tickets",
        summary="Make a single-use link.",
        handle=issue_ticket,
        access=MERCHANTS,
        body=TicketBody,
        answer=TicketShown,
        status=201,
        refusals=("no_such_room", "other_room"),
    ),
    Row(
        method="POST",
        path="/v1/tickets/trade",
        summary="Trade a ticket for a token.",
        handle=trade_ticket,
        access=ANYONE,
        body=TradeBody,
        answer=Traded,
        refusals=("bad_ticket",),
    ),
)
