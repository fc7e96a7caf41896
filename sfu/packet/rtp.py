"""RTP packets (RFC 3550 section 5) and their header extensions (RFC 8285).

In: decrypted bytes. Out: a view of the header with the payload cut out, or None; no input
raises. The other way: a 12-byte header and an extension block. Padding is cut off on the
way in. Must not know codecs or which stream a packet belongs to.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

HEADER_BYTES = 12
ONE_BYTE_PROFILE = 0xBEDE
TWO_BYTE_PROFILE = 0x1000
"""The low four bits are "appbits" (RFC 8285 section 4.3)."""

HEADER = struct.Struct("!BBHII")
"""First byte, marker and payload type, sequence number, timestamp, SSRC."""
_WORD = struct.Struct("!HH")

pack_header = HEADER.pack

FIRST_BYTE = 0x80
FIRST_BYTE_EXTENDED = 0x90
MARKER = 0x80


class RtpPacket(NamedTuple):
    """One parsed packet; `extension` is the undecoded block of `profile` (0: there is none)."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    profile: int
    extension: bytes
    payload: bytes


def parse(data: bytes) -> RtpPacket | None:
    """Read a packet; None when version, CSRC count, extension length or padding do not fit."""
    size = len(data)
    if size < HEADER_BYTES:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first >> 6 != 2:
        return None
    start = HEADER_BYTES + 4 * (first & 0x0F)
    profile, extension = 0, b""
    if first & 0x10:
        if start + 4 > size:
            return None
        profile, words = _WORD.unpack_from(data, start)
        start += 4
        end = start + 4 * words
        if end > size:
            return None
        extension = data[start:end]
        start = end
    if first & 0x20:
        # RFC 3550 section 5.1: the last octet counts the padding, itself included.
        padding = data[-1]
        size -= padding
        if padding == 0:
            return None
    if start > size:
        return None
    return RtpPacket(
        second >= MARKER,
        second & 0x7F,
        sequence,
        timestamp,
        ssrc,
        profile,
        extension,
        data[start:size],
    )


def parse_extensions(profile: int, block: bytes) -> dict[int, bytes]:
    """Read the elements of a block; a broken or foreign one yields what came before the break."""
    if profile == ONE_BYTE_PROFILE:
        return _parse_one_byte(block)
    if profile & 0xFFF0 == TWO_BYTE_PROFILE:
        return _parse_two_byte(block)
    return {}


def _parse_one_byte(block: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at, size = 0, len(block)
    while at < size:
        head = block[at]
        at += 1
        if head == 0:
            continue
        identity, length = head >> 4, (head & 0x0F) + 1
        # RFC 8285 section 4.2: 15 is reserved and ends the processing; 0 with a length too.
        if identity in (0, 15) or at + length > size:
            break
        found[identity] = block[at : at + length]
        at += length
    return found


def _parse_two_byte(block: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at, size = 0, len(block)
    while at < size:
        identity = block[at]
        at += 1
        if identity == 0:
            continue
        if at >= size or at + 1 + block[at] > size:
            break
        found[identity] = block[at + 1 : at + 1 + block[at]]
        at += 1 + block[at]
    return found


def write_extensions(elements: Iterable[tuple[int, bytes]]) -> bytes:
    """Write a whole block, profile and length included; no elements, no block.

    One-byte form where every id is 1..14 and every value 1..16 bytes, else two-byte form.
    """
    items = tuple(elements)
    if not items:
        return b""
    if all(1 <= identity <= 14 and 1 <= len(value) <= 16 for identity, value in items):
        profile = ONE_BYTE_PROFILE
        body = b"".join(bytes(((i << 4) | (len(v) - 1),)) + v for i, v in items)
    else:
        profile = TWO_BYTE_PROFILE
        body = b"".join(bytes((i, len(v))) + v for i, v in items)
    body += bytes(-len(body) % 4)
    return _WORD.pack(profile, len(body) // 4) + body


def write(
    *,
    marker: bool,
    payload_type: int,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload: bytes,
    extensions: bytes = b"",
) -> bytes:
    """Write a whole packet; `extensions` comes from `write_extensions`."""
    first = FIRST_BYTE_EXTENDED if extensions else FIRST_BYTE
    second = payload_type | (MARKER if marker else 0)
    return (
        pack_header(first, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
        + extensions
        + payload
    )


def write_rtx_payload(sequence: int, payload: bytes) -> bytes:
    """Write the payload of a retransmission (RFC 4588 section 4): original number first."""
    return (sequence & 0xFFFF).to_bytes(2, "big") + payload


def parse_rtx_payload(payload: bytes) -> tuple[int, bytes] | None:
    """Read a retransmission: original sequence number and payload; None for padding probes."""
    if len(payload) <= 2:
        return None
    return int.from_bytes(payload[:2], "big"), payload[2:]
