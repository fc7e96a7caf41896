"""What can be published: the test picture, a media file, a capture device, a network stream.

Each producer is a blocking iterator of timed, encoded packets that runs in its own thread
(`Source`), paced by the media's own time; two tracks hand them to aiortc. Flows out:
`av.Packet` per track. It must not know WHIP.
"""

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from liveroom.client.encoding import AudioEncoder, MediaPacket, VideoEncoder
from liveroom.client.picture import (
    AUDIO_FRAME_SAMPLES,
    AUDIO_RATE_HZ,
    HEIGHT,
    RATE_FPS,
    WIDTH,
    TestPicture,
    TestTone,
)

QUEUE_PACKETS_MAX = 512
"""Packets waiting for the network; beyond it new ones are dropped and counted."""
STOP_TIMEOUT_S = 5.0
TEST = "test:"


class SourceUnusable(Exception):  # noqa: N818 - said to the person who named the source
    """The source cannot be opened, or cannot be sent as asked; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One encoded packet and the media time at which it is due, in seconds from the start."""

    kind: str
    packet: MediaPacket
    due_s: float


class KeyframeRequest:
    """A flag set by the network side and taken by the encoder's thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ask(self) -> None:
        """Ask for a key frame."""
        self._event.set()

    def take(self) -> bool:
        """Say whether one was asked for since the last call."""
        if not self._event.is_set():
            return False
        self._event.clear()
        return True


class Producer(Protocol):
    """Makes encoded packets in the order of their time."""

    codec: str | None
    has_audio: bool
    is_live: bool
    """True when packets come at their own pace and need no waiting."""

    def samples(self, keyframe: KeyframeRequest) -> Iterator[Sample]:
        """Produce until the source ends; blocks between packets."""
        ...

    def close(self) -> None:
        """Free the source; called from the producing thread."""
        ...


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


class PacketTrack(MediaStreamTrack):
    """A track of encoded packets; aiortc splits them for the wire and never encodes."""

    def __init__(self, kind: str, keyframe: KeyframeRequest) -> None:
        super().__init__()
        self.kind = kind
        self._keyframe = keyframe
        self._queue: asyncio.Queue[MediaPacket | None] = asyncio.Queue()
        self.packets = 0
        self.bytes_out = 0
        self.dropped = 0

    def offer(self, packet: MediaPacket | None) -> None:
        """Queue a packet without waiting; None ends the track."""
        if packet is not None and self._queue.qsize() >= QUEUE_PACKETS_MAX:
            self.dropped += 1
            self._keyframe.ask()
            return
        self._queue.put_nowait(packet)

    async def recv(self) -> MediaPacket:
        """Give the next packet; called by aiortc's sender."""
        if self.readyState != "live":
            raise MediaStreamError
        packet = await self._queue.get()
        if packet is None:
            self.stop()
            raise MediaStreamError
        self.packets += 1
        self.bytes_out += packet.size
        return packet

    def request_keyframe(self) -> None:
        """Pass a viewer's wish for a key frame on to the encoder."""
        self._keyframe.ask()


class Source:
    """A producer in its thread, with a track for each kind it makes."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._loop = asyncio.get_running_loop()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.keyframe = KeyframeRequest()
        self.codec = producer.codec
        self.video = PacketTrack("video", self.keyframe) if producer.codec else None
        self.audio = PacketTrack("audio", self.keyframe) if producer.has_audio else None
        self.ended: asyncio.Future[None] = self._loop.create_future()

    @property
    def tracks(self) -> list[PacketTrack]:
        """The tracks to publish, video first."""
        return [track for track in (self.video, self.audio) if track is not None]

    def start(self) -> None:
        """Begin to produce; the first picture is a key frame."""
        self.keyframe.ask()
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Stop producing and wait for the thread."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_S)
        if not self.ended.done():
            self.ended.cancel()

    def _run(self) -> None:
        error: Exception | None = None
        try:
            self._produce()
        except (av.FFmpegError, SourceUnusable, OSError) as failure:
            error = failure
        finally:
            self._producer.close()
        self._call(self._finish, error)

    def _produce(self) -> None:
        started = time.monotonic()
        for sample in self._producer.samples(self.keyframe):
            if not self._producer.is_live:
                wait_s = started + sample.due_s - time.monotonic()
                if wait_s > 0 and self._stopping.wait(wait_s):
                    return
            if self._stopping.is_set():
                return
            track = self.video if sample.kind == "video" else self.audio
            if track is not None:
                self._call(track.offer, sample.packet)

    def _finish(self, error: Exception | None) -> None:
        for track in self.tracks:
            track.offer(None)
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)

    def _call(self, function: object, argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, argument)  # type: ignore[arg-type]
        except RuntimeError:
            # the loop is closed: nobody is left to be told
            self._stopping.set()


_ADDRESS = re.compile(r"^(rtmps?|rtsps?|srt|https?|udp|tcp)://", re.IGNORECASE)
_DEVICE = re.compile(r"^/dev/video\d+$")


def open_producer(source: str, *, copy: bool = False, codec: str = "h264") -> Producer:
    """Open a source by its name.

    Raises:
        SourceUnusable: it does not exist, has nothing to send, or cannot be copied.

    """
    from liveroom.client.media_file import MediaProducer

    if source == TEST:
        return TestProducer(codec)
    options: dict[str, str] = {}
    format_name: str | None = None
    is_live = False
    if _ADDRESS.match(source):
        is_live = True
        if source.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"
    elif _DEVICE.match(source):
        is_live, format_name = True, "v4l2"
    try:
        container = av.open(source, format=format_name, options=options, timeout=10.0)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceUnusable(f"Cannot open {source}: {error}. Check the name.") from error
    return MediaProducer(container, is_live=is_live, copy=copy, codec=codec)


def seconds(pts: int | None, time_base: Fraction | None) -> float | None:
    """Turn a timestamp into seconds, where there is one."""
    if pts is None or time_base is None:
        return None
    return float(pts * time_base)
