"""Settings of the media server: one frozen value, every default and bound in sight."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server that clients are told of; we run none."""

    url: str
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """How much one user, one address and all together may hold.

    Outcome when passed: `rate` (429) for one, `full` (503) for all.
    """

    sessions: int = 5_000
    sessions_per_user: int = 200
    sessions_per_address: int = 2_000
    half_open: int = 2_000
    half_open_per_address: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaConfig:
    """What one media process needs to know.

    `port` 0 lets the kernel choose. `advertise` are the addresses put into candidates,
    without port or with one ("203.0.113.7", "203.0.113.7:9000", "[2001:db8::1]:9000"); empty
    means `host`, or every interface's address when that is a wildcard. `origins` are the
    browsers' origins that may ask; "*" is all.
    """

    host: str = "127.0.0.1"
    port: int = 0
    advertise: tuple[str, ...] = ()
    ice_servers: tuple[IceServer, ...] = ()
    origins: tuple[str, ...] = ("*",)
    bitrate_bps: int = 4_000_000
    recordings: Path | None = None
    """Folder of recordings; None records nothing. Pictures of rooms need none."""
    limits: MediaLimits = MediaLimits()
