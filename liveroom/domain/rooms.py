"""A room (直播间) is permanent; a broadcast (场次) is one evening in it.

Plain values and the small rules about them; who may do what is decided in `service`.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from liveroom.domain.events import ProductCard
from liveroom.domain.ids import BroadcastId, RoomId, TenantId, UserId

AWAY_MS_MAX = 30 * 60 * 1000
"""A host away for longer has gone home: the broadcast is closed with its report."""


class Phase(StrEnum):
    """Where a broadcast is; `AWAY` means the host dropped and may come back."""

    LIVE = "live"
    AWAY = "away"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Running totals of a room since it was created; `gift_coins` and `revenue` are not public."""

    gifts: int = 0
    gift_coins: int = 0
    orders: int = 0
    revenue: int = 0
    likes: int = 0
    followers: int = 0
    visits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one broadcast brought; `revenue` in fen, `duration_ms` from first live to the end."""

    duration_ms: int
    visits: int
    orders: int
    revenue: int
    gifts: int
    gift_coins: int
    likes: int
    new_followers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """One evening: opened by the host's first media, closed by `end`."""

    id: BroadcastId
    room: RoomId
    title: str
    cover: str | None
    phase: Phase
    planned_at: int | None
    started_at: int
    ended_at: int | None = None
    report: Report | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomDraft:
    """What a merchant sends to create a room; without an id one is made."""

    title: str
    id: RoomId | None = None
    merchant: TenantId | None = None
    host: UserId | None = None
    cover: str | None = None
    language: str = "zh"
    planned_at: int | None = None
    anonymous: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A room as anybody may see it; `broadcast` is the one going on, if any.

    `anonymous` tells whether visitors without a token may watch; `host_name` is the host's
    nickname, None while nobody has seen one.
    """

    id: RoomId
    tenant: TenantId
    title: str
    host: UserId | None
    cover: str | None
    language: str
    planned_at: int | None
    created_at: int
    anonymous: bool = True
    host_name: str | None = None
    followers: int = 0
    broadcast: Broadcast | None = None

    @property
    def live(self) -> bool:
        """Whether the host is on air now."""
        return self.broadcast is not None and self.broadcast.phase is Phase.LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What is pinned now."""

    product: ProductCard | None = field(default=None)


def report_of(*, opening: Counters, closing: Counters, duration_ms: int) -> Report:
    """Tell what happened between two readings of a room's counters."""
    return Report(
        duration_ms=duration_ms,
        visits=closing.visits - opening.visits,
        orders=closing.orders - opening.orders,
        revenue=closing.revenue - opening.revenue,
        gifts=closing.gifts - opening.gifts,
        gift_coins=closing.gift_coins - opening.gift_coins,
        likes=closing.likes - opening.likes,
        new_followers=closing.followers - opening.followers,
    )
