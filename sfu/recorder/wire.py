"""What server and recorder say to each other over the recorder's standard input and output.

Each message is a length (4 bytes, big-endian) and a MessagePack map with its type. Names of
files come from the server and are checked here again: no path ever leaves the folder.
"""

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec
from msgspec import Meta

MESSAGE_BYTES_MAX: Final = 32 * 1024 * 1024
"""A longer message cannot be read: the stream is broken. Outcome: the recorder ends."""
LENGTH_BYTES: Final = 4

FileName = Annotated[str, Meta(pattern=r"^[0-9a-z][0-9a-z-]{0,127}\Z")]
"""Made by the server: no dots, no slashes, nothing that anybody typed."""


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """One RTP payload; `after_gap` says that others are missing before it."""

    timestamp: int
    arrived: float
    marker: bool
    payload: bytes
    after_gap: bool = False


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Write what comes under this number into a file; `base` is the moment of its second 0."""

    number: int
    file: FileName
    base: float
    has_video: bool


class Media(msgspec.Struct, frozen=True, tag="media"):
    """Payloads of one track in order; `lead` are parameter sets to use when there are none."""

    number: int
    kind: str
    codec: str
    clock_rate: int
    pieces: list[Piece]
    lead: list[bytes] = []


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """Close the file."""

    number: int


class Draw(msgspec.Struct, frozen=True, tag="draw"):
    """Make a JPEG of a key frame."""

    number: int
    codec: str
    payloads: list[bytes]


class Cut(msgspec.Struct, frozen=True, tag="cut"):
    """Copy a part of a file into another one."""

    number: int
    source: FileName
    target: FileName
    from_s: float
    to_s: float


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """A file is closed; no more of its number is taken."""

    number: int
    reason: str
    duration_s: float
    bytes: int
    frames: int
    gaps: int


class Drawn(msgspec.Struct, frozen=True, tag="drawn"):
    """The JPEG, or nothing when the key frame cannot be decoded."""

    number: int
    jpeg: bytes | None


class Done(msgspec.Struct, frozen=True, tag="cut_done"):
    """How long the part is; 0 when nothing could be copied."""

    number: int
    duration_s: float


Order = Begin | Media | Finish | Draw | Cut
Answer = Finished | Drawn | Done

_encoder = msgspec.msgpack.Encoder()
read_order = msgspec.msgpack.Decoder(Order).decode
read_answer = msgspec.msgpack.Decoder(Answer).decode


def write(message: Order | Answer) -> bytes:
    """Write a message with its length."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class Splitter:
    """Cuts what a pipe delivers into the bodies of messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield the bodies that are whole.

        Raises:
            ValueError: a message is longer than `MESSAGE_BYTES_MAX`.

        """
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= LENGTH_BYTES:
            size = int.from_bytes(buffer[at : at + LENGTH_BYTES], "big")
            if size > MESSAGE_BYTES_MAX:
                raise ValueError(f"a message of {size} bytes")
            end = at + LENGTH_BYTES + size
            if len(buffer) < end:
                break
            yield bytes(buffer[at + LENGTH_BYTES : end])
            at = end
        del buffer[:at]
