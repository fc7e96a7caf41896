"""A member of a shop: who they are to the shop and what the room may call them.

The legal name never leaves the shop's own card; `public_name` is the only way to a name
that others see.
"""

from dataclasses import dataclass

from liveroom.domain.actors import Actor, AgeBand
from liveroom.domain.ids import UserId
from liveroom.domain.orders import AMOUNT_MAX
from liveroom.domain.refusals import Refused

COINS_MAX = 10**12
"""The largest opening balance; more is refused as invalid."""
NAME_LENGTH_MAX = 64
"""Longer names are cut where they are shown."""

assert COINS_MAX < AMOUNT_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDraft:
    """One member as imported; `coins` = opening balance, only for a new member.

    `public_orders` is the consent to be named when they buy; `ritual` False opts out.
    """

    id: UserId
    name: str | None = None
    age_band: AgeBand | None = None
    coins: int = 0
    public_orders: bool | None = None
    ritual: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member record with its lifetime counters; `spent` in fen is never public."""

    id: UserId
    name: str | None = None
    age_band: AgeBand | None = None
    public_orders: bool = False
    ritual: bool = True
    spent: int = 0
    orders: int = 0
    created_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowState:
    """Whether the asker follows the room now, and how many do."""

    following: bool
    followers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One line of a person's own ledger; `ref` = the command's id, `balance` after it."""

    id: str
    at: int
    unit: str
    amount: int
    balance: int
    cause: str
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPage:
    """Newest lines first; `next` continues the listing, None at its end."""

    lines: tuple[LedgerLine, ...]
    next: str | None


def mask(user: str) -> str:
    """Show just enough of an id to tell people apart."""
    return f"{user[:1]}***{user[-1:]}"


def public_name(*, user: UserId, claim: str | None, record: str | None) -> str:
    """Name somebody in public: the token's nickname, else the shop's name, else a masked id."""
    name = (claim or "").strip() or (record or "").strip()
    return name[:NAME_LENGTH_MAX] if name else mask(user)


def age_band_of(actor: Actor, record: AgeBand | None) -> AgeBand:
    """Say how old somebody counts as; the claim wins, unknown counts as minor."""
    return actor.age_band or record or AgeBand.MINOR


def may_pay(actor: Actor, record: AgeBand | None) -> None:
    """Refuse money from anonymous visitors, minors, and people of unknown age."""
    if actor.anonymous:
        raise Refused("anonymous")
    if age_band_of(actor, record) is not AgeBand.ADULT:
        raise Refused("age_unconfirmed")
