"""Encoders for what we publish ourselves: small, without B-frames, with a steady key frame.

aiortc's own encoders have no key-frame interval and cost more; here H264 (x264, ultrafast)
or VP8, a key frame every two seconds and whenever one is asked for, and Opus in 20 ms packets.
Flows in: decoded frames with timestamps. Flows out: `av.Packet`, which aiortc only packetises.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import av
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

if TYPE_CHECKING:
    MediaPacket: TypeAlias = av.Packet[Any]
else:
    MediaPacket = av.Packet
"""PyAV's packet of any stream; the class itself takes no parameters when it runs."""

VIDEO_CLOCK: Final = Fraction(1, 90_000)
AUDIO_CLOCK: Final = Fraction(1, 48_000)
AUDIO_RATE_HZ: Final = 48_000
AUDIO_BITRATE_BPS: Final = 48_000
KEYFRAME_INTERVAL_S: Final = 2
BITS_PER_PIXEL: Final = 0.12
BITRATE_BPS_MIN: Final = 300_000
BITRATE_BPS_MAX: Final = 2_500_000
VIDEO_CODECS: Final = ("h264", "vp8")


def bitrate_for(width: int, height: int, rate_fps: float) -> int:
    """Choose a modest bitrate for a picture size and rate."""
    wanted = int(width * height * rate_fps * BITS_PER_PIXEL)
    return max(BITRATE_BPS_MIN, min(wanted, BITRATE_BPS_MAX))


class VideoEncoder:
    """Encodes frames of one size; timestamps count 1/90,000 s."""

    def __init__(self, codec: str, width: int, height: int, rate_fps: int) -> None:
        bitrate_bps = bitrate_for(width, height, rate_fps)
        name = {"h264": "libx264", "vp8": "libvpx"}[codec]
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height = width, height
        context.pix_fmt = "yuv420p"
        context.framerate = Fraction(rate_fps, 1)
        context.time_base = VIDEO_CLOCK
        context.bit_rate = bitrate_bps
        context.gop_size = rate_fps * KEYFRAME_INTERVAL_S
        context.max_b_frames = 0
        context.thread_count = 1
        context.options = _h264_options(bitrate_bps) if codec == "h264" else _vp8_options()
        if codec == "h264":
            context.profile = "Baseline"
        self._context = context

    def encode(self, frame: av.VideoFrame, *, pts: int, keyframe: bool) -> Iterator[MediaPacket]:
        """Give the packets that one frame makes (none or one)."""
        frame.pts = pts
        frame.time_base = VIDEO_CLOCK
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        for packet in self._context.encode(frame):
            packet.time_base = VIDEO_CLOCK
            yield packet


class AudioEncoder:
    """Encodes sound of any shape into Opus; timestamps count 1/48,000 s."""

    def __init__(self) -> None:
        context = av.CodecContext.create("libopus", "w")
        assert isinstance(context, AudioCodecContext)
        context.bit_rate = AUDIO_BITRATE_BPS
        context.format = "s16"
        context.layout = "stereo"
        context.sample_rate = AUDIO_RATE_HZ
        context.time_base = AUDIO_CLOCK
        context.options = {"application": "audio"}
        self._context = context
        self._resampler = av.AudioResampler("s16", "stereo", AUDIO_RATE_HZ, frame_size=960)
        self._next_pts = 0

    def encode(self, frame: av.AudioFrame) -> Iterator[MediaPacket]:
        """Give the packets that are complete; their timestamps run on without gaps."""
        frame.pts = None
        for chunk in self._resampler.resample(frame):
            chunk.pts = None
            for packet in self._context.encode(chunk):
                packet.pts = packet.dts = self._next_pts
                packet.time_base = AUDIO_CLOCK
                self._next_pts += 960
                yield packet


def _h264_options(bitrate_bps: int) -> dict[str, str]:
    kilobits = bitrate_bps // 1000
    return {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "level": "31",
        "x264-params": f"scenecut=0:vbv-maxrate={kilobits * 3 // 2}:vbv-bufsize={kilobits}",
    }


def _vp8_options() -> dict[str, str]:
    return {
        "deadline": "realtime",
        "cpu-used": "8",
        "lag-in-frames": "0",
        "static-thresh": "1",
        "error-resilient": "1",
    }
