"""One recording: payloads become frames, frames go into a container as they are.

MP4 for H264 and AV1, in fragments that make a whole file again when it is closed; WebM for
VP8, VP9 and sound alone. Both can be read while they grow and after a crash. Time in the
file is the sender's media time; where that jumps (another SSRC, a long gap) it is put back to
the time of arrival, so that second n of the file is second n of the evening.
"""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Final, final

import av
from av.container import OutputContainer
from av.stream import Stream

from sfu.packet.assemble import Assembler, can_assemble
from sfu.packet.payload import h264_parameter_sets
from sfu.recorder.wire import Media, Piece

SKEW_S_MAX: Final = 2.0
"""Media time further than this from the time of arrival has jumped."""
VIDEO_WAIT_S: Final = 5.0
"""Sound waits so long for a first key frame; then the file has none."""
WAITING_MAX: Final = 1_000
"""Packets of sound kept meanwhile; older ones are forgotten."""
FORMATS: Final = {"h264": "mp4", "av1": "mp4", "vp8": "webm", "vp9": "webm"}
OPTIONS: Final = {
    "mp4": {
        "movflags": "frag_keyframe+hybrid_fragmented+default_base_moof",
        "frag_duration": "2000000",
        "flush_packets": "1",
    },
    "webm": {"cluster_time_limit": "2000", "flush_packets": "1"},
}
DECODERS: Final = {"h264": "h264", "av1": "libdav1d", "vp8": "vp8", "vp9": "vp9"}
OPUS_RATE: Final = 48_000
DIMENSION_MAX: Final = 8_192


class Unwritable(Exception):  # noqa: N818 - the end of one recording, with its reason
    """The recording cannot go on; the text is the reason's code."""


@final
class _Line:
    """One stream's time: RTP timestamps in, ticks from the beginning of the file out."""

    def __init__(self, clock_rate: int, base: float) -> None:
        self._rate = clock_rate
        self._base = base
        self._last: int | None = None
        self._ticks = 0
        self._written = -1

    def ticks(self, timestamp: int, arrived: float) -> int:
        """Place a timestamp; each is later than the one before."""
        wanted = round((arrived - self._base) * self._rate)
        if self._last is None:
            self._ticks = wanted
        else:
            self._ticks += ((timestamp - self._last + 2**31) & 0xFFFFFFFF) - 2**31
            if abs(self._ticks - wanted) > SKEW_S_MAX * self._rate:
                self._ticks = wanted
        self._last = timestamp
        self._written = max(self._ticks, self._written + 1, 0)
        return self._written


