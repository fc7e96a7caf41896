"""The first decoded frame: puts decrypted RTP packets together and asks a real decoder.

Flows in: plain RTP packets of one viewer in order. Flows out: whether a picture came.
"""

import struct

import av
from aiortc.codecs.h264 import h264_depayload
from aiortc.codecs.vpx import vp8_depayload

VIDEO_TYPES = {96: "vp8", 102: "h264"}
"""Payload types as `light.write_offer` numbers them."""
FRAME_BYTES_MAX = 4 * 1024 * 1024
"""A frame that grows beyond this is thrown away."""


class FrameSample:
    """Collects packets into frames until one decodes."""

    def __init__(self) -> None:
        self._data = b""
        self._broken = False
        self._next: int | None = None
        self._decoder: av.VideoCodecContext | None = None
        self._asked = False
        self.wants_keyframe = False
        self.ssrc = 0

    def receive(self, packet: bytes) -> bool:
        """Take one packet; True when a picture was decoded."""
        codec = VIDEO_TYPES.get(packet[1] & 0x7F)
        payload = _payload(packet)
        if codec is None or not payload:
            return False
        sequence = struct.unpack_from("!H", packet, 2)[0]
        self.ssrc = struct.unpack_from("!I", packet, 8)[0]
        if self._next is not None and sequence != self._next:
            self._broken = True
        self._next = (sequence + 1) & 0xFFFF
        try:
            self._data += (h264_depayload if codec == "h264" else vp8_depayload)(payload)
        except ValueError:
            self._broken = True
        if not packet[1] & 0x80 and len(self._data) < FRAME_BYTES_MAX:
            return False
        data, broken = self._data, self._broken
        self._data, self._broken = b"", False
        decoded = not broken and self._decode(codec, data)
        if not decoded and not self._asked:
            self._asked = self.wants_keyframe = True
        return decoded

    def _decode(self, codec: str, data: bytes) -> bool:
        if self._decoder is None:
            context = av.CodecContext.create("libvpx" if codec == "vp8" else "h264", "r")
            assert isinstance(context, av.VideoCodecContext)
            context.thread_count = 1
            self._decoder = context
        try:
            return any(frame.width > 0 for frame in self._decoder.decode(av.Packet(data)))
        except av.FFmpegError:
            return False


def _payload(packet: bytes) -> bytes:
    """Strip header, contributing sources, extension and padding (RFC 3550 section 5.1)."""
    at = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        at += 4 + 4 * struct.unpack_from("!H", packet, at + 2)[0]
    end = len(packet) - (packet[-1] if packet[0] & 0x20 else 0)
    return packet[at:end]
