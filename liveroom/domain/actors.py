"""Who is asking: the verified claims of a token, as a plain value.

Flows in from `edge/tokens`; read by every service call. It knows nothing of JWT.
"""

from dataclasses import dataclass
from enum import StrEnum

from liveroom.domain.ids import RoomId, TenantId, UserId

ANY_ROOM = RoomId("*")


class Role(StrEnum):
    """What a token lets its bearer do; merchant and admin act for a whole tenant."""

    VIEWER = "viewer"
    GUEST = "guest"
    HOST = "host"
    MODERATOR = "moderator"
    MERCHANT = "merchant"
    ADMIN = "admin"


class AgeBand(StrEnum):
    """Unknown age counts as minor wherever money moves."""

    ADULT = "adult"
    MINOR = "minor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A verified caller.

    `tenant` is None when the token names no merchant: it then means the room's.
    `anonymous` visitors may watch but not say, like or pay.
    `expires_at` is UTC seconds, as in the token's `exp`.
    """

    user: UserId
    role: Role
    room: RoomId
    tenant: TenantId | None = None
    name: str | None = None
    age_band: AgeBand | None = None
    anonymous: bool = False
    expires_at: float = 0.0

    def covers(self, room: RoomId) -> bool:
        """Whether the token was made for this room."""
        return self.room in (ANY_ROOM, room)
