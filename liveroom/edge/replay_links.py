"""Addresses of recorded files: a video element sends no token, so the address is signed.

In: room, file, moment. Out: a query that opens this one file until then, and nothing else.
"""

import hashlib
import hmac
import secrets
from typing import Final

from liveroom.config import Config

LINK_MS: Final = 6 * 60 * 60 * 1000
"""How long an address opens its file; a page asks for the list again."""
SIGNATURE_CHARS: Final = 32
DIGITS_MAX: Final = 15


class ReplayLinks:
    """Signs and checks.

    Without a secret of its own (keys come from `--jwks`) and without an admin key, addresses
    open at this process only, until it ends.
    """

    def __init__(self, config: Config) -> None:
        root = config.secret or config.admin_key or secrets.token_hex(32)
        self._key = hmac.new(root.encode(), b"liveroom replay links", hashlib.sha256).digest()

    def query(self, room: str, file: str, *, now: int) -> str:
        """Make the query of an address."""
        until = now + LINK_MS
        return f"until={until}&sig={self._signature(room, file, until)}"

    def opens(self, room: str, file: str, until: str, signature: str, *, now: int) -> bool:
        """Say whether a query opens a file now."""
        if not (until.isascii() and until.isdecimal() and len(until) <= DIGITS_MAX):
            return False
        wanted = self._signature(room, file, int(until))
        return hmac.compare_digest(wanted.encode(), signature.encode()) and now < int(until)

    def _signature(self, room: str, file: str, until: int) -> str:
        text = f"{room}\n{file}\n{until}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:SIGNATURE_CHARS]
