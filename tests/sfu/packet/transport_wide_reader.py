"""Reads transport-wide feedback by the letter of the draft, for tests; shares nothing with sfu."""

import struct


def read(data: bytes) -> tuple[int, int, dict[int, int | None]]:
    """Return the feedback's own number, its first packet's, and number -> tick or None."""
    first_byte, kind, words, _, _, base, count, tail = struct.unpack_from("!BBHIIHHI", data)
    assert (first_byte & 0xDF, kind) == (0x80 | 15, 205)
    assert len(data) == 4 * (words + 1)
    reference, number = tail >> 8, tail & 0xFF
    end = len(data) - (data[-1] if first_byte & 0x20 else 0)
    at = 20
    symbols: list[int] = []
    while len(symbols) < count:
        (chunk,) = struct.unpack_from("!H", data, at)
        at += 2
        if not chunk & 0x8000:
            symbols += [chunk >> 13] * (chunk & 0x1FFF)
        elif chunk & 0x4000:
            symbols += [(chunk >> shift) & 3 for shift in range(12, -1, -2)]
        else:
            symbols += [(chunk >> shift) & 1 for shift in range(13, -1, -1)]
    tick = reference * 256
    found: dict[int, int | None] = {}
    for index, symbol in enumerate(symbols[:count]):
        assert symbol in (0, 1, 2)
        if symbol:
            size = symbol
            tick += int.from_bytes(data[at : at + size], "big", signed=symbol == 2)
            at += size
        found[(base + index) & 0xFFFF] = tick if symbol else None
    assert at == end, "bytes are left over or were read beyond the end"
    assert not any(symbols[count:]), "padding of the last chunk is not zero"
    return number, base, found
