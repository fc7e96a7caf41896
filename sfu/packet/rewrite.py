"""Make packets of changing sources look like one unbroken stream.

A `Splice` is how one source's numbers become a viewer's: two shifts, fixed from the packet
at which the source was joined on. What the source lost stays a hole of the same size, so
that a late packet still finds its place; between two sources there is no hole. A `Squeeze`
is fast motion: a part of the source whose media time is shrunk towards the moment at which
the source's own pace begins. Sequence numbers are unwrapped integers here and 16 bits only
where they are written.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from sfu.packet.rtp import HEADER, HEADER_BYTES

SEQUENCE_MASK = 0xFFFF
TIMESTAMP_MASK = 0xFFFFFFFF
SQUEEZE_BITS_MIN = 5
"""Fast motion is 32 times as fast: a frame of 30 a second then lasts 1 ms."""
SQUEEZE_BITS_MAX = 9
"""512 times at most: frames of up to 170 a second stay apart."""
_HALF_SEQUENCE = 0x8000
_HALF_TIMESTAMP = 0x80000000
_NUMBERS = struct.Struct("!IIH")


def unwrap(sequence: int, near: int) -> int:
    """Return the integer nearest to `near` whose low 16 bits are `sequence`."""
    ahead = (sequence - near) & SEQUENCE_MASK
    return near + ahead - (0x10000 if ahead >= _HALF_SEQUENCE else 0)


def timestamp_ahead(timestamp: int, other: int) -> int:
    """Return how far a timestamp is ahead of another across a wrap; negative means behind."""
    ahead = (timestamp - other) & TIMESTAMP_MASK
    return ahead - 0x100000000 if ahead >= _HALF_TIMESTAMP else ahead


class Splice(NamedTuple):
    """From `first` on (a source sequence number), add these shifts."""

    first: int
    sequence_shift: int
    timestamp_shift: int

    def sequence(self, source: int) -> int:
        """Return the viewer's unwrapped sequence number for the source's."""
        return source + self.sequence_shift

    def timestamp(self, source: int) -> int:
        """Return the viewer's timestamp for the source's."""
        return (source + self.timestamp_shift) & TIMESTAMP_MASK


def begin(*, source: int, source_timestamp: int, sequence: int, timestamp: int) -> Splice:
    """Make the source's packet come out with the given numbers."""
    return Splice(source, sequence - source, (timestamp - source_timestamp) & TIMESTAMP_MASK)


def follow(
    *,
    source: int,
    source_timestamp: int,
    last_sequence: int,
    last_timestamp: int,
    elapsed_s: float,
    clock_rate: int,
) -> Splice:
    """Join another source on: the next number, and as much media time as has really passed."""
    passed = max(1, round(elapsed_s * clock_rate))
    return begin(
        source=source,
        source_timestamp=source_timestamp,
        sequence=last_sequence + 1,
        timestamp=last_timestamp + passed,
    )


class Squeeze(NamedTuple):
    """Fast motion up to a source timestamp, the anchor: time before it runs 2**bits faster."""

    anchor: int
    bits: int

    def timestamp(self, source: int) -> int:
        """Return where the source's timestamp comes to lie, in the source's own time.

        Frames at least 2**bits apart keep their order, and the anchor and all after it stay.
        """
        ahead = timestamp_ahead(source, self.anchor)
        # A shift of a negative number rounds down: whatever is before the anchor stays before.
        return source if ahead >= 0 else self.anchor + (ahead >> self.bits)


def squeeze(*, source_timestamp: int, anchor: int, room: int) -> Squeeze:
    """Return the least fast motion from a timestamp to the anchor that takes `room` ticks.

    What does not fit at the greatest speed takes more.
    """
    bits = SQUEEZE_BITS_MIN
    span = timestamp_ahead(anchor, source_timestamp)
    while bits < SQUEEZE_BITS_MAX and (span >> bits) + 1 > room:
        bits += 1
    return Squeeze(anchor, bits)


def pack_numbers(*, ssrc: int, sequence_shift: int, timestamp_shift: int) -> bytes:
    """Pack what makes a source's packets one leg's own; the compiled fan-out reads it, too."""
    return _NUMBERS.pack(ssrc, timestamp_shift & TIMESTAMP_MASK, sequence_shift & SEQUENCE_MASK)


def renumber(packets: Iterable[tuple[bytes, bytes]], numbers: bytes) -> list[bytes]:
    """Return whole packets of one leg, made of the source's headers and payloads."""
    ssrc, timestamp_shift, sequence_shift = _NUMBERS.unpack(numbers)
    unpack, pack = HEADER.unpack_from, HEADER.pack
    found = []
    for header, payload in packets:
        first, second, sequence, timestamp, _ = unpack(header)
        found.append(
            pack(
                first,
                second,
                (sequence + sequence_shift) & SEQUENCE_MASK,
                (timestamp + timestamp_shift) & TIMESTAMP_MASK,
                ssrc,
            )
            + header[HEADER_BYTES:]
            + payload
        )
    return found
