"""How fast one user may command over HTTP: the websocket's rates, counted at this door."""

from collections import OrderedDict

from liveroom.config import Limits
from liveroom.domain.actors import Actor
from liveroom.domain.ids import TenantId, UserId
from liveroom.domain.refusals import Refused
from liveroom.protocol.limits import Allowance, Kind, Rate, Rates

CALLERS_MAX = 10_000
"""Users remembered; the one quiet longest starts with a full allowance again."""


class Throttle:
    """Keeps each user's allowance; times are UTC milliseconds, counted from `started_at`."""

    def __init__(self, limits: Limits, *, started_at: int) -> None:
        self._started_at = started_at
        self._rates = Rates(gift=Rate(limits.gifts_per_s, limits.gifts_per_s))
        self._callers: OrderedDict[tuple[TenantId | None, UserId], Allowance] = OrderedDict()

    def admit(self, kind: Kind, actor: Actor, *, at: int) -> None:
        """Count one command.

        Raises:
            Refused: `rate` with the time to wait.

        """
        key = (actor.tenant, actor.user)
        allowance = self._callers.setdefault(key, Allowance(self._rates))
        self._callers.move_to_end(key)
        if len(self._callers) > CALLERS_MAX:
            self._callers.popitem(last=False)
        admission = allowance.admit(kind, now=(at - self._started_at) / 1000)
        if not admission.admitted:
            raise Refused("rate", retry_ms=admission.retry_ms)
