"""A visit over plain HTTP, for networks that block websockets: server-sent events and POST.

The same conversation, audience and bounds as a websocket: what differs is how bytes leave
(chunks of one long answer) and how a client's frames come (a request each). Where a websocket
would be closed, `bye` is the last event and the answer ends. It knows no HTTP framework.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol, final

from websockets.exceptions import ConnectionClosedOK

from liveroom.edge.backlog import Backlog, Prepared, essential
from liveroom.edge.connection import FRAMES_QUEUED_MAX, WRITE_HIGH_BYTES, bye_of, count_skipped
from liveroom.edge.sweeping import NOT_DIRECT
from liveroom.observe import GATEWAY_FRAMES
from liveroom.protocol.closing import SLOW
from liveroom.protocol.codec import EVENTS, Codec
from liveroom.protocol.messages import Fields, Message

BEAT = b":\n\n"
"""A comment: proxies see life, clients skip it."""


class Streams(Protocol):
    """Where visits over HTTP begin and are found again."""

    def open_stream(self, address: str) -> "EventStream | None":
        """Begin a visit; None when there are too many."""
        ...

    def stream(self, id: str) -> "EventStream | None":
        """Find a visit by its unguessable id."""
        ...


@final
class EventStream:
    """One viewer's stream.

    Args:
        id: unguessable; whoever knows it may send this visit's commands.
        address: where the viewer comes from.
        chance: a number in [0, 1) for jitter.
        bytes_max: the bound of what waits.

    """

    codec: Codec = EVENTS

    def __init__(
        self, id: str, *, address: str, chance: Callable[[], float], bytes_max: int
    ) -> None:
        self.id = id
        self.address = address
        self.descriptor = NOT_DIRECT
        self.rank = 0
        self.transport = self
        self.on_leaving: Callable[[], None] | None = None
        self.backlog = Backlog(EVENTS, self.write, skipped=count_skipped, bytes_max=bytes_max)
        self._chance = chance
        self._ready: list[bytes] = []
        self._ready_bytes = 0
        self._woken = asyncio.Event()
        self._is_open = True
        self._commands: asyncio.Queue[str | None] = asyncio.Queue(FRAMES_QUEUED_MAX + 1)
        self.write(EVENTS.frame({"t": "stream", "id": id}))

    def is_open(self) -> bool:
        """Whether frames may still be written."""
        return self._is_open

    def is_direct(self) -> bool:
        """There is no socket here to write to past what leads to it."""
        return False

    def offer(self, prepared: Prepared) -> None:
        """Write a frame, or keep it while the client does not read, or end one too slow."""
        if self._is_open and not self.backlog.offer(prepared):
            self.backlog.clear()
            self.end(SLOW)

    def say(self, message: Message | Fields) -> None:
        """Send one message to this viewer alone; it is never skipped."""
        self.offer(essential(message))

    def end(self, code: int, why: str | None = None) -> None:
        """Say bye and end the answer; does nothing when that has happened."""
        if not self._is_open:
            return
        self.write(EVENTS.frame(bye_of(code, why, chance=self._chance())))
        self.abort()

    def beat(self) -> None:
        """Show that the stream lives."""
        if self._is_open and not self._ready:
            self.write(BEAT)

    def write(self, frame: bytes) -> None:
        """Have bytes leave with the next chunk; too many at once wait in the backlog."""
        self._ready.append(frame)
        self._ready_bytes += len(frame)
        GATEWAY_FRAMES.inc()
        if self._ready_bytes > WRITE_HIGH_BYTES:
            self.backlog.pause()
        self._woken.set()

    def abort(self) -> None:
        """Take nothing more in either direction; what is ready still leaves."""
        if not self._is_open:
            return
        self._is_open = False
        self._woken.set()
        self._commands.put_nowait(None)
        if self.on_leaving is not None:
            leaving, self.on_leaving = self.on_leaving, None
            leaving()

    def feed(self, frame: str) -> bool:
        """Take a client's frame; False when too many wait."""
        if not self._is_open or self._commands.qsize() >= FRAMES_QUEUED_MAX:
            return False
        self._commands.put_nowait(frame)
        return True

    async def recv(self) -> str:
        """Wait for the next frame of the client.

        Raises:
            ConnectionClosedOK: the visit is over.

        """
        frame = await self._commands.get()
        if frame is None:
            raise ConnectionClosedOK(None, None)
        return frame

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give what leaves, as often as the client took the last."""
        while self._ready or self._is_open:
            await self._woken.wait()
            self._woken.clear()
            chunk = b"".join(self._ready)
            self._ready.clear()
            self._ready_bytes = 0
            if chunk:
                yield chunk
            if self._is_open:
                self.backlog.resume()
