"""A small JPEG of a key frame, for room lists and share links."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import av

from sfu.packet.assemble import Assembler, can_assemble
from sfu.recorder.reel import DIMENSION_MAX, decode

SIDE_MAX: Final = 640
"""The longer side of a picture; smaller ones stay as they are."""
QUALITY: Final = "6"
"""FFmpeg's scale from 2 (best) to 31."""


def draw(codec: str, payloads: Sequence[bytes]) -> bytes | None:
    """Make a JPEG of a key frame's payloads; None when they are none."""
    if not can_assemble(codec):
        return None
    assembler = Assembler(codec)
    last = len(payloads) - 1
    frames = [
        frame
        for n, payload in enumerate(payloads)
        for frame in assembler.add(payload, timestamp=0, marker=n == last)
    ]
    picture = decode(codec, frames[0].data) if frames else None
    if picture is None or max(picture.width, picture.height) > DIMENSION_MAX:
        return None
    share = min(1.0, SIDE_MAX / max(picture.width, picture.height))
    sides = (picture.width, picture.height)
    width, height = (max(2, round(side * share / 2) * 2) for side in sides)
    context = av.CodecContext.create("mjpeg", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuvj420p"
    context.time_base = Fraction(1, 25)
    context.options = {"qmin": QUALITY, "qmax": QUALITY}
    small = picture.reformat(width=width, height=height, format="yuvj420p")
    small.pts, small.time_base = 0, context.time_base
    packets = [*context.encode(small), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets) or None
