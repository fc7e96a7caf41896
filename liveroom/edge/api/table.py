"""What a route is: a row that says method, path, who may, the types, and which handler.

The rows of all nouns together are the API: routing, access, idempotency keys, documentation
and the access tests are made from them, so none can be forgotten. Handlers are plain
functions of a `Call`; they know no web framework.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from liveroom.domain.actors import Actor, Role
from liveroom.domain.ids import ID_PATTERN, TenantId
from liveroom.domain.refusals import Refused
from liveroom.domain.rooms import Room
from liveroom.edge.api.backend import Backend
from liveroom.protocol.limits import Kind

NUMBER_MAX = 2**53 - 1
"""The largest integer every client language holds exactly."""

KEY_CHARS_MAX = 255
PATH_ID_CHARS_MAX = 64

Id = Annotated[str, msgspec.Meta(pattern=ID_PATTERN, max_length=PATH_ID_CHARS_MAX)]
Number = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]
Amount = Annotated[int, msgspec.Meta(ge=-NUMBER_MAX, le=NUMBER_MAX)]
PRINTED = r"^[^\x00-\x1f\x7f]*\Z"
"""Text without control characters: none belongs in a name, and no store keeps them all."""
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=PRINTED)]
Url = Annotated[str, msgspec.Meta(max_length=2_048, pattern=PRINTED)]
Name = Annotated[str, msgspec.Meta(max_length=200, pattern=PRINTED)]


class Credential(StrEnum):
    """Whether a route looks at tokens."""

    IGNORED = "ignored"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a route."""

    credential: Credential
    roles: frozenset[Role] = frozenset(Role)


ANYONE = Access(Credential.IGNORED)
VISITORS = Access(Credential.OPTIONAL)
BEARERS = Access(Credential.REQUIRED)
MERCHANTS = Access(Credential.REQUIRED, frozenset({Role.MERCHANT, Role.ADMIN}))
HOSTS = Access(Credential.REQUIRED, frozenset({Role.HOST}))
HOSTS_AND_MERCHANTS = Access(Credential.REQUIRED, frozenset({Role.HOST, Role.MERCHANT, Role.ADMIN}))
AUDIENCE = Access(Credential.REQUIRED, frozenset({Role.VIEWER, Role.GUEST}))


class Key(StrEnum):
    """Whether a route reads the Idempotency-Key header."""

    UNUSED = "unused"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, checked and decoded.

    `actor` is set where the route requires a token, with the tenant it acts for; `claimed` is
    the tenant that the token itself names. `room` is set where the path names one. `raw` is
    the body as it came, `headers` have lower-case names, `path` holds the path's variables.
    """

    backend: Backend
    actor: Actor | None
    claimed: TenantId | None
    room: Room | None
    path: Mapping[str, str]
    key: str | None
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    address: str

    def bearer(self) -> Actor:
        """Return the actor of a route that requires one."""
        assert self.actor is not None
        return self.actor

    def place(self) -> Room:
        """Return the room of a route that names one."""
        assert self.room is not None
        return self.room

    def path_id(self, name: str, code: str) -> str:
        """Return another id that the path names; what cannot be one is refused with `code`."""
        value = self.path[name]
        if re.search(ID_PATTERN, value) is None:
            raise Refused(code)
        return value

    def idempotency_key(self) -> str:
        """Return the key of a route that requires one."""
        assert self.key is not None
        return self.key


@dataclass(frozen=True, slots=True)
class Plain:
    """An answer that is not JSON."""

    content: bytes
    media_type: str
    status: int = 200
    fresh_s: int | None = None
    """Seconds that anybody may keep it."""


Handler = Callable[..., Awaitable[object]]
"""Takes a `Call`, and the decoded body where the row names its type; returns a wire value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One route.

    `refusals` names the codes it may answer beyond those of access and input, `rate` the
    allowance of the user that it draws on.
    """

    method: str
    path: str
    summary: str
    handle: Handler
    access: Access
    body: type[msgspec.Struct] | None = None
    answer: Any = None
    status: int = 200
    key: Key = Key.UNUSED
    query: tuple[str, ...] = ()
    rate: Kind | None = None
    refusals: tuple[str, ...] = ()

    @property
    def names_room(self) -> bool:
        """Whether the path names a room."""
        return "{room}" in self.path


def read_key(row: Row, headers: Mapping[str, str]) -> str | None:
    """Read the Idempotency-Key header as far as the row wants it.

    Raises:
        Refused: `key_required` when it is missing or not 1 to 255 visible ASCII characters.

    """
    if row.key is Key.UNUSED:
        return None
    key = headers.get("idempotency-key", "").strip()
    if not key and row.key is Key.OPTIONAL:
        return None
    if not 1 <= len(key) <= KEY_CHARS_MAX or not (key.isascii() and key.isprintable()):
        raise Refused("key_required")
    return key
