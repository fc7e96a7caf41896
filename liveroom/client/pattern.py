"""The test stream: the moving picture with its burnt-in clock and the tone, encoded.

640×360 at 15 pictures a second costs 2 % of a core as H264, 4 % as VP8.
"""

import time
from collections.abc import Iterator

import av

from liveroom.client.encoding import AudioEncoder, VideoEncoder
from liveroom.client.picture import (
    AUDIO_FRAME_SAMPLES,
    AUDIO_RATE_HZ,
    HEIGHT,
    RATE_FPS,
    WIDTH,
    TestPicture,
    TestTone,
)
from liveroom.client.samples import KeyframeRequest, Sample


class TestProducer:
    """The moving test picture with a burnt-in clock, and a tone."""

    __test__ = False

    def __init__(self, codec: str) -> None:
        self.codec: str | None = codec
        self.has_audio = True
        self.is_live = False
        self._picture = TestPicture()
        self._tone = TestTone()
        self._video = VideoEncoder(codec, WIDTH, HEIGHT, RATE_FPS)
        self._audio = AudioEncoder()

    def samples(self, keyframe: KeyframeRequest) -> Iterator[Sample]:
        """Alternate pictures and sound by their due time."""
        pictures = sounds = 0
        while True:
            picture_due = pictures / RATE_FPS
            sound_due = sounds * AUDIO_FRAME_SAMPLES / AUDIO_RATE_HZ
            if picture_due <= sound_due:
                yield from self._one_picture(pictures, picture_due, keyframe)
                pictures += 1
            else:
                yield from self._one_sound(sounds, sound_due)
                sounds += 1

    def close(self) -> None:
        """Nothing is held open."""

    def _one_picture(
        self, number: int, due_s: float, keyframe: KeyframeRequest
    ) -> Iterator[Sample]:
        planes = self._picture.draw(number, time.time_ns() // 1_000_000)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        pts = number * 90_000 // RATE_FPS
        for packet in self._video.encode(frame, pts=pts, keyframe=keyframe.take()):
            yield Sample("video", packet, due_s)

    def _one_sound(self, number: int, due_s: float) -> Iterator[Sample]:
        samples = self._tone.play(number).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = AUDIO_RATE_HZ
        for packet in self._audio.encode(frame):
            yield Sample("audio", packet, due_s)
