"""Where a key frame starts, told from an RTP payload (RFC 7741, 6184, 9628, AV1 RTP).

In: the payload of one packet. Out: whether a decoder that knows nothing can start with this
packet. Short or odd payloads are not key frames. Must not keep state: a packet speaks for
itself.
"""

from collections.abc import Callable, Iterator

_H264_IDR, _H264_SPS, _H264_PPS = 5, 7, 8
_H264_STAP_A, _H264_FU_A = 24, 28


def _starts_vp8(payload: bytes) -> bool:
    # RFC 7741 section 4.2: S set and partition 0 begin a frame; 4.3: P clear is a key frame.
    if len(payload) < 4 or payload[0] & 0x17 != 0x10:
        return False
    at = 1
    if payload[0] & 0x80:
        flags = payload[1]
        at = 2
        if flags & 0x80:
            at += 2 if payload[2] & 0x80 else 1
        if flags & 0x40:
            at += 1
        if flags & 0x30:
            at += 1
    return at < len(payload) and not payload[at] & 1


def _starts_h264(payload: bytes) -> bool:
    if not payload:
        return False
    unit = payload[0] & 0x1F
    if unit in (_H264_IDR, _H264_SPS):
        return True
    if unit == _H264_FU_A:
        # RFC 6184 section 5.8: the start bit, then the type of the fragmented unit.
        return len(payload) > 1 and payload[1] & 0x80 != 0 and payload[1] & 0x1F == _H264_IDR
    if unit == _H264_STAP_A:
        return any(u[0] & 0x1F in (_H264_IDR, _H264_SPS) for u in _aggregated(payload))
    return False


def _aggregated(payload: bytes) -> Iterator[bytes]:
    """Yield the units of a STAP-A (RFC 6184 section 5.7.1) up to the first that does not fit."""
    at = 1
    while at + 3 <= len(payload):
        end = at + 2 + int.from_bytes(payload[at : at + 2], "big")
        if at + 2 < end <= len(payload):
            yield payload[at + 2 : end]
        at = end


def h264_parameter_sets(payload: bytes) -> tuple[bytes, ...]:
    """Return the sequence and picture parameter sets that a packet carries whole."""
    if not payload:
        return ()
    unit = payload[0] & 0x1F
    units = _aggregated(payload) if unit == _H264_STAP_A else (payload,)
    return tuple(u for u in units if u[0] & 0x1F in (_H264_SPS, _H264_PPS))


def is_sequence_parameter_set(unit: bytes) -> bool:
    """Say whether a parameter set is that of a sequence."""
    return unit[0] & 0x1F == _H264_SPS


def _starts_vp9(payload: bytes) -> bool:
    if not payload:
        return False
    first = payload[0]
    # RFC 9628 section 4.2: P clear (no inter-picture prediction), B set (start of a frame).
    if first & 0x40 or not first & 0x08:
        return False
    if not first & 0x20:
        return True
    at = 1
    if first & 0x80:
        at += 2 if len(payload) > at and payload[at] & 0x80 else 1
    # A spatial layer above the lowest builds on it even in a key picture.
    return len(payload) > at and (payload[at] >> 1) & 7 == 0


def _starts_av1(payload: bytes) -> bool:
    # AV1 RTP section 4.4: Z clear (no continuation), N set (a coded video sequence begins).
    return len(payload) > 1 and payload[0] & 0x88 == 0x08


_DETECTORS: dict[str, Callable[[bytes], bool]] = {
    "vp8": _starts_vp8,
    "h264": _starts_h264,
    "vp9": _starts_vp9,
    "av1": _starts_av1,
}


def keyframe_detector(codec: str) -> Callable[[bytes], bool] | None:
    """Return the function that says "a key frame starts here"; None when nobody can tell."""
    return _DETECTORS.get(codec)
