"""Who is connected how often: sockets per user and address, and each user's rates.

Rates belong to the user, not to the socket, and outlive it for a while, so that reconnecting
buys nothing. Time is passed in.
"""

from dataclasses import dataclass, field
from typing import final

from liveroom.domain.ids import TenantId, UserId
from liveroom.edge.backlog import BACKLOG_BYTES_MAX
from liveroom.protocol.batch import Budgets
from liveroom.protocol.limits import Allowance, Rate, Rates, TokenBucket

FORGET_AFTER_S = 60.0
"""A user without sockets is forgotten then, at the next sweep."""
SWEEP_EVERY_S = 30.0

CallerKey = tuple[TenantId | None, UserId]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """The bounds of one gateway; what happens beyond them stands in `closing` or is a 503."""

    sockets_per_user: int = 20
    sockets_per_address: int = 5_000
    accepts_per_s: int = 2_000
    rates: Rates = field(default_factory=Rates)
    budgets: Budgets = field(default_factory=Budgets)
    backlog_bytes: int = BACKLOG_BYTES_MAX
    tick_ms: int = 100


@dataclass(slots=True)
class _Caller:
    allowance: Allowance
    sockets: int = 0
    left_at: float = 0.0


@final
class Callers:
    """Counts what `GatewayLimits` bounds."""

    def __init__(self, limits: GatewayLimits, *, now: float) -> None:
        self._limits = limits
        self._users: dict[CallerKey, _Caller] = {}
        self._addresses: dict[str, int] = {}
        self._accepts = TokenBucket(Rate(limits.accepts_per_s, limits.accepts_per_s), now=now)
        self._swept_at = now

    def may_accept(self, *, now: float) -> bool:
        """Whether another handshake fits into this second."""
        return self._accepts.take(1, now=now) == 1

    def connect(self, address: str) -> bool:
        """Count a connection of an address; False when it has too many."""
        count = self._addresses.get(address, 0) + 1
        self._addresses[address] = count
        return count <= self._limits.sockets_per_address

    def disconnect(self, address: str) -> None:
        """Count one less."""
        count = self._addresses.get(address, 0) - 1
        if count > 0:
            self._addresses[address] = count
        else:
            self._addresses.pop(address, None)

    def enter(self, key: CallerKey, *, now: float) -> Allowance | None:
        """Count a user's socket and give their allowance; None when they have too many."""
        self._sweep(now)
        caller = self._users.get(key)
        if caller is None:
            caller = self._users[key] = _Caller(Allowance(self._limits.rates))
        if caller.sockets >= self._limits.sockets_per_user:
            return None
        caller.sockets += 1
        return caller.allowance

    def leave(self, key: CallerKey, *, now: float) -> None:
        """Count one less of a user's sockets."""
        caller = self._users[key]
        caller.sockets -= 1
        caller.left_at = now

    def _sweep(self, now: float) -> None:
        if now < self._swept_at + SWEEP_EVERY_S:
            return
        self._swept_at = now
        gone = [
            key
            for key, caller in self._users.items()
            if not caller.sockets and now >= caller.left_at + FORGET_AFTER_S
        ]
        for key in gone:
            del self._users[key]
