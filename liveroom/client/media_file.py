"""A media file, device or network stream as a producer of packets that WebRTC can carry.

With `copy` the encoded packets go out as they are (H264, VP8, Opus; a file's other sound is
encoded anew, since browsers know no AAC over WebRTC); else pictures and sound are decoded and
encoded. A file starts again at its end with timestamps that run on.
"""

from collections.abc import Iterator

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.video.stream import VideoStream

from liveroom.client.encoding import (
    AUDIO_CLOCK,
    VIDEO_CLOCK,
    AudioEncoder,
    MediaPacket,
    VideoEncoder,
)
from liveroom.client.samples import KeyframeRequest, Sample, SourceUnusable, seconds

COPIED_VIDEO = {"h264": "h264", "vp8": "vp8"}
WIDTH_MAX = 1280
RATE_FPS_MAX = 30
DEFAULT_RATE_FPS = 25
SOUND_GAP_S = 0.2
"""A jump of the source's sound that is kept instead of smoothed."""
GAP_S = 0.04
"""Between the last packet of one round through a file and the first of the next."""


class MediaProducer:
    """Reads one container until it ends, or for ever if it is a file."""

    def __init__(self, container: InputContainer, *, is_live: bool, copy: bool, codec: str) -> None:
        self._container = container
        self._video = next(iter(container.streams.video), None)
        self._audio = next(iter(container.streams.audio), None)
        if self._video is None and self._audio is None:
            container.close()
            raise SourceUnusable("There is neither picture nor sound in it; choose another.")
        self.is_live = is_live
        self.has_audio = self._audio is not None
        self.codec: str | None = None
        self._pictures: _CopiedPictures | _EncodedPictures | None = None
        self._sounds: _CopiedSounds | _EncodedSounds | None = None
        if self._video is not None:
            self._pictures = _pictures_of(self._video, copy=copy, codec=codec)
            self.codec = self._pictures.codec
        if self._audio is not None:
            copied = copy and self._audio.codec_context.name in ("opus", "libopus")
            self._sounds = _CopiedSounds(self._audio) if copied else _EncodedSounds(self._audio)

    def samples(self, keyframe: KeyframeRequest) -> Iterator[Sample]:
        """Read, convert where needed, and start again at the end of a file."""
        offset_s = 0.0
        while True:
            end_s = offset_s
            for sample in self._once(offset_s, keyframe):
                end_s = max(end_s, sample.due_s)
                yield sample
            if self.is_live:
                return
            if end_s <= offset_s:
                raise SourceUnusable("The file has no packets; choose another.")
            offset_s = end_s + GAP_S
            self._container.seek(0)

    def close(self) -> None:
        """Close the container."""
        self._container.close()

    def _once(self, offset_s: float, keyframe: KeyframeRequest) -> Iterator[Sample]:
        streams = [stream for stream in (self._video, self._audio) if stream is not None]
        first_s: float | None = None
        for packet in self._container.demux(streams):
            at_s = seconds(packet.pts, packet.time_base)
            if at_s is None:
                continue
            first_s = at_s if first_s is None else first_s
            due_s = max(0.0, at_s - first_s) + offset_s
            if packet.stream is self._video and self._pictures is not None:
                yield from self._pictures.convert(packet, first_s, offset_s, keyframe)
            elif packet.stream is self._audio and self._sounds is not None:
                yield from self._sounds.convert(packet, due_s)


def _pictures_of(
    stream: VideoStream, *, copy: bool, codec: str
) -> "_CopiedPictures | _EncodedPictures":
    if not copy:
        return _EncodedPictures(stream, codec)
    name = COPIED_VIDEO.get(stream.codec_context.name)
    if name is None:
        raise SourceUnusable(
            f"{stream.codec_context.name} cannot be copied (H264 and VP8 can); leave out --copy."
        )
    if stream.codec_context.has_b_frames:
        raise SourceUnusable("It has B-frames, which WebRTC cannot show; leave out --copy.")
    return _CopiedPictures(stream, name)


