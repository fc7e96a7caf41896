"""The VP8 payload descriptor (RFC 7741 section 4.2): picture numbers in, other numbers out.

In: the payload of one packet. Out: its picture id, base layer index and temporal layer, or a
payload that bears others. A short or odd descriptor has no numbers. Must not keep state.
"""

from typing import NamedTuple

PICTURE_MASK = 0x7FFF
BASE_MASK = 0xFF
_EXTENDED, _HAS_PICTURE, _HAS_BASE, _HAS_LAYER, _LONG = 0x80, 0x80, 0x40, 0x30, 0x80


class Picture(NamedTuple):
    """The numbers of one packet; `bits` is how many its picture id has (7 or 15)."""

    identity: int
    bits: int
    base: int | None
    temporal: int | None
    size: int
    """Bytes of the descriptor."""


def parse_picture(payload: bytes) -> Picture | None:
    """Read the numbers; None when there is no picture id."""
    if len(payload) < 4 or not payload[0] & _EXTENDED or not payload[1] & _HAS_PICTURE:
        return None
    flags = payload[1]
    is_long = payload[2] & _LONG
    identity = int.from_bytes(payload[2:4], "big") & PICTURE_MASK if is_long else payload[2]
    at = 4 if is_long else 3
    base = temporal = None
    if flags & _HAS_BASE:
        base = payload[at] if at < len(payload) else None
        at += 1
    if flags & _HAS_LAYER:
        temporal = payload[at] >> 6 if flags & 0x20 and at < len(payload) else None
        at += 1
    return (
        Picture(identity, 15 if is_long else 7, base, temporal, at) if at <= len(payload) else None
    )


def write_picture(payload: bytes, picture: Picture, *, identity: int, base: int) -> bytes:
    """Return the payload with another picture id, always of 15 bits, and base layer index."""
    head = payload[:2] + (0x8000 | identity & PICTURE_MASK).to_bytes(2, "big")
    rest = 4 if picture.bits == 15 else 3
    if picture.base is None:
        return head + payload[rest:]
    return head + bytes((base & BASE_MASK,)) + payload[rest + 1 :]
