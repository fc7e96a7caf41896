"""Bytes to messages and back, for both subprotocols; encoders are made once.

Three outcomes of decoding: a message; `Unusable`, a well-formed frame that cannot be carried
out (the connection lives); `WireError`, a frame outside the protocol (the connection ends).
Duplicate keys: the last one counts, in every part. Nothing here knows a connection.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from liveroom.protocol.closing import PROTOCOL
from liveroom.protocol.messages import (
    COMMAND_ID_LENGTH_MAX,
    Ask,
    ClientMessage,
    Fields,
    Gift,
    Hello,
    Like,
    Message,
    Ping,
    Say,
    ServerMessage,
    Token,
)

FRAME_BYTES_MAX = 16 * 1024
"""A larger message from a client closes the connection with 1009."""

TEXT_OPCODE = 0x1
BINARY_OPCODE = 0x2
_FINAL = 0x80
_LENGTH_7_MAX = 125
_LENGTH_16_MAX = 0xFFFF


class WireError(Exception):
    """The peer broke the protocol: this connection ends with `code`."""

    def __init__(self, why: str, code: int = PROTOCOL) -> None:
        self.code = code
        self.why = why
        super().__init__(f"{code}: {why}")


@dataclass(frozen=True, slots=True)
class Unusable:
    """A well-formed frame that cannot be carried out: `code` is a key of `REFUSALS`.

    `id` is None when the frame has none. A frame of an unknown type without an id asks for
    no answer: `silent` says so, it is only counted.
    """

    code: str
    why: str | None
    id: str | None
    silent: bool = False


class _Envelope(msgspec.Struct):
    """The two keys that say what a broken message was meant to be."""

    t: str
    id: msgspec.Raw = msgspec.Raw(b"")


TYPES: Final = {
    "hello": Hello,
    "say": Say,
    "like": Like,
    "gift": Gift,
    "ask": Ask,
    "token": Token,
    "ping": Ping,
}
"""What a client may send, by its name on the wire."""

_WITHOUT_ID: Final = frozenset({"like", "ping"})

_MALFORMED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Format(Protocol):
    """What `msgspec.json` and `msgspec.msgpack` have in common."""

    Encoder: type[Any]
    Decoder: type[Any]


class Codec:
    """One subprotocol: its name, its kind of frame, its encoder and decoders."""

    __slots__ = ("_any", "_decoder", "_encoder", "_envelope", "_server", "is_text", "name")

    def __init__(self, name: str, module: _Format, *, is_text: bool) -> None:
        self.name = name
        self.is_text = is_text
        self._encoder = module.Encoder()
        self._decoder = module.Decoder(ClientMessage)
        self._envelope = module.Decoder(_Envelope)
        self._any = module.Decoder(str)
        self._server = module.Decoder(ServerMessage)

    def __repr__(self) -> str:
        return f"Codec({self.name})"

    def encode(self, message: Message | Fields | list[Fields]) -> bytes:
        """Encode one message, the payload of a frame, or a list that goes into several."""
        payload: bytes = self._encoder.encode(message)
        return payload

    def frame(self, message: Message | Fields) -> bytes:
        """Encode one message as a whole server frame, ready for any socket of this codec."""
        return write_frame(self.encode(message), is_text=self.is_text)

    def decode(self, data: str | bytes) -> ClientMessage | Unusable:
        """Decode what a client sent.

        Raises:
            WireError: when the frame is outside the protocol.

        """
        if isinstance(data, str) is not self.is_text:
            raise WireError(f"{self.name} uses {'text' if self.is_text else 'binary'} frames.")
        try:
            message: ClientMessage = self._decoder.decode(data)
        except msgspec.ValidationError as error:
            return self._unusable(data, str(error))
        except _MALFORMED:
            raise WireError("The frame is not one well-formed map.") from None
        return message

    def decode_answer(self, data: str | bytes) -> ServerMessage:
        """Decode what a server sent (clients and tests).

        Raises:
            msgspec.DecodeError: when it is not a server's message.

        """
        message: ServerMessage = self._server.decode(data)
        return message

    def _unusable(self, data: str | bytes, why: str) -> Unusable:
        try:
            envelope = self._envelope.decode(data)
        except _MALFORMED:
            raise WireError("A message is a map whose key t is a text.") from None
        id_ = self._id(envelope.id)
        if envelope.t not in TYPES:
            return Unusable("unknown_command", None, id_, silent=id_ is None)
        if envelope.t == "hello":
            raise WireError(f"hello cannot be read: {why}.")
        if id_ is None and envelope.t not in _WITHOUT_ID:
            raise WireError(f"{envelope.t} cannot be read: {why}.")
        return Unusable("invalid", f"{why}.", id_)

    def _id(self, raw: msgspec.Raw) -> str | None:
        if not bytes(raw):
            return None
        try:
            id_: str = self._any.decode(raw)
        except _MALFORMED:
            return None
        return id_ if 1 <= len(id_) <= COMMAND_ID_LENGTH_MAX else None


def write_frame(payload: bytes, *, is_text: bool) -> bytes:
    """Write an unfragmented, unmasked frame (RFC 6455 sections 5.1 and 5.2)."""
    first = _FINAL | (TEXT_OPCODE if is_text else BINARY_OPCODE)
    length = len(payload)
    if length <= _LENGTH_7_MAX:
        return bytes((first, length)) + payload
    if length <= _LENGTH_16_MAX:
        return bytes((first, 126)) + length.to_bytes(2) + payload
    return bytes((first, 127)) + length.to_bytes(8) + payload


class EventCodec(Codec):
    """JSON as server-sent events (HTML standard, section 9.2): a frame is one `data` line."""

    __slots__ = ()

    def frame(self, message: Message | Fields) -> bytes:
        """Encode one message as a whole event; JSON has no raw line ends."""
        return b"data: " + self.encode(message) + b"\n\n"


JSON: Final = Codec("liveroom.json.v1", msgspec.json, is_text=True)
MSGPACK: Final = Codec("liveroom.msgpack.v1", msgspec.msgpack, is_text=False)

EVENTS: Final = EventCodec("liveroom.events.v1", msgspec.json, is_text=True)

CODECS: Final = {codec.name: codec for codec in (MSGPACK, JSON)}
"""In the order of the server's preference."""


def codec_of(subprotocol: str | None) -> Codec:
    """Choose the codec of a connection; JSON when no subprotocol was offered."""
    return JSON if subprotocol is None else CODECS[subprotocol]