class _CopiedPictures:
    def __init__(self, stream: VideoStream, codec: str) -> None:
        self.codec = codec
        self._filter: BitStreamFilterContext | None = None
        extradata = stream.codec_context.extradata
        if codec == "h264" and extradata and extradata[:1] == b"\x01":
            # MP4 keeps lengths and parameter sets apart; RTP needs start codes and both inline.
            self._filter = BitStreamFilterContext("h264_mp4toannexb", stream)

    def convert(
        self, packet: MediaPacket, first_s: float, offset_s: float, keyframe: KeyframeRequest
    ) -> Iterator[Sample]:
        at_s = seconds(packet.pts, packet.time_base)
        for ready in self._filter.filter(packet) if self._filter else [packet]:
            due_s = max(0.0, (at_s or 0.0) - first_s) + offset_s
            yield Sample("video", _stamped(ready, due_s, 90_000), due_s)


class _EncodedPictures:
    def __init__(self, stream: VideoStream, codec: str) -> None:
        self.codec = codec
        self._stream = stream
        self._encoder: VideoEncoder | None = None
        rate = stream.average_rate or stream.guessed_rate or DEFAULT_RATE_FPS
        self._rate_fps = max(1, min(RATE_FPS_MAX, round(rate)))
        context = stream.codec_context
        self._width, self._height = _fitting(context.width, context.height)
        self._last_s = -1.0

    def convert(
        self, packet: MediaPacket, first_s: float, offset_s: float, keyframe: KeyframeRequest
    ) -> Iterator[Sample]:
        for frame in self._stream.decode(packet):
            at_s = seconds(frame.pts, frame.time_base)
            if at_s is None:
                continue
            due_s = max(0.0, at_s - first_s) + offset_s
            if due_s - self._last_s < 0.8 / self._rate_fps:
                continue
            self._last_s = due_s
            yield from self._encode(frame, due_s, keyframe)

    def _encode(
        self, frame: av.VideoFrame, due_s: float, keyframe: KeyframeRequest
    ) -> Iterator[Sample]:
        if self._encoder is None:
            self._encoder = VideoEncoder(self.codec, self._width, self._height, self._rate_fps)
        scaled = frame.reformat(width=self._width, height=self._height, format="yuv420p")
        pts = round(due_s * 90_000)
        for packet in self._encoder.encode(scaled, pts=pts, keyframe=keyframe.take()):
            yield Sample("video", packet, due_s)


class _CopiedSounds:
    def __init__(self, stream: AudioStream) -> None:
        self._stream = stream

    def convert(self, packet: MediaPacket, due_s: float) -> Iterator[Sample]:
        yield Sample("audio", _stamped(packet, due_s, 48_000), due_s)


class _EncodedSounds:
    def __init__(self, stream: AudioStream) -> None:
        self._stream = stream
        self._encoder = AudioEncoder()
        self._anchor = 0

    def convert(self, packet: MediaPacket, due_s: float) -> Iterator[Sample]:
        """Encode; timestamps run on evenly and jump only where the source has a gap."""
        for frame in self._stream.decode(packet):
            for encoded in self._encoder.encode(frame):
                count = encoded.pts or 0
                if abs(self._anchor + count - due_s * 48_000) > SOUND_GAP_S * 48_000:
                    self._anchor = round(due_s * 48_000) - count
                encoded.pts = encoded.dts = self._anchor + count
                yield Sample("audio", encoded, (self._anchor + count) / 48_000)


def _stamped(packet: MediaPacket, due_s: float, clock_rate: int) -> MediaPacket:
    """Copy a packet's bytes under a timestamp that runs on across rounds."""
    copied: MediaPacket = av.Packet(bytes(packet))
    copied.pts = copied.dts = round(due_s * clock_rate)
    copied.time_base = VIDEO_CLOCK if clock_rate == 90_000 else AUDIO_CLOCK
    return copied


def _fitting(width: int, height: int) -> tuple[int, int]:
    """Scale down to the widest we send; both sides even, as yuv420p needs."""
    scale = min(1.0, WIDTH_MAX / max(1, width))
    return int(width * scale) // 2 * 2, int(height * scale) // 2 * 2
