"""What every service is built with: the store, the bus, the clock, ids, and the shop's policy."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from liveroom.bus.port import Alone, Bus, Company
from liveroom.domain.actors import Actor
from liveroom.domain.coins import EARNINGS_HOLD_MS
from liveroom.domain.ids import NewId, RoomId
from liveroom.domain.parcels import SHIP_WITHIN_MS
from liveroom.domain.pk import ScoreRule
from liveroom.domain.recognition import QueuePolicy
from liveroom.domain.tiers import Tier
from liveroom.domain.tipping import Tipping
from liveroom.service.hooks import Sender
from liveroom.service.paying import NoPayments, PaymentProvider
from liveroom.store.port import Store

Clock = Callable[[], int]
"""Tells server time in UTC milliseconds: the only time there is."""

Count = Callable[[RoomId], int]
"""Counts something living in the edge: open sockets or media sessions of a room."""


def _none(_room: RoomId) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class GuestPass:
    """What a guest needs to publish; no token where only the shop can sign one."""

    whip_url: str
    token: str | None


def _no_pass(_guest: Actor) -> GuestPass:
    return GuestPass("", None)


def _never() -> float:
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an operator may change.

    The gift split in shares, the host's queue, which levels wait for the mic
    before all others, until when parcels are promised to leave, what counts in a PK.
    """

    host_share: int = 70
    platform_share: int = 30
    queue: QueuePolicy = field(default_factory=QueuePolicy)
    ship_within_ms: int = SHIP_WITHIN_MS
    tipping: Tipping = field(default_factory=Tipping)
    earnings_hold_ms: int = EARNINGS_HOLD_MS
    first_on_mic: frozenset[Tier] = frozenset({Tier.DIAMOND})
    pk: ScoreRule = field(default_factory=ScoreRule)


class StageMedia(Protocol):
    """What the services want of the media core; all of it holds until it is told otherwise."""

    def show(
        self,
        room: str,
        slot: int,
        publisher: tuple[str, str] | None,
        *,
        audio: bool = True,
        video: bool = True,
    ) -> None:
        """Show whatever somebody publishes (room, user), or nobody, on a slot."""
        ...

    def forget(self, room: str, slot: int) -> None:
        """Let a slot be as without any wish: slot 0 shows the host, others nobody."""
        ...

    def gather(self, room: str, users: frozenset[str], stage: str) -> None:
        """Let some of a room's viewers look at a stage of their own."""
        ...

    def dismiss(self, room: str) -> None:
        """Let a room's viewers look at its own stage again."""
        ...

    def end_user(self, room: str, user: str, roles: Collection[str], reason: str) -> int:
        """End somebody's sessions of some roles in a room; tell how many there were."""
        ...


class NoMedia:
    """The media of a server without any: nothing is shown."""

    def show(
        self,
        room: str,
        slot: int,
        publisher: tuple[str, str] | None,
        *,
        audio: bool = True,
        video: bool = True,
    ) -> None:
        """Show nobody."""

    def forget(self, room: str, slot: int) -> None:
        """Have nothing to forget."""

    def gather(self, room: str, users: frozenset[str], stage: str) -> None:
        """Gather nobody."""

    def dismiss(self, room: str) -> None:
        """Have nobody to dismiss."""

    def end_user(self, room: str, user: str, roles: Collection[str], reason: str) -> int:
        """Find nobody."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The outside world as the services see it.

    `new_id` makes ids that sort by time, `new_secret` makes unguessable text (at least
    128 bits). `online` counts a room's viewers on all nodes, `sessions` its media sessions
    here; `guest_pass` makes what a guest needs to publish; `company` knows what other
    processes have, `node` names this one among them. `webhooks` sends pages to shops'
    endpoints, also to addresses inside where `private_webhooks` says so; `chance` is a number
    in [0, 1) for jitter.
    """

    store: Store
    bus: Bus
    now_ms: Clock
    new_id: NewId
    new_secret: Callable[[], str]
    payments: PaymentProvider = field(default_factory=NoPayments)
    policy: Policy = field(default_factory=Policy)
    online: Count = _none
    sessions: Count = _none
    media: StageMedia = field(default_factory=NoMedia)
    guest_pass: Callable[[Actor], GuestPass] = _no_pass
    company: Company = field(default_factory=Alone)
    node: str = ""
    webhooks: Sender | None = None
    private_webhooks: bool = False
    chance: Callable[[], float] = _never
