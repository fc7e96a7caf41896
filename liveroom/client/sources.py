"""What can be published: the test picture, a media file, a capture device, a network stream.

Each producer is a blocking iterator of timed, encoded packets that runs in its own thread
(`Source`), paced by the media's own time; two tracks hand them to aiortc. Flows out:
`av.Packet` per track. It must not know WHIP.
"""

import asyncio
import re
import threading
import time

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from liveroom.client.encoding import MediaPacket
from liveroom.client.media_file import MediaProducer
from liveroom.client.pattern import TestProducer
from liveroom.client.samples import KeyframeRequest, Producer, SourceUnusable

QUEUE_PACKETS_MAX = 512
"""Packets waiting for the network; beyond it new ones are dropped and counted."""
STOP_TIMEOUT_S = 5.0
OPEN_TIMEOUT_S = 10.0
TEST = "test:"


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
        self.is_live = producer.is_live
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


_STREAM = re.compile(r"^(rtmps?|rtsps?|srt|udp|tcp|rtp)://", re.IGNORECASE)
_CAMERA = re.compile(r"^/dev/video\d+$")
_DEVICE = re.compile(r"^device:(?P<format>[a-z0-9_]+):(?P<name>.+)$")
DEVICE_FORMATS = ("v4l2", "alsa", "x11grab", "avfoundation", "dshow", "gdigrab")
"""FFmpeg's input devices that make sense here; which of them exist depends on the system."""
DEVICE_RATE_FPS = "30"


def _device(source: str) -> tuple[str, str] | None:
    """Read a capture device's address as (format, name): `/dev/video0`, `device:x11grab::0`.

    Raises:
        SourceUnusable: there is no such kind of device.

    """
    if _CAMERA.match(source):
        return "v4l2", source
    found = _DEVICE.match(source)
    if found is None:
        return None
    if found["format"] not in DEVICE_FORMATS:
        kinds = ", ".join(DEVICE_FORMATS)
        raise SourceUnusable(f"There is no kind of device {found['format']}; choose of {kinds}.")
    return found["format"], found["name"]


def open_producer(source: str, *, copy: bool = False, codec: str = "h264") -> Producer:
    """Open a source by its name.

    Raises:
        SourceUnusable: it does not exist, has nothing to send, or cannot be copied.

    """
    if source == TEST:
        return TestProducer(codec)
    device = _device(source)
    if device is not None:
        kind, name = device
        options = {} if kind == "alsa" else {"framerate": DEVICE_RATE_FPS}
    else:
        kind, name = None, source
        options = {"rtsp_transport": "tcp"} if source.lower().startswith("rtsp") else {}
    try:
        container = av.open(name, format=kind, options=options, timeout=OPEN_TIMEOUT_S)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceUnusable(f"Cannot open {source}: {error}. Check the name.") from error
    # What has no length comes at its own pace; a file over HTTP has one.
    is_live = device is not None or bool(_STREAM.match(source)) or container.duration is None
    return MediaProducer(container, is_live=is_live, copy=copy, codec=codec)
