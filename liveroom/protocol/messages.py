"""Every message of the websocket, one Struct each; `t` names its type on the wire.

The same maps travel as JSON and as MessagePack (`codec`). Unknown keys are ignored, so either
end may grow. Every integer has bounds and every text a length: a test walks all Structs.
Events inside frames are plain maps made by `present`. Nothing here knows a connection.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from liveroom.domain.ids import ID_PATTERN

NUMBER_MAX = 2**53 - 1
"""The largest integer a JavaScript client reads exactly."""
TOKEN_LENGTH_MAX = 8_192
COMMAND_ID_LENGTH_MAX = 128
TEXT_LENGTH_MAX = 4_096
"""What the wire lets through; `text.clean` holds the real limits."""
LIKES_MAX = 100
"""Likes in one message; a client gathers taps for a moment."""
GIFTS_MAX = 9_999
"""Gifts in one command."""
NAME_LENGTH_MAX = 64
AFTER_MS_MAX = 600_000
CODE_MAX = 4_999

# `$` would let a trailing newline through.
CONTEXT_LENGTH_MAX = 80

_WHOLE_ID = ID_PATTERN.removesuffix("$") + r"\Z"

Id = Annotated[str, Meta(pattern=_WHOLE_ID)]
# A control character in a key is a mistake, and a NUL is nothing that every store can keep.
COMMAND_KEY_PATTERN = r"^[^\x00-\x1f\x7f]+\Z"
CommandKey = Annotated[
    str, Meta(min_length=1, max_length=COMMAND_ID_LENGTH_MAX, pattern=COMMAND_KEY_PATTERN)
]
Token_ = Annotated[str, Meta(max_length=TOKEN_LENGTH_MAX)]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
Number = Annotated[int, Meta(ge=0, le=NUMBER_MAX)]
Milliseconds = Annotated[int, Meta(ge=0, le=AFTER_MS_MAX)]
Code = Annotated[int, Meta(ge=1_000, le=CODE_MAX)]

Fields = dict[str, Any]
"""An event or card as it stands on the wire."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="t"):
    """What all messages share."""


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """Where a returning client stopped; `personal` counts its personal events."""

    epoch: Name
    offset: Number
    personal: Number | None = None


# From the client.


class Hello(Message, frozen=True, kw_only=True, tag="hello"):
    """The first frame: who I am, which room, and where I stopped if I was here before."""

    token: Token_
    room: Id
    resume: Resume | None = None


class Say(Message, frozen=True, kw_only=True, tag="say"):
    """One line of text."""

    id: CommandKey
    text: Annotated[str, Meta(max_length=TEXT_LENGTH_MAX)]


class Like(Message, frozen=True, kw_only=True, tag="like"):
    """Taps on the heart since the last message."""

    n: Annotated[int, Meta(ge=1, le=LIKES_MAX)] = 1


class Gift(Message, frozen=True, kw_only=True, tag="gift"):
    """Send a gift; `id` makes a repetition harmless. `context` says what for: `product:ID`."""

    id: CommandKey
    gift: Id
    count: Annotated[int, Meta(ge=1, le=GIFTS_MAX)] = 1
    context: Annotated[str, Meta(max_length=CONTEXT_LENGTH_MAX)] | None = None


class Ask(Message, frozen=True, kw_only=True, tag="ask"):
    """Any other command; `with` stays undecoded until the service knows the command."""

    id: CommandKey
    do: Name
    with_: msgspec.Raw = msgspec.field(name="with", default_factory=lambda: msgspec.Raw(b""))


class Token(Message, frozen=True, kw_only=True, tag="token"):
    """A fresh token before the old one expires; answered when it has an id."""

    token: Token_
    id: CommandKey | None = None


class Ping(Message, frozen=True, kw_only=True, tag="ping"):
    """Ask for a `pong`, for clients that cannot see the protocol's own."""


ClientMessage = Hello | Say | Like | Gift | Ask | Token | Ping
Command = Say | Like | Gift | Ask

# From the server.


class Welcome(Message, frozen=True, kw_only=True, tag="welcome"):
    """You are in; nothing numbered up to `offset` comes as an event afterwards."""

    you: Fields
    room: Fields
    snapshot: Fields
    epoch: Name
    offset: Number
    personal: Number
    tick_ms: Annotated[int, Meta(ge=1, le=60_000)]
    resumed: bool


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Running figures of a room."""

    online: Number
    likes: Number


class Batch(Message, frozen=True, kw_only=True, tag="batch"):
    """What happened since the last one; `offset` = the last durable event contained so far."""

    epoch: Name
    offset: Number
    events: list[Fields]
    counters: Counters


class ToYou(Message, frozen=True, kw_only=True, tag="to_you"):
    """Events for one person; `personal` counts the durable ones."""

    personal: Number
    events: list[Fields]


class Ok(Message, frozen=True, kw_only=True, tag="ok"):
    """A command was carried out; each fills the fields it has, `ask` adds its own beside them."""

    id: str
    event: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    n: Number | UnsetType = UNSET
    coins_left: Number | UnsetType = UNSET
    held: bool | UnsetType = UNSET


class No(Message, frozen=True, kw_only=True, tag="no"):
    """A command was refused and changed nothing; messages without an id are refused without."""

    code: Name
    why: str
    id: str | UnsetType = UNSET
    retry_ms: Number | UnsetType = UNSET


class Pong(Message, frozen=True, kw_only=True, tag="pong"):
    """The answer to `ping`; `at` is the server's time in UTC milliseconds."""

    at: Number


class Move(Message, frozen=True, kw_only=True, tag="move"):
    """Please reconnect then: this server is about to stop."""

    after_ms: Milliseconds


class Bye(Message, frozen=True, kw_only=True, tag="bye"):
    """The last message before every close that the server starts."""

    code: Code
    why: str
    after_ms: Milliseconds | UnsetType = UNSET


def answered(id_: str, fields: Fields) -> Fields:
    """Make the `ok` of an `ask`: its own fields at the top, never over `t` and `id`."""
    return {**fields, "t": "ok", "id": id_}


ServerMessage = Welcome | Batch | ToYou | Ok | No | Pong | Move | Bye
