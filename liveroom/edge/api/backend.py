"""What the handlers may reach: services, tokens, media, settings and the clock, as one value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from liveroom.bus.port import Alone, Company
from liveroom.config import Config
from liveroom.domain.ids import NewId, RoomId
from liveroom.edge.event_stream import Streams
from liveroom.edge.media import MediaPort
from liveroom.edge.replay_links import ReplayLinks
from liveroom.edge.tokens import Tokens
from liveroom.service.services import Services


@dataclass(frozen=True, slots=True)
class Addresses:
    """What clients are told: the HTTP origin and the websocket's whole address."""

    http_url: str
    gateway_url: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether this process wants traffic, and what each part says of itself."""

    ready: bool
    parts: Mapping[str, str] = field(default_factory=dict)


def always_ready() -> Readiness:
    """Be ready as soon as the listener is."""
    return Readiness(ready=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The server behind the routes.

    `addresses` is asked at each use, because listeners on port 0 know theirs late. `now_ms`
    is UTC milliseconds, `new_id` makes ids that sort by time, `online` counts a room's people on
    all nodes, `company` knows where a room's host is.
    """

    services: Services
    tokens: Tokens
    media: MediaPort
    config: Config
    addresses: Callable[[], Addresses]
    now_ms: Callable[[], int]
    new_id: NewId
    online: Callable[[RoomId], int]
    replay_links: ReplayLinks
    streams: Streams | None = None
    readiness: Callable[[], Readiness] = always_ready
    company: Company = field(default_factory=Alone)
