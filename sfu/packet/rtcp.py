"""RTCP packets (RFC 3550 section 6, RFC 4585, RFC 5104, REMB draft), both ways.

In: a decrypted compound packet. Out: the parts we know as frozen values, and how many were
malformed or unknown; no input raises. Sequence numbers stay 16 bits here: who unwraps them
knows their stream. Transport-wide feedback is recognised, its content not read.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

REPORT_BLOCKS_MAX = 31
"""The count has five bits: more blocks go into further receiver reports."""
BITRATE_BPS_MAX = 10**12
"""A larger REMB is read as this."""

_SENDER_REPORT, _RECEIVER_REPORT, _SOURCE_DESCRIPTION, _GOODBYE = 200, 201, 202, 203
_TRANSPORT_FEEDBACK, _PAYLOAD_FEEDBACK = 205, 206
_FORMAT_NACK, _FORMAT_TRANSPORT_WIDE = 1, 15
_FORMAT_PICTURE_LOSS, _FORMAT_FULL_INTRA, _FORMAT_APPLICATION = 1, 4, 15
_SDES_CNAME = 1

_HEAD = struct.Struct("!BBH")
_SENDER_INFO = struct.Struct("!IQIII")
_BLOCK = struct.Struct("!IIIIII")
_TWO_SSRCS = struct.Struct("!II")
_NACK_ENTRY = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How one stream arrives (RFC 3550 section 6.4.1); `fraction_lost` in 1/256."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """What a stream's sender says about time and amounts; `ntp` has 64 bits."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """How streams arrive at their receiver."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """SSRC and CNAME of each chunk that has one."""

    names: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Streams that end."""

    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Nack:
    """Sequence numbers the receiver of `media` lacks (RFC 4585 section 6.2.1)."""

    sender: int
    media: int
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PictureLoss:
    """The receiver of `media` needs a key frame (RFC 4585 section 6.3.1)."""

    sender: int
    media: int


@dataclass(frozen=True, slots=True)
class FullIntraRequest:
    """Key frames asked with command numbers (RFC 5104 section 4.3.1): (ssrc, number) each."""

    sender: int
    targets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Remb:
    """The bitrate the receiver thinks it can take, for all of `ssrcs` together."""

    sender: int
    bitrate_bps: int
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TransportWide:
    """Transport-wide congestion feedback was there; its content is not read."""

    sender: int


Part = (
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Goodbye
    | Nack
    | PictureLoss
    | FullIntraRequest
    | Remb
    | TransportWide
)


@dataclass(frozen=True, slots=True)
class Compound:
    """The parts of a datagram in order; the others are counted, not kept."""

    parts: tuple[Part, ...]
    malformed: int = 0
    unknown: int = 0


def parse(data: bytes) -> Compound:
    """Read a compound packet, whole or reduced-size (RFC 5506)."""
    parts: list[Part] = []
    malformed = unknown = at = 0
    size = len(data)
    while at < size:
        if at + 4 > size:
            malformed += 1
            break
        first, kind, words = _HEAD.unpack_from(data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > size:
            malformed += 1
            break
        body = data[at + 4 : end]
        at = end
        if first & 0x20:
            # RFC 3550 section 6.4.1: only the last part may be padded.
            if at != size or not body or not 0 < body[-1] <= len(body):
                malformed += 1
                continue
            body = body[: -body[-1]]
        reader = _READERS.get(kind)
        if reader is None:
            unknown += 1
            continue
        try:
            part = reader(first & 0x1F, body)
        except (struct.error, _Malformed):
            malformed += 1
            continue
        if part is None:
            unknown += 1
        else:
            parts.append(part)
    return Compound(tuple(parts), malformed, unknown)


class _Malformed(Exception):  # noqa: N818 - caught in parse, nobody else sees it
    """A length inside a part does not fit."""


def _blocks(body: bytes, at: int, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for index in range(count):
        ssrc, loss, highest, jitter, last, delay = _BLOCK.unpack_from(body, at + 24 * index)
        lost = loss & 0xFFFFFF
        if lost & 0x800000:
            lost -= 0x1000000
        blocks.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last, delay))
    return tuple(blocks)


def _read_sender_report(count: int, body: bytes) -> Part:
    ssrc, ntp, timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
    return SenderReport(ssrc, ntp, timestamp, packets, octets, _blocks(body, 24, count))


def _read_receiver_report(count: int, body: bytes) -> Part:
    if len(body) < 4:
        raise _Malformed
    return ReceiverReport(int.from_bytes(body[:4], "big"), _blocks(body, 4, count))


def _read_source_description(count: int, body: bytes) -> Part:
    names: list[tuple[int, str]] = []
    at = 0
    for _ in range(count):
        if at + 4 > len(body):
            raise _Malformed
        ssrc = int.from_bytes(body[at : at + 4], "big")
        at += 4
        while True:
            if at >= len(body):
                raise _Malformed
            item = body[at]
            if item == 0:
                # RFC 3550 section 6.5: a chunk ends with one to four zero octets.
                at += 4 - at % 4
                break
            if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
                raise _Malformed
            end = at + 2 + body[at + 1]
            if item == _SDES_CNAME:
                names.append((ssrc, body[at + 2 : end].decode(errors="replace")))
            at = end
    return SourceDescription(tuple(names))


def _read_goodbye(count: int, body: bytes) -> Part:
    if len(body) < 4 * count:
        raise _Malformed
    return Goodbye(struct.unpack_from(f"!{count}I", body))


def _read_transport_feedback(form: int, body: bytes) -> Part | None:
    sender, media = _TWO_SSRCS.unpack_from(body)
    if form == _FORMAT_TRANSPORT_WIDE:
        return TransportWide(sender)
    if form != _FORMAT_NACK:
        return None
    if len(body) == 8 or len(body) % 4:
        raise _Malformed
    lost: list[int] = []
    for first, mask in _NACK_ENTRY.iter_unpack(body[8:]):
        lost.append(first)
        sequence = first
        while mask:
            sequence += 1
            if mask & 1:
                lost.append(sequence & 0xFFFF)
            mask >>= 1
    return Nack(sender, media, tuple(lost))


def _read_payload_feedback(form: int, body: bytes) -> Part | None:
    sender, media = _TWO_SSRCS.unpack_from(body)
    if form == _FORMAT_PICTURE_LOSS:
        return PictureLoss(sender, media)
    if form == _FORMAT_FULL_INTRA:
        if len(body) == 8 or len(body) % 8:
            raise _Malformed
        targets = _TWO_SSRCS.iter_unpack(body[8:])
        return FullIntraRequest(sender, tuple((ssrc, word >> 24) for ssrc, word in targets))
    if form == _FORMAT_APPLICATION and body[8:12] == b"REMB":
        if len(body) < 16 or len(body) != 16 + 4 * body[12]:
            raise _Malformed
        exponent = body[13] >> 2
        mantissa = ((body[13] & 3) << 16) | (body[14] << 8) | body[15]
        ssrcs = struct.unpack_from(f"!{body[12]}I", body, 16)
        return Remb(sender, min(mantissa << exponent, BITRATE_BPS_MAX), ssrcs)
    return None


_READERS = {
    _SENDER_REPORT: _read_sender_report,
    _RECEIVER_REPORT: _read_receiver_report,
    _SOURCE_DESCRIPTION: _read_source_description,
    _GOODBYE: _read_goodbye,
    _TRANSPORT_FEEDBACK: _read_transport_feedback,
    _PAYLOAD_FEEDBACK: _read_payload_feedback,
}


def _write(count: int, kind: int, body: bytes) -> bytes:
    return _HEAD.pack(0x80 | count, kind, len(body) // 4) + body


def _write_block(block: ReportBlock) -> bytes:
    # RFC 3550 appendix A.3: the 24-bit count of lost packets is signed and clamped.
    lost = max(-0x800000, min(block.lost, 0x7FFFFF)) & 0xFFFFFF
    return _BLOCK.pack(
        block.ssrc,
        (block.fraction_lost << 24) | lost,
        block.highest & 0xFFFFFFFF,
        min(block.jitter, 0xFFFFFFFF),
        block.last_report,
        block.delay & 0xFFFFFFFF,
    )


def write_sender_report(report: SenderReport) -> bytes:
    """Write a sender report; blocks beyond 31 follow in receiver reports."""
    info = _SENDER_INFO.pack(
        report.ssrc,
        report.ntp & 0xFFFFFFFFFFFFFFFF,
        report.timestamp & 0xFFFFFFFF,
        report.packets & 0xFFFFFFFF,
        report.octets & 0xFFFFFFFF,
    )
    here = report.blocks[:REPORT_BLOCKS_MAX]
    rest = report.blocks[REPORT_BLOCKS_MAX:]
    written = _write(len(here), _SENDER_REPORT, info + b"".join(map(_write_block, here)))
    return written + write_receiver_report(ReceiverReport(report.ssrc, rest)) if rest else written


def write_receiver_report(report: ReceiverReport) -> bytes:
    """Write one receiver report, or several when there are more than 31 blocks."""
    ssrc = report.ssrc.to_bytes(4, "big")
    written = b""
    for start in range(0, max(1, len(report.blocks)), REPORT_BLOCKS_MAX):
        here = report.blocks[start : start + REPORT_BLOCKS_MAX]
        written += _write(len(here), _RECEIVER_REPORT, ssrc + b"".join(map(_write_block, here)))
    return written


def write_source_description(ssrc: int, cname: str) -> bytes:
    """Write one chunk with a CNAME of at most 255 bytes."""
    name = cname.encode()
    chunk = ssrc.to_bytes(4, "big") + bytes((_SDES_CNAME, len(name))) + name
    return _write(1, _SOURCE_DESCRIPTION, chunk + bytes(4 - len(chunk) % 4))


def write_goodbye(ssrcs: Sequence[int]) -> bytes:
    """Write the end of at most 31 streams."""
    return _write(len(ssrcs), _GOODBYE, struct.pack(f"!{len(ssrcs)}I", *ssrcs))


def write_nack(sender: int, media: int, lost: Iterable[int]) -> bytes:
    """Ask for packets; numbers are given in rising order, wrapped or not."""
    entries: list[tuple[int, int]] = []
    for sequence in lost:
        if entries:
            first, mask = entries[-1]
            ahead = (sequence - first) & 0xFFFF
            if ahead == 0:
                continue
            if ahead <= 16:
                entries[-1] = (first, mask | (1 << (ahead - 1)))
                continue
        entries.append((sequence & 0xFFFF, 0))
    body = _TWO_SSRCS.pack(sender, media) + b"".join(_NACK_ENTRY.pack(*e) for e in entries)
    return _write(_FORMAT_NACK, _TRANSPORT_FEEDBACK, body)


def write_picture_loss(sender: int, media: int) -> bytes:
    """Ask for a key frame."""
    return _write(_FORMAT_PICTURE_LOSS, _PAYLOAD_FEEDBACK, _TWO_SSRCS.pack(sender, media))


def write_full_intra_request(sender: int, targets: Sequence[tuple[int, int]]) -> bytes:
    """Ask for key frames with command numbers: (ssrc, number) each."""
    body = _TWO_SSRCS.pack(sender, 0)
    body += b"".join(_TWO_SSRCS.pack(ssrc, (number & 0xFF) << 24) for ssrc, number in targets)
    return _write(_FORMAT_FULL_INTRA, _PAYLOAD_FEEDBACK, body)


def write_remb(sender: int, bitrate_bps: int, ssrcs: Sequence[int]) -> bytes:
    """Allow a bitrate to the streams together; it is rounded down to 18 significant bits."""
    exponent = max(0, bitrate_bps.bit_length() - 18)
    mantissa = bitrate_bps >> exponent
    packed = (len(ssrcs) << 24) | (exponent << 18) | mantissa
    body = _TWO_SSRCS.pack(sender, 0) + b"REMB" + packed.to_bytes(4, "big")
    body += struct.pack(f"!{len(ssrcs)}I", *ssrcs)
    return _write(_FORMAT_APPLICATION, _PAYLOAD_FEEDBACK, body)
