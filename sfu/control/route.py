"""Where one session's packets go, and under which keys.

Made by the desk when both are known, read by whoever sends. A session that moves gets another
one, so what is under way on a thread still finds the old. Must not know what is sent.
"""

from collections.abc import Sequence
from typing import Any, final

from sfu.packet.srtp import Srtp


@final
class Route:
    """One session's way out; replaced, never changed.

    `address` is what the socket's family takes (a 2-tuple for IPv4, a 4-tuple for IPv6; None:
    the socket is connected); `paddable` are the SSRCs whose packets may be padded.
    """

    __slots__ = ("__weakref__", "address", "packed", "paddable", "srtp")

    def __init__(self, address: Any, srtp: Srtp, paddable: Sequence[bytes] = ()) -> None:
        self.address = address
        self.srtp = srtp
        self.paddable = tuple(paddable)
        self.packed: bytes | None = None
        """The same for the compiled fan-out, once it was needed."""
