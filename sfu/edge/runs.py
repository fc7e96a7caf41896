"""Cut one leg's packets into runs that the kernel can send in one call (UDP GSO).

All segments of such a call have one size, only the last may be shorter. A frame's short last
fragment therefore closes its run; RTP padding evens out the few bytes by which an encoder's
fragments differ. In: plain packets in order. Out: the same, padded, in runs. Packets of one
SSRC stay in order; streams are sent one after the other, so that audio never cuts video up.
Pure; the native twin cuts the same way. Must not know sockets or keys.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

SEGMENTS_MAX = 64
"""UDP_MAX_SEGMENTS of the kernels before 6.9."""
RUN_BYTES_MAX = 65_000
"""What fits into one UDP datagram's length, headers left out."""
TAG_BYTES_MAX = 16
"""What protecting adds to a packet at most (RFC 7714 section 12: the GCM tag)."""
PADDING_BYTES_MAX = 255
"""RFC 3550 section 5.1: the last octet counts the padding."""
PADDING_PERCENT_MAX = 3
"""Of all bytes of the run."""
SIZES_REMEMBERED = 256
PADDED = 0x20
"""The P bit of a header's first byte."""


class Run(NamedTuple):
    """How many packets, the size of all but the last, the size of the last; in bytes."""

    packets: int
    size: int
    last: int
    is_padded: bool = False


def cut(plain: Sequence[bytes], paddable: Sequence[bytes] = ()) -> list[list[bytes]]:
    """Return packets in runs of one size each (the last one of a run may be shorter).

    Args:
        plain: whole packets of one leg, of any number of streams.
        paddable: the SSRCs whose packets may be padded. A stream whose packets may be sent
            a second time under the same number must not be: the bytes would differ, and
            AES-GCM takes a number once (see `Srtp.protect_rtp`).

    """
    if len(plain) == 1:
        return [[plain[0]]]
    found: list[list[bytes]] = []
    ssrcs = dict.fromkeys([packet[8:12] for packet in plain])
    for ssrc in ssrcs:
        stream = [one for one in plain if one[8:12] == ssrc] if len(ssrcs) > 1 else plain
        at = 0
        for run in cut_sizes(tuple(map(len, stream)), ssrc in paddable):
            segments = list(stream[at : at + run.packets])
            at += run.packets
            if run.is_padded:
                segments = [_padded(packet, run.size) for packet in segments[:-1]]
                segments.append(_padded(stream[at - 1], run.last))
            found.append(segments)
    return found


@lru_cache(SIZES_REMEMBERED)
def cut_sizes(sizes: tuple[int, ...], may_pad: bool) -> tuple[Run, ...]:
    """Cut one stream by the sizes of its packets; legs of one track share the answer."""
    found = []
    run = Run(1, sizes[0], sizes[0])
    total = least = sizes[0]
    for one in sizes[1:]:
        longer = _longer(run, one, total + one, min(least, one), may_pad=may_pad)
        if longer is None:
            found.append(run)
            run, total, least = Run(1, one, one), one, one
        else:
            run, total, least = longer, total + one, min(least, one)
    return (*found, run)


def _longer(run: Run, one: int, total: int, least: int, *, may_pad: bool) -> Run | None:
    """Take one more packet into a run; None when it has to begin another."""
    count, size, last, was_padded = run
    wide = max(size, one)
    if last < size or count == SEGMENTS_MAX or (count + 1) * (wide + TAG_BYTES_MAX) > RUN_BYTES_MAX:
        return None
    padding = wide * (count + 1) - total
    if padding == 0:
        return Run(count + 1, size, one)
    if (
        may_pad
        and wide - least <= PADDING_BYTES_MAX
        and padding * 100 <= wide * (count + 1) * PADDING_PERCENT_MAX
    ):
        return Run(count + 1, wide, wide, is_padded=True)
    return Run(count + 1, size, one, was_padded) if one < size else None


def _padded(packet: bytes, size: int) -> bytes:
    missing = size - len(packet)
    if missing == 0:
        return packet
    return bytes((packet[0] | PADDED,)) + packet[1:] + bytes(missing - 1) + bytes((missing,))
