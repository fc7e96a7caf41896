"""What every service is built with: the store, the bus, the clock, ids, and the shop's policy."""

from collections.abc import Callable
from dataclasses import dataclass, field

from liveroom.bus.port import Bus
from liveroom.domain.ids import NewId, RoomId
from liveroom.domain.recognition import QueuePolicy
from liveroom.domain.tiers import DEFAULT_THRESHOLDS, Thresholds
from liveroom.service.paying import NoPayments, PaymentProvider
from liveroom.store.port import Store

Clock = Callable[[], int]
"""Tells server time in UTC milliseconds: the only time there is."""

Count = Callable[[RoomId], int]
"""Counts something living in the edge: open sockets or media sessions of a room."""


def _none(_room: RoomId) -> int:
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an operator may change: the gift split in shares, tier thresholds, the host's queue."""

    host_share: int = 70
    platform_share: int = 30
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    queue: QueuePolicy = field(default_factory=QueuePolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The outside world as the services see it.

    `new_id` makes ids that sort by time, `new_secret` makes unguessable text (at least
    128 bits). `online` and `sessions` count a room's viewers and media sessions.
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
