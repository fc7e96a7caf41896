"""ICE-lite of one session: which checks count, and to which address the session's packets go.

In: parsed and verified checks with their source. Out: whether it was ours and where to send
from now on. Media never teaches an address, only an authenticated check does (RFC 8445
section 7.3). Pure: no clock, no sockets, credentials are passed in.
"""

import hmac
from dataclasses import dataclass

from sfu.control.model import Address
from sfu.packet.stun import BindingRequest, verify_integrity

ADDRESSES_MAX = 4
"""Addresses remembered per session; the one silent for longest makes room for a fifth."""
MOVE_INTERVAL_S = 1.0
"""One move per interval; a check in between is answered but moves nothing."""
SILENT_S = 0.5
"""After this silence of the old address a check from a new one moves without nominating."""
KNOWN_SILENT_S = 5.0
"""The same for an address known before: a browser probes its spare paths now and then, and a
viewer that only listens is often silent for half a second."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """One end's ice-ufrag and ice-pwd."""

    ufrag: str
    pwd: str


class Ice:
    """The controlled, lite side of one session.

    Args:
        local: our credentials; replaced by `restart`.
        remote_ufrag: the other end's ufrag, the second half of a check's username.

    """

    __slots__ = ("_moved_at", "_seen", "address", "local", "previous", "remote_ufrag")

    def __init__(self, local: Credentials, remote_ufrag: str) -> None:
        self.local = local
        self.remote_ufrag = remote_ufrag
        self.previous: tuple[Credentials, str] | None = None
        self.address: Address | None = None
        self._seen: dict[Address, float] = {}
        self._moved_at = float("-inf")

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Name every address that an authenticated check came from."""
        return tuple(self._seen)

    def knows(self, address: Address) -> bool:
        """Say whether an authenticated check came from this address."""
        return address in self._seen

    def authenticate(self, request: BindingRequest, data: bytes) -> str | None:
        """Return the password that a genuine check was made with, None for any other."""
        current = self._password(request, data, self.local, self.remote_ufrag)
        if current is not None:
            # RFC 8445 section 9: the old credentials end once the new ones are in use.
            self.previous = None
            return current
        if self.previous is None:
            return None
        return self._password(request, data, *self.previous)

    def learn(self, address: Address, *, nominated: bool, now: float) -> tuple[Address, ...]:
        """Take an authenticated check from `address`; return the addresses forgotten for it."""
        known = address in self._seen
        if self._may_move(address, nominated=nominated, known=known, now=now):
            if self.address is not None:
                self._moved_at = now
            self.address = address
        self._seen[address] = now
        forgotten = []
        while len(self._seen) > ADDRESSES_MAX:
            oldest = min(
                (each for each in self._seen if each != self.address), key=self._seen.__getitem__
            )
            del self._seen[oldest]
            forgotten.append(oldest)
        return tuple(forgotten)

    def heard(self, address: Address, *, now: float) -> None:
        """Note an authenticated media packet; it keeps an address fresh, it never adds one."""
        if address in self._seen:
            self._seen[address] = now

    def forget(self, address: Address) -> None:
        """Give an address up to another session that proved to be there now."""
        self._seen.pop(address, None)
        if self.address == address:
            self.address = None

    def silent_for(self, address: Address, *, now: float) -> float:
        """Return for how long nothing authenticated came from an address."""
        return now - self._seen.get(address, float("-inf"))

    def restart(self, local: Credentials, remote_ufrag: str) -> None:
        """Change credentials; the old ones count until a check with the new ones comes."""
        self.previous = (self.local, self.remote_ufrag)
        self.local, self.remote_ufrag = local, remote_ufrag

    def _may_move(self, address: Address, *, nominated: bool, known: bool, now: float) -> bool:
        if self.address is None:
            return True
        if address == self.address or now - self._moved_at < MOVE_INTERVAL_S:
            return False
        if nominated:
            return True
        silence = self.silent_for(self.address, now=now)
        return silence >= (KNOWN_SILENT_S if known else SILENT_S)

    @staticmethod
    def _password(
        request: BindingRequest, data: bytes, local: Credentials, remote_ufrag: str
    ) -> str | None:
        wanted = f"{local.ufrag}:{remote_ufrag}"
        if not hmac.compare_digest(request.username.encode(), wanted.encode()):
            return None
        return local.pwd if verify_integrity(data, local.pwd) else None
