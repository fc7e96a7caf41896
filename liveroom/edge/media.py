"""The port to the media core: WHIP, WHEP, reports as plain values: the edge knows no SDP.

The application wires the media core in; tests wire a fake. The caller has verified the token
already; the media core decides about sessions, content types, ETags and takeovers.
"""

from collections.abc import Mapping
from typing import Any, Protocol


class MediaReply(Protocol):
    """An HTTP answer as plain values; errors are problem documents already."""

    @property
    def status(self) -> int:
        """Give the HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Give the headers to send."""
        ...

    @property
    def body(self) -> bytes:
        """Give the content."""
        ...


class MediaPort(Protocol):
    """Answers WHIP and WHEP requests, and tells of sessions.

    Args of the first two: `session` is the last path segment of a session's address, `headers` have
    lower-case names, `base_path` is the endpoint's path (for Location), `address` the
    client's. `user` and `role` are empty for OPTIONS, which needs no token.
    """

    async def whip(
        self,
        *,
        method: str,
        room: str,
        user: str,
        role: str,
        session: str | None,
        headers: Mapping[str, str],
        body: bytes,
        base_path: str,
        address: str,
    ) -> MediaReply:
        """Answer a request to a WHIP endpoint or session (RFC 9725)."""
        ...

    async def whep(
        self,
        *,
        method: str,
        room: str,
        user: str,
        role: str,
        session: str | None,
        headers: Mapping[str, str],
        body: bytes,
        base_path: str,
        address: str,
    ) -> MediaReply:
        """Answer a request to a WHEP endpoint or session."""
        ...

    async def room_report(self, room: str, *, limit: int) -> dict[str, Any]:
        """Tell what a room's sessions carry; at most `limit` of them one by one."""
        ...

    async def picture(self, room: str) -> bytes | None:
        """Draw what a room's host shows, as JPEG; None while there is nothing to see."""
        ...

    async def cut(self, source: str, target: str, *, from_s: float, to_s: float) -> float:
        """Copy a part of a recording into a new file; return its seconds, 0 = nothing made."""
        ...

    async def session_report(self, room: str, session: str) -> dict[str, Any] | None:
        """Tell everything about one session of a room."""
        ...
