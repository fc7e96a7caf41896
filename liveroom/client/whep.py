"""A WHEP viewer: receives what a room's host sends and counts decoded frames.

It offers one video and one audio m-line (plain WHEP) or more pairs for guest slots.
"""

import asyncio
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx
from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from liveroom.client.peer import Exchange, open_peer, wait_connected


@dataclass(slots=True)
class Received:
    """What one track has brought so far; `last` is the newest video frame."""

    kind: str
    frames: int = 0
    first_at: float | None = None
    last: VideoFrame | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class WhepViewer:
    """One viewing session; frames are decoded and counted, only the last is kept."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        slots: int = 1,
        audio: bool = True,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._exchange = Exchange(url, token, http)
        self._slots = slots
        self._audio = audio
        self._readers: set[asyncio.Task[None]] = set()
        self._added = asyncio.Event()
        self.peer: RTCPeerConnection = open_peer()
        self.video: list[Received] = []
        self.audio: list[Received] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Offer, connect and start receiving; on failure nothing is left behind."""
        self.peer.on("track", self._on_track)
        for _ in range(self._slots):
            self.peer.addTransceiver("video", direction="recvonly")
            if self._audio:
                self.peer.addTransceiver("audio", direction="recvonly")
        try:
            await self._exchange.offer(self.peer)
            await wait_connected(self.peer)
        except Exception:
            await self.stop()
            raise

    async def stop(self) -> None:
        """DELETE the session and close the connection."""
        await self._exchange.delete()
        await self.peer.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def wait_frames(self, count: int, *, slot: int = 0, timeout_s: float = 15.0) -> Received:
        """Wait until a slot's video has shown at least so many frames."""
        async with asyncio.timeout(timeout_s):
            while len(self.video) <= slot:
                self._added.clear()
                await self._added.wait()
            received = self.video[slot]
            while received.frames < count:
                received.changed.clear()
                await received.changed.wait()
        return received

    def _on_track(self, track: MediaStreamTrack) -> None:
        received = Received(track.kind)
        (self.video if track.kind == "video" else self.audio).append(received)
        self._added.set()
        self._readers.add(asyncio.create_task(_read(track, received)))


async def _read(track: MediaStreamTrack, received: Received) -> None:
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        received.frames += 1
        if received.first_at is None:
            received.first_at = time.monotonic()
        if isinstance(frame, VideoFrame):
            received.last = frame
        received.changed.set()
