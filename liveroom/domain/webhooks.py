"""Webhooks: which events a shop's backend is told, when it is told again, when it is left alone.

An endpoint gets signed pages of events, at least once. A failed page is tried again with
growing, jittered delays until it is dead; a target that fails again and again is left alone
for a while (the breaker), then asked once. Pure: time and chance are passed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from liveroom.domain.refusals import Refused

KINDS: Final = frozenset(
    {"gift", "ritual", "order", "stage", "pin", "broadcast", "deleted", "chat", "notice", "level"}
)
"""What an endpoint may ask for; by default all of it."""
ENDPOINTS_MAX: Final = 20
"""Endpoints of one shop."""
EVENTS_PER_PAGE: Final = 100
ATTEMPTS_MAX: Final = 12
"""A page that failed so often is dead: listed, and sent again only when asked to."""
FIRST_RETRY_MS: Final = 1_000
RETRY_MS_MAX: Final = 60 * 60 * 1000
BREAKER_FAILURES: Final = 5
"""So many failures in a row open the breaker."""
BREAKER_FIRST_MS: Final = 10_000
BREAKER_MS_MAX: Final = 10 * 60 * 1000
GONE: Final = 410
"""The status by which a receiver says that it wants nothing any more: the endpoint is paused."""
URL_CHARS_MAX: Final = 2_048


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a shop wants events; `room` None = of all its rooms, `kinds` empty = all."""

    id: str
    tenant: str
    url: str
    secret: str
    kinds: tuple[str, ...]
    room: str | None
    paused: bool
    failures: int
    open_until: int
    created_at: int

    def wants(self, kind: str) -> bool:
        """Whether it asked for a kind of event."""
        return kind in KINDS and (not self.kinds or kind in self.kinds)


def retry_after_ms(attempt: int, *, chance: float) -> int | None:
    """Say when to try again after the n-th attempt failed; None = it is dead."""
    if attempt >= ATTEMPTS_MAX:
        return None
    bound = min(RETRY_MS_MAX, FIRST_RETRY_MS << min(attempt, 30))
    return bound // 2 + int(bound // 2 * chance)


def open_for_ms(failures: int, *, chance: float) -> int:
    """Say how long a target is left alone after so many failures in a row; 0 = not at all."""
    if failures < BREAKER_FAILURES:
        return 0
    bound = min(BREAKER_MS_MAX, BREAKER_FIRST_MS << min(failures - BREAKER_FAILURES, 20))
    return bound // 2 + int(bound // 2 * chance)


def check_endpoint(url: str, kinds: Sequence[str], *, private_allowed: bool) -> None:
    """Refuse addresses and kinds that can never be told; the address is looked up at each use.

    Raises:
        Refused: `invalid`, naming what is wrong.

    """
    unknown = sorted(set(kinds) - KINDS)
    if unknown:
        raise Refused("invalid", f"kinds: {unknown[0]} is none of {', '.join(sorted(KINDS))}.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("invalid", "url: it cannot be read.") from None
    schemes = ("https", "http") if private_allowed else ("https",)
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise Refused("invalid", f"url: an address with {' or '.join(schemes)} and a host.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Refused("invalid", "url: without user, password and fragment.")
