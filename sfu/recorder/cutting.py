"""A part of a recording as a file of its own, copied without encoding.

It begins with the key frame at or before the wanted moment. The recording may still grow.
"""

from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream

MICROSECONDS = 1_000_000


def cut(source: Path, target: Path, *, from_s: float, to_s: float) -> float:
    """Copy what lies between two moments; return the seconds copied, 0 when there is nothing.

    Raises:
        OSError: a file cannot be read or written; no half a target is left.

    """
    unfinished = target.with_name(target.name + "-unfinished")
    try:
        with av.open(str(source)) as reading:
            is_mp4 = "mp4" in reading.format.name
            options = {"movflags": "faststart"} if is_mp4 else {}
            name = "mp4" if is_mp4 else "webm"
            with av.open(str(unfinished), "w", format=name, options=options) as writing:
                copied_s = _copy(reading, writing, from_s, to_s)
        if copied_s > 0:
            unfinished.rename(target)
        return copied_s
    finally:
        unfinished.unlink(missing_ok=True)


def _copy(reading: InputContainer, writing: OutputContainer, from_s: float, to_s: float) -> float:
    streams: dict[int, Stream] = {
        stream.index: writing.add_stream_from_template(stream)
        for stream in (*reading.streams.video[:1], *reading.streams.audio[:1])
    }
    if not streams:
        return 0.0
    reading.seek(max(0, round(from_s * MICROSECONDS)), backward=True)
    begun_s: float | None = None
    copied_s = 0.0
    has_video = bool(reading.streams.video)
    for packet in reading.demux([reading.streams[index] for index in streams]):
        if packet.pts is None or packet.dts is None or packet.time_base is None:
            continue
        at_s = float(packet.pts * packet.time_base)
        if begun_s is None:
            if has_video and not (packet.stream.type == "video" and packet.is_keyframe):
                continue
            begun_s = at_s
        if at_s < begun_s:
            continue
        if at_s >= to_s:
            if packet.stream.type == "video" or not has_video:
                break
            continue
        shift = round(begun_s / float(packet.time_base))
        packet.pts -= shift
        packet.dts -= shift
        packet.stream = streams[packet.stream.index]
        writing.mux(packet)
        copied_s = max(copied_s, at_s - begun_s)
    return copied_s
