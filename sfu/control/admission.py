"""How many sessions one user, one address and everybody may hold at a time.

Counts only; who a user is and what a session does is not known here. Pure.
"""

from collections import Counter

from sfu.config import MediaLimits
from sfu.control.refusals import Refused


class Admission:
    """The counters behind `MediaLimits`.

    Half-open sessions, which have an answer but no keys yet, cost us memory at the price of
    one HTTP request; so they have tighter bounds of their own.
    """

    __slots__ = ("_half_open", "_half_open_total", "_limits", "_origins", "_total", "_users")

    def __init__(self, limits: MediaLimits) -> None:
        self._limits = limits
        self._users: Counter[str] = Counter()
        self._origins: Counter[str] = Counter()
        self._half_open: Counter[str] = Counter()
        self._half_open_total = 0
        self._total = 0

    def check(self, user: str, origin: str) -> None:
        """Say whether one more session may be opened.

        Raises:
            Refused: `full` when the server is, `rate` when this user or address holds enough.

        """
        limits = self._limits
        if self._total >= limits.sessions or self._half_open_total >= limits.half_open:
            raise Refused("full")
        if (
            self._users[user] >= limits.sessions_per_user
            or self._origins[origin] >= limits.sessions_per_address
            or self._half_open[origin] >= limits.half_open_per_address
        ):
            raise Refused("rate")

    def opened(self, user: str, origin: str) -> None:
        """Count a new, half-open session."""
        self._total += 1
        self._users[user] += 1
        self._origins[origin] += 1
        self._half_open[origin] += 1
        self._half_open_total += 1

    def connected(self, origin: str) -> None:
        """Count a session as half open no more."""
        _decrease(self._half_open, origin)
        self._half_open_total -= 1

    def closed(self, user: str, origin: str, *, half_open: bool) -> None:
        """Count a session no more."""
        if half_open:
            self.connected(origin)
        self._total -= 1
        _decrease(self._users, user)
        _decrease(self._origins, origin)


def _decrease(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
