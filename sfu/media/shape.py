"""How packets must look for a class of legs: payload type and header extension block.

Legs whose offers agree (all tabs of one browser do) share a shape, so the block is built
once per packet and not once per leg. In: a stored packet. Out: the block. Values that
change from packet to packet are the send time and what is passed on from the publisher.
"""

from collections.abc import Mapping
from typing import final

from sfu.media.history import Stored
from sfu.media.model import Codec, LegSpec
from sfu.packet.rtp import write_extensions

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

TRANSPORT_WIDE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

PASSED_ON = (AUDIO_LEVEL, VIDEO_ORIENTATION)
"""Extensions whose values go from publisher to viewer as they are."""

HURRIED = b"\0\0\0"
"""Playout delay: show every frame as soon as it is decoded (12 bits least, 12 bits most)."""
UNHURRIED = (1000).to_bytes(3, "big")
"""Playout delay: from none to 10 s (in steps of 10 ms), what a browser does untold.

It is sent on, not left out: a viewer that heard "none" holds on to it until told otherwise.
"""

ShapeKey = tuple[int, tuple[tuple[int, bytes], ...], int, tuple[tuple[int, str], ...]]


def send_time(at_ntp: int) -> bytes:
    """Return the abs-send-time of a moment: 6 bits of seconds, 18 bits of fraction."""
    return ((at_ntp >> 14) & 0xFFFFFF).to_bytes(3, "big")


@final
class Shape:
    """One payload type and one layout of extensions."""

    __slots__ = ("_cached", "_cached_time", "_passed", "_send_time_id", "_static", "payload_type")

    def __init__(self, key: ShapeKey) -> None:
        self.payload_type, self._static, self._send_time_id, self._passed = key
        self._cached_time: bytes | None = None
        self._cached = b""

    def block(self, stored: Stored, sent: bytes) -> bytes:
        """Return the extension block of a packet that is stamped `sent`."""
        plain = not (self._passed and stored.passed)
        if plain and sent == self._cached_time:
            return self._cached
        elements = list(self._static)
        if self._send_time_id:
            elements.append((self._send_time_id, sent))
        for identity, uri in self._passed:
            value = stored.passed.get(uri)
            if value:
                elements.append((identity, value))
        block = write_extensions(elements)
        if plain:
            self._cached_time, self._cached = sent, block
        return block


def shape_key(
    spec: LegSpec, codec: Codec, offered: Mapping[str, int], *, playout: bytes = UNHURRIED
) -> ShapeKey | None:
    """Return what shape a leg needs for a codec; None when it does not know the codec.

    `offered` are the extensions that the publisher sends; `playout` is the delay that a leg
    which negotiated it is told.
    """
    payload_type = spec.payload_types.get(codec)
    if payload_type is None:
        return None
    mid = spec.extensions.get(MID)
    static = ((mid, spec.mid.encode()),) if mid is not None and spec.mid else ()
    delay = spec.extensions.get(PLAYOUT_DELAY)
    if delay is not None:
        static = (*static, (delay, playout))
    passed = tuple(
        (spec.extensions[uri], uri)
        for uri in PASSED_ON
        if uri in spec.extensions and uri in offered
    )
    return payload_type, static, spec.extensions.get(ABS_SEND_TIME, 0), passed
