"""Real pictures and sound for tests: encoded by FFmpeg, cut into payloads by aiortc."""

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from aiortc.codecs import h264, vpx

RATE_FPS = 30
CLOCK = 90_000
ENCODERS = {"vp8": "libvpx", "h264": "libx264", "vp9": "libvpx-vp9"}
OPTIONS = {
    "libvpx": {"g": "10", "deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "0"},
    "libvpx-vp9": {"g": "10", "deadline": "realtime", "cpu-used": "8"},
    "libx264": {
        "g": "10",
        "bf": "0",
        "tune": "zerolatency",
        "preset": "ultrafast",
        "x264-params": "repeat-headers=1:scenecut=0",
    },
}


@dataclass(frozen=True)
class Cut:
    """One RTP payload of a picture."""

    timestamp: int
    payload: bytes
    marker: bool
    is_key: bool


def encoded(
    encoder: str, frames: int, *, width: int = 320, height: int = 180, noise: bool = False
) -> list[av.Packet]:
    """Encode moving pictures with a key frame every tenth; `noise` makes them large."""
    context = av.CodecContext.create(encoder, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, CLOCK), Fraction(RATE_FPS)
    context.options = OPTIONS[encoder]
    random = np.random.default_rng(7)
    found: list[av.Packet] = []
    for number in range(frames):
        shade = (number * 16) % 256
        pixels = np.full((height, width, 3), shade, np.uint8)
        if noise:
            pixels = random.integers(0, 256, (height, width, 3), np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = number * CLOCK // RATE_FPS, context.time_base
        found += context.encode(frame)
    return [*found, *context.encode(None)]


def cut(codec: str, frames: int, **size: object) -> list[Cut]:
    """Return the payloads of pictures in order."""
    pack = (vpx.Vp8Encoder if codec == "vp8" else h264.H264Encoder)().pack
    found: list[Cut] = []
    for packet in encoded(ENCODERS[codec], frames, **size):  # type: ignore[arg-type]
        payloads, _ = pack(packet)
        found += [
            Cut(packet.pts or 0, payload, n == len(payloads) - 1, packet.is_keyframe)
            for n, payload in enumerate(payloads)
        ]
    return found


def sound(frames: int) -> list[bytes]:
    """Return Opus frames of 20 ms."""
    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = 48_000, "stereo", "s16"
    found: list[bytes] = []
    for number in range(frames):
        silent = np.zeros((1, 1_920), np.int16)
        frame = av.AudioFrame.from_ndarray(silent, "s16", "stereo")
        frame.sample_rate, frame.pts = 48_000, number * 960
        found += [bytes(packet) for packet in context.encode(frame)]
    return found
