"""Whole frames out of RTP payloads (RFC 7741, 6184, 9628, AV1 RTP): for recording, not forwarding.

In: payloads in order, and word of gaps. Out: frames as a container wants them: VP8, VP9 as
they are, H264 with start codes (Annex B), AV1 with sizes (low overhead format). A frame with
a hole is never given out, and no frame that builds on it: after a gap a key frame comes first.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, final

FRAME_BYTES_MAX: Final = 8 * 1024 * 1024
"""A frame that grows larger is taken for broken; what follows waits for a key frame."""

_START_CODE = b"\0\0\0\1"
_H264_IDR = 5
_H264_STAP_A, _H264_FU_A = 24, 28
_AV1_TEMPORAL_DELIMITER, _AV1_TILE_LIST = 2, 8
_LEB128_BYTES_MAX = 8


class Frame(NamedTuple):
    """One picture, or what of a picture one RTP timestamp carries."""

    timestamp: int
    data: bytes
    is_key: bool


class _Broken(Exception):  # noqa: N818 - a verdict on a packet, seen only here
    """The payload contradicts itself or its neighbours."""


class _Open:
    """The frame being put together."""

    __slots__ = ("chunks", "fragment", "is_key", "size", "timestamp")

    def __init__(self, timestamp: int) -> None:
        self.timestamp = timestamp
        self.chunks: list[bytes] = []
        self.fragment: list[bytes] = []
        """The beginning of a unit that further packets continue (H264, AV1)."""
        self.is_key = False
        self.size = 0

    def put(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self._grow(len(chunk))

    def begin(self, piece: bytes) -> None:
        if self.fragment:
            raise _Broken
        self.go_on(piece)

    def go_on(self, piece: bytes) -> None:
        self.fragment.append(piece)
        self._grow(len(piece))

    def finish(self) -> bytes:
        unit = b"".join(self.fragment)
        self.fragment = []
        self.size -= len(unit)
        return unit

    def _grow(self, size: int) -> None:
        self.size += size
        if self.size > FRAME_BYTES_MAX:
            raise _Broken


Take = Callable[[_Open, bytes], None]


@final
class Assembler:
    """Puts the frames of one video track together.

    Args:
        codec: a name for which `can_assemble` is true.

    """

    def __init__(self, codec: str) -> None:
        self._take = _TAKERS[codec]
        self._open: _Open | None = None
        self._broken_at: int | None = None
        self._waits = True

    @property
    def waits(self) -> bool:
        """Whether only a key frame will do."""
        return self._waits

    def gap(self) -> None:
        """Note that packets are missing before the next one."""
        self._open = None
        self._waits = True

    def add(self, payload: bytes, *, timestamp: int, marker: bool) -> list[Frame]:
        """Take the next payload; return the frames that are whole now."""
        found: list[Frame] = []
        if self._open is not None and self._open.timestamp != timestamp:
            # Not every sender marks the last packet of a frame.
            self._close(found)
        if self._broken_at == timestamp:
            return found
        self._broken_at = None
        if self._open is None:
            self._open = _Open(timestamp)
        try:
            self._take(self._open, payload)
        except _Broken:
            self._broken_at = timestamp
            self.gap()
            return found
        if marker:
            self._close(found)
        return found

    def _close(self, found: list[Frame]) -> None:
        frame, self._open = self._open, None
        assert frame is not None
        if frame.fragment or not frame.chunks:
            self._waits = self._waits or bool(frame.fragment)
            return
        if self._waits and not frame.is_key:
            return
        self._waits = False
        found.append(Frame(frame.timestamp, b"".join(frame.chunks), frame.is_key))


def can_assemble(codec: str) -> bool:
    """Say whether frames of a codec can be put together here."""
    return codec in _TAKERS


def _take_vp8(frame: _Open, payload: bytes) -> None:
    # RFC 7741 section 4.2: the descriptor, then the bitstream as it is.
    if not payload:
        raise _Broken
    at = 1
    if payload[0] & 0x80:
        flags = _byte(payload, 1)
        at = 2
        if flags & 0x80:
            at += 2 if _byte(payload, 2) & 0x80 else 1
        at += 1 if flags & 0x40 else 0
        at += 1 if flags & 0x30 else 0
    begins = payload[0] & 0x17 == 0x10
    if begins != (not frame.chunks) or at >= len(payload):
        raise _Broken
    if begins:
        frame.is_key = not payload[at] & 1
    frame.put(payload[at:])


def _take_vp9(frame: _Open, payload: bytes) -> None:
    # RFC 9628 section 4.2: I P L F B E V Z, then what the flags announce.
    first = _byte(payload, 0)
    at = 1
    if first & 0x80:
        at += 2 if _byte(payload, 1) & 0x80 else 1
    if first & 0x20:
        at += 1 if first & 0x10 else 2
    if first & 0x10 and first & 0x40:
        for _ in range(3):
            at += 1
            if not _byte(payload, at - 1) & 1:
                break
    if first & 0x02:
        at = _after_vp9_structure(payload, at)
    if at >= len(payload) or (not frame.chunks and not first & 0x08):
        raise _Broken
    if not frame.chunks:
        frame.is_key = not first & 0x40
    frame.put(payload[at:])


def _after_vp9_structure(payload: bytes, at: int) -> int:
    head = _byte(payload, at)
    at += 1
    if head & 0x10:
        at += 4 * ((head >> 5) + 1)
    if head & 0x08:
        pictures = _byte(payload, at)
        at += 1
        for _ in range(pictures):
            at += 1 + ((_byte(payload, at) >> 2) & 3)
    return at


def _take_h264(frame: _Open, payload: bytes) -> None:
    # RFC 6184 sections 5.6 to 5.8: a unit, several, or a piece of one.
    kind = _byte(payload, 0) & 0x1F
    if kind == _H264_FU_A:
        head = _byte(payload, 1)
        if head & 0x80:
            frame.begin(bytes((payload[0] & 0xE0 | head & 0x1F,)))
        elif not frame.fragment:
            raise _Broken
        frame.go_on(payload[2:])
        if head & 0x40:
            _put_h264(frame, frame.finish())
        return
    if frame.fragment:
        raise _Broken
    if kind != _H264_STAP_A:
        _put_h264(frame, payload)
        return
    at = 1
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 2], "big")
        unit = payload[at + 2 : at + 2 + size]
        if not size or len(unit) != size:
            raise _Broken
        _put_h264(frame, unit)
        at += 2 + size


def _put_h264(frame: _Open, unit: bytes) -> None:
    if unit[0] & 0x1F == _H264_IDR:
        frame.is_key = True
    frame.put(_START_CODE + unit)


def _take_av1(frame: _Open, payload: bytes) -> None:
    # AV1 RTP section 4.4: Z Y W W N, then OBU elements; the last of W has no length.
    head = _byte(payload, 0)
    count, at, elements = head >> 4 & 3, 1, 0
    if head & 0x08 and not frame.chunks:
        frame.is_key = True
    if bool(head & 0x80) != bool(frame.fragment):
        raise _Broken
    while at < len(payload):
        elements += 1
        if count and elements == count:
            size = len(payload) - at
        else:
            size, at = _leb128(payload, at)
        element = payload[at : at + size]
        if not size or len(element) != size:
            raise _Broken
        at += size
        frame.go_on(element)
        if at < len(payload) or not head & 0x40:
            _put_av1(frame, frame.finish())
    if not elements:
        raise _Broken


def _put_av1(frame: _Open, unit: bytes) -> None:
    head = unit[0]
    if head >> 3 & 15 in (_AV1_TEMPORAL_DELIMITER, _AV1_TILE_LIST):
        return
    if head & 0x02:
        frame.put(unit)
        return
    extended = 2 if head & 0x04 else 1
    rest = unit[extended:]
    sized = bytes((head | 0x02,)) + unit[1:extended]
    frame.put(sized + _write_leb128(len(rest)) + rest)


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for n in range(_LEB128_BYTES_MAX):
        byte = _byte(data, at + n)
        value |= (byte & 0x7F) << 7 * n
        if not byte & 0x80:
            return value, at + n + 1
    raise _Broken


def _write_leb128(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise _Broken
    return data[at]


_TAKERS: dict[str, Take] = {
    "vp8": _take_vp8,
    "vp9": _take_vp9,
    "h264": _take_h264,
    "av1": _take_av1,
}
