"""Buying coins: the packs, and what a purchase is worth when it is taken back."""

from dataclasses import dataclass, field
from enum import StrEnum

from liveroom.domain.ids import OrderId, UserId
from liveroom.domain.refusals import Refused

BONUS_TTL_MS = 90 * 86_400_000
"""How long coins last that came on top for nothing; bought ones never end."""
EARNINGS_HOLD_MS = 7 * 86_400_000
"""How long a gift can be taken back before its earnings are the host's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """So many coins for `price` fen, and some more on top that cannot be paid out."""

    id: str
    coins: int
    price: int
    bonus: int = 0
    names: dict[str, str] = field(default_factory=dict)


PACKS: tuple[Pack, ...] = (
    Pack(id="coins-60", coins=60, price=600),
    Pack(id="coins-300", coins=300, price=3_000, bonus=10),
    Pack(id="coins-980", coins=980, price=9_800, bonus=60),
    Pack(id="coins-1980", coins=1_980, price=19_800, bonus=160),
    Pack(id="coins-4980", coins=4_980, price=49_800, bonus=500),
    Pack(id="coins-9980", coins=9_980, price=99_800, bonus=1_200),
)

_BY_ID = {pack.id: pack for pack in PACKS}


class PurchaseState(StrEnum):
    """Where a purchase of coins is."""

    PENDING = "pending"
    PAID = "paid"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    CHARGING_BACK = "charging_back"
    CHARGED_BACK = "charged_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinReceipt:
    """A paid purchase: what it brought, and what is in the wallet now."""

    order: OrderId
    coins: int
    bonus: int
    coins_left: int


def find_pack(pack: str) -> Pack:
    """Look a pack up; an unknown one is refused."""
    found = _BY_ID.get(pack)
    if found is None:
        raise Refused("no_such_pack")
    return found


class CaseState(StrEnum):
    """Where a case of taking somebody's money back is; `WORKING` = approved, being undone."""

    OPEN = "open"
    REFUSED = "refused"
    WORKING = "working"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A guardian asks for a minor's money back; times UTC ms, `coins` and `amount` so far."""

    id: str
    member: UserId
    reason: str
    since: int
    until: int
    state: CaseState
    opened_by: str
    opened_at: int
    decided_by: str | None = None
    decided_at: int | None = None
    note: str = ""
    coins: int = 0
    amount: int = 0
