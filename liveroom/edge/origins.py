"""Which web pages may talk to us: the allow-list for the Origin header of browsers.

Requests without Origin come from programs and pass. Own pages always may.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


class Origins:
    """The allow-list.

    Args:
        listed: origins from the settings; `*` allows all.
        own_url: tells the HTTP address that clients are told (ports may be known late).
        listener_host: where HTTP listens; on all interfaces our name is not known, so there
            a page's origin is our own when it names the host it asks.

    """

    def __init__(
        self, listed: tuple[str, ...], own_url: Callable[[], str], listener_host: str
    ) -> None:
        self._listed = frozenset(listed)
        self._own_url = own_url
        self._same_host = listener_host in WILDCARDS

    def allows(self, origin: str | None, host: str | None = None) -> bool:
        """Whether a request with this Origin (and Host) header may be answered."""
        if origin is None or "*" in self._listed:
            return True
        wanted = origin.lower()
        if wanted in self._listed or wanted in self._own():
            return True
        return self._same_host and host is not None and urlsplit(wanted).netloc == host.lower()

    def _own(self) -> frozenset[str]:
        parts = urlsplit(self._own_url().lower())
        if f"[{parts.hostname}]" in LOOPBACK or parts.hostname in LOOPBACK:
            port = "" if parts.port is None else f":{parts.port}"
            return frozenset(f"{parts.scheme}://{name}{port}" for name in LOOPBACK)
        return frozenset({f"{parts.scheme}://{parts.netloc}"})
