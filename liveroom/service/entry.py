"""What somebody who comes in gets to know: their card, the room, everything current in it."""

from dataclasses import dataclass

from liveroom.domain.actors import Actor, AgeBand
from liveroom.domain.events import Event, ProductCard, Slot
from liveroom.domain.ids import UserId
from liveroom.domain.members import FollowState
from liveroom.domain.rooms import Counters, Room
from liveroom.domain.tiers import NextTier, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Somebody may not speak; `until` None = for good (UTC ms)."""

    until: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A person's own card: shown to themselves only.

    `coins` is None for anonymous visitors; `age_band` None = not confirmed yet.
    """

    user: UserId
    name: str
    role: str
    tier: Tier
    to_next: NextTier | None
    orders: int
    visits: int
    coins: int | None
    age_band: AgeBand | None
    anonymous: bool
    ritual: bool
    public_orders: bool
    following: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything current in a room at `Entry.offset`; `recognised` is filled for the host only.

    `slow_ms`: the room's slow mode, 0 = off.
    `private` = the host is in a private call; `cues` are current for this person alone.
    """

    stage: tuple[Slot, ...]
    pin: ProductCard | None
    rounds: tuple[Event, ...]
    texts: tuple[Event, ...]
    counters: Counters
    recognised: tuple[Event, ...] = ()
    slow_ms: int = 0
    private: bool = False
    cues: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The answer to coming in; `actor` has its tenant resolved, use it for what follows.

    `offset` is the room's last `n`, `personal` the person's last `pn` in the room: nothing
    up to them is to be shown as an event afterwards. `at` is when they came in (UTC ms). `mute` is
    set while they may not speak.
    """

    actor: Actor
    you: Card
    room: Room
    snapshot: Snapshot
    epoch: str
    offset: int
    personal: int
    at: int = 0
    mute: Mute | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """The durable events after a resume position, in order, up to `offset` and `personal`."""

    events: tuple[Event, ...]
    personal_events: tuple[Event, ...]
    offset: int
    personal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """One's own card together with the relation to a room (None without a room)."""

    card: Card
    follow: FollowState | None