@final
class Reel:
    """One file being written.

    Args:
        path: where; nothing may be there yet.
        base: the moment (the server's monotonic seconds) that is second 0 of the file.
        has_video: whether pictures are to be expected.

    """

    def __init__(self, path: Path, *, base: float, has_video: bool) -> None:
        self.path = path
        self.frames = self.gaps = 0
        self.duration_s = 0.0
        self._base = base
        self._has_video = has_video
        self._container: OutputContainer | None = None
        self._streams: dict[str, Stream] = {}
        self._lines: dict[str, _Line] = {}
        self._codec = ""
        self._assembler: Assembler | None = None
        self._seen_sets = False
        self._waiting: list[Media] = []

    def take(self, media: Media) -> None:
        """Write what came of one track.

        Raises:
            Unwritable: `restart` when it needs a file of its own (another codec, pictures
                after sound alone); `codec` when nobody can put its frames together.
            OSError: the disk says no.

        """
        self.gaps += sum(piece.after_gap for piece in media.pieces)
        if media.kind == "video":
            self._take_video(media)
        else:
            self._take_audio(media)

    def close(self) -> None:
        """Finish the file.

        Raises:
            OSError: the disk says no; what was written until then stays.

        """
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _take_video(self, media: Media) -> None:
        if not can_assemble(media.codec):
            raise Unwritable("codec")
        if self._container is not None and media.codec != self._codec:
            raise Unwritable("restart")
        if self._assembler is None or media.codec != self._codec:
            self._assembler = Assembler(media.codec)
            self._codec = media.codec
        line = self._line(media)
        for piece in media.pieces:
            if piece.after_gap:
                self._assembler.gap()
            for payload in self._with_sets(piece, media.lead):
                is_last = payload is piece.payload and piece.marker
                found = self._assembler.add(payload, timestamp=piece.timestamp, marker=is_last)
                for frame in found:
                    if self._container is None:
                        self._open(frame.data)
                    self._mux(
                        "video",
                        frame.data,
                        line.ticks(frame.timestamp, piece.arrived),
                        is_key=frame.is_key,
                    )
                    self.frames += 1

    def _with_sets(self, piece: Piece, lead: Iterable[bytes]) -> list[bytes]:
        """Put the parameter sets ahead of the first packet when it comes without them."""
        if self._codec != "h264" or self._seen_sets:
            return [piece.payload]
        self._seen_sets = True
        if h264_parameter_sets(piece.payload):
            return [piece.payload]
        return [*lead, piece.payload]

    def _take_audio(self, media: Media) -> None:
        if media.codec != "opus":
            return
        if self._container is None:
            self._waiting.append(media)
            del self._waiting[:-WAITING_MAX]
            waited = media.pieces[-1].arrived - self._base if media.pieces else 0.0
            if self._has_video and waited < VIDEO_WAIT_S:
                return
            self._open(None)
            return
        line = self._line(media)
        for piece in media.pieces:
            ticks = line.ticks(piece.timestamp, piece.arrived)
            self._mux("audio", piece.payload, ticks, is_key=True)

    def _line(self, media: Media) -> _Line:
        found = self._lines.get(media.kind)
        if found is None:
            found = self._lines[media.kind] = _Line(media.clock_rate, self._base)
        return found

    def _open(self, first: bytes | None) -> None:
        """Open the container for this first key frame, or for sound alone."""
        name = "webm" if first is None else FORMATS[self._codec]
        size = (0, 0) if first is None else dimensions(self._codec, first)
        if self.path.exists():
            raise Unwritable("exists")
        container = av.open(str(self.path), "w", format=name, options=OPTIONS[name])
        self._container = container
        if first is not None:
            width, height = size
            self._streams["video"] = container.add_mux_stream(
                self._codec, width=width, height=height, time_base=Fraction(1, 90_000)
            )
        sound = container.add_stream("libopus", OPUS_RATE, time_base=Fraction(1, OPUS_RATE))
        sound.layout = "stereo"
        self._streams["audio"] = sound
        waiting, self._waiting = self._waiting, []
        for media in waiting:
            self._take_audio(media)

    def _mux(self, kind: str, data: bytes, ticks: int, *, is_key: bool) -> None:
        container, stream = self._container, self._streams.get(kind)
        if container is None:
            return
        if stream is None:
            raise Unwritable("restart")
        packet = av.Packet(data)
        packet.stream = stream
        packet.time_base = Fraction(1, 90_000 if kind == "video" else OPUS_RATE)
        packet.pts = packet.dts = ticks
        packet.is_keyframe = is_key
        container.mux(packet)
        self.duration_s = max(self.duration_s, float(ticks * packet.time_base))


def dimensions(codec: str, keyframe: bytes) -> tuple[int, int]:
    """Decode a key frame to learn its width and height.

    Raises:
        Unwritable: `codec` when it cannot be decoded or is no sensible size.

    """
    picture = decode(codec, keyframe)
    if picture is None or max(picture.width, picture.height) > DIMENSION_MAX:
        raise Unwritable("codec")
    return picture.width, picture.height


def decode(codec: str, keyframe: bytes) -> av.VideoFrame | None:
    """Decode one key frame; None when it is none."""
    try:
        context = av.CodecContext.create(DECODERS[codec], "r")
        assert isinstance(context, av.VideoCodecContext)
        context.thread_count = 1
        packet = av.Packet(keyframe)
        packet.is_keyframe = True
        found = [*context.decode(packet), *context.decode(None)]
    except (av.FFmpegError, KeyError):
        return None
    return found[0] if found else None
