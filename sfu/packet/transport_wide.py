"""Transport-wide congestion feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).

In: which packets of a transport arrived when, as consecutive numbers. Out: RTCP packets that
say so. The reader of a header extension's number is here too. Numbers are unwrapped integers
and 16 bits only where they are written; moments are whole ticks of 250 µs. Must not know
streams, sessions or when to report.
"""

import struct
from collections.abc import Iterator, Sequence

from sfu.packet.rtp import parse_extensions

TICKS_S = 4_000
"""Ticks a second: the least difference of arrival that can be told."""
STATUSES_MAX = 400
"""Packets told of in one feedback packet, which then stays below 1,200 bytes."""
RUN_MIN = 8
"""From so many equal statuses on a run takes less room than a vector of seven."""

_TRANSPORT_FEEDBACK, _FORMAT_TRANSPORT_WIDE = 205, 15
_TICKS_PER_REFERENCE = 256
_SMALL_MAX = 255
_LARGE_MAX = 32_767
_RUN_MAX = 8_191
_NOT_RECEIVED, _SMALL, _LARGE = 0, 1, 2
_ONE_BIT_SYMBOLS, _TWO_BIT_SYMBOLS = 14, 7

_HEAD = struct.Struct("!BBHIIHHI")


def number_of(profile: int, block: bytes, identity: int) -> int | None:
    """Return the transport-wide number in a header extension block."""
    value = parse_extensions(profile, block).get(identity)
    return int.from_bytes(value, "big") if value is not None and len(value) == 2 else None


def write_transport_wide(
    sender: int, media: int, first: int, arrivals: Sequence[int | None], *, count: int
) -> list[bytes]:
    """Say when the packets numbered `first`, `first` + 1, … arrived; None: not yet.

    Args:
        sender: our SSRC.
        media: one of the SSRCs that the packets are of.
        first: the number of the first packet told of.
        arrivals: its arrival in ticks, and those of all that follow.
        count: how many such feedback packets were written before, modulo 256.

    Returns:
        As many RTCP packets as it takes; none when nothing arrived.

    """
    written: list[bytes] = []
    for start, end in _parts(arrivals):
        part = arrivals[start:end]
        written.append(_write(sender, media, first + start, part, count + len(written)))
    return written


def _parts(arrivals: Sequence[int | None]) -> Iterator[tuple[int, int]]:
    """Cut where a packet is full or two arrivals are too far apart to be told in one."""
    start, before = 0, None
    for at, moment in enumerate(arrivals):
        too_far = moment is not None and before is not None and abs(moment - before) > _LARGE_MAX
        if at - start >= STATUSES_MAX or too_far:
            if before is not None:
                yield start, at
            start, before = at, None
        if moment is not None:
            before = moment
    if before is not None:
        yield start, len(arrivals)


def _write(
    sender: int, media: int, first: int, arrivals: Sequence[int | None], count: int
) -> bytes:
    reference = next(moment for moment in arrivals if moment is not None) // _TICKS_PER_REFERENCE
    before = reference * _TICKS_PER_REFERENCE
    symbols: list[int] = []
    deltas = b""
    for moment in arrivals:
        if moment is None:
            symbols.append(_NOT_RECEIVED)
            continue
        delta = moment - before
        before = moment
        is_small = 0 <= delta <= _SMALL_MAX
        symbols.append(_SMALL if is_small else _LARGE)
        deltas += delta.to_bytes(1, "big") if is_small else delta.to_bytes(2, "big", signed=True)
    chunks = b"".join(chunk.to_bytes(2, "big") for chunk in _chunks(symbols))
    body = chunks + deltas
    padding = -len(body) % 4
    if padding:
        # RFC 3550 section 6.4.1: the last octet counts the padding, itself included.
        body += bytes(padding - 1) + bytes((padding,))
    first_byte = 0x80 | (0x20 if padding else 0) | _FORMAT_TRANSPORT_WIDE
    words = (_HEAD.size + len(body)) // 4 - 1
    head = _HEAD.pack(
        first_byte,
        _TRANSPORT_FEEDBACK,
        words,
        sender,
        media,
        first & 0xFFFF,
        len(arrivals),
        ((reference & 0xFFFFFF) << 8) | (count & 0xFF),
    )
    return head + body


def _chunks(symbols: Sequence[int]) -> Iterator[int]:
    at, size = 0, len(symbols)
    while at < size:
        run = 1
        while at + run < size and run < _RUN_MAX and symbols[at + run] == symbols[at]:
            run += 1
        if run >= RUN_MIN:
            # Section 3.1.3: 0, two bits of status, thirteen of length.
            yield (symbols[at] << 13) | run
            at += run
            continue
        vector = symbols[at : at + _ONE_BIT_SYMBOLS]
        if _LARGE not in vector:
            # Section 3.1.4: 1, 0, then "small or not received" in one bit each.
            yield 0x8000 | sum(s << (13 - i) for i, s in enumerate(vector))
            at += _ONE_BIT_SYMBOLS
            continue
        vector = symbols[at : at + _TWO_BIT_SYMBOLS]
        yield 0xC000 | sum(s << (2 * (6 - i)) for i, s in enumerate(vector))
        at += _TWO_BIT_SYMBOLS
