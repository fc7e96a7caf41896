"""What one viewer has not taken yet: frames kept by reference, bounded in bytes.

While the socket takes data, frames go straight through. While it does not, they wait here:
first whole, then, above a share of the bound, only what is essential in them (money, state,
answers); above the bound the essential part of every waiting frame; above it still, the viewer
is too slow. It counts its own bytes and never asks the transport. It knows no socket.
"""

from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, final

from liveroom.domain.delivery import Delivery
from liveroom.protocol.codec import Codec
from liveroom.protocol.messages import Fields, Message

BACKLOG_BYTES_MAX = 160 * 1024
"""Above it a viewer is closed with 4001 and resumes by offset.

With what transport and kernel may hold, and one frame over, a viewer costs at most 256 KiB.
"""

WHOLE_BYTES_MAX = 40 * 1024
"""Above it new frames are kept without their texts and greetings."""


LeftOut = Mapping[Delivery, int]
"""How many events of each class somebody is not shown."""

NOTHING_LEFT_OUT: Final[LeftOut] = MappingProxyType({})


@final
class Prepared:
    """One message for many viewers: encoded once per codec, and only when somebody needs it.

    Args:
        message: what viewers see.
        essential: what a slow viewer must still see; None = nothing of it.
        inessential: how many events of which class the essential form leaves out.

    """

    __slots__ = ("_essential", "_frames", "inessential", "is_essential", "message")

    def __init__(
        self,
        message: Message | Fields,
        *,
        essential: "Prepared | None",
        inessential: LeftOut = NOTHING_LEFT_OUT,
    ) -> None:
        self.message = message
        self.inessential = inessential
        self.is_essential = False
        self._essential = essential
        self._frames: dict[Codec, bytes] = {}

    @property
    def essential(self) -> "Prepared | None":
        """What a slow viewer must still see: itself when all of it is essential."""
        # It does not refer to itself: the collector would have to free every answer.
        return self if self.is_essential else self._essential

    def frame(self, codec: Codec) -> bytes:
        """Give the bytes for the sockets of a codec: the same object every time."""
        frame = self._frames.get(codec)
        if frame is None:
            frame = self._frames[codec] = codec.frame(self.message)
        return frame


def essential(message: Message | Fields) -> Prepared:
    """Prepare a message that is never skipped."""
    prepared = Prepared(message, essential=None)
    prepared.is_essential = True
    return prepared


_NOTHING: Final[deque[Prepared]] = deque(maxlen=0)
"""What waits for a viewer who keeps up: an empty deque of their own would take 0.7 KiB."""


@final
class Backlog:
    """The waiting frames of one viewer.

    Args:
        codec: the viewer's.
        write: hands bytes to the socket's transport; it may call `pause` meanwhile.
        skipped: told how many events of which class were left out.

    """

    __slots__ = ("_bytes_max", "_codec", "_skipped", "_waiting", "_write", "bytes", "is_paused")

    def __init__(
        self,
        codec: Codec,
        write: Callable[[bytes], None],
        *,
        skipped: Callable[[LeftOut], None],
        bytes_max: int = BACKLOG_BYTES_MAX,
    ) -> None:
        self._codec = codec
        self._write = write
        self._skipped = skipped
        self._bytes_max = bytes_max
        self._waiting = _NOTHING
        self.bytes = 0
        self.is_paused = False

    def offer(self, prepared: Prepared) -> bool:
        """Write or keep a frame; False when the viewer is too slow."""
        if not self.is_paused:
            self._write(prepared.frame(self._codec))
            return True
        if self.bytes > min(WHOLE_BYTES_MAX, self._bytes_max // 4):
            kept = prepared.essential
            self._skip(prepared)
            if kept is None:
                return True
            prepared = kept
        self._waiting.append(prepared)
        self.bytes += len(prepared.frame(self._codec))
        if self.bytes > self._bytes_max:
            self._shrink()
        return self.bytes <= self._bytes_max

    def pause(self) -> None:
        """Keep frames from now on: the socket is full."""
        self.is_paused = True
        if self._waiting is _NOTHING:
            self._waiting = deque()

    def resume(self) -> None:
        """Write what waits until the socket is full again."""
        self.is_paused = False
        while self._waiting and not self.is_paused:
            prepared = self._waiting.popleft()
            frame = prepared.frame(self._codec)
            self.bytes -= len(frame)
            self._write(frame)
        if not self._waiting and not self.is_paused:
            self._waiting = _NOTHING

    def clear(self) -> None:
        """Forget what waits: the viewer will resume by offset."""
        self._waiting = deque()
        self.bytes = 0

    def _shrink(self) -> None:
        kept: deque[Prepared] = deque()
        for prepared in self._waiting:
            left = prepared.essential
            if left is not prepared:
                self._skip(prepared)
            if left is not None:
                kept.append(left)
        self._waiting = kept
        self.bytes = sum(len(prepared.frame(self._codec)) for prepared in kept)

    def _skip(self, prepared: Prepared) -> None:
        if prepared.inessential:
            self._skipped(prepared.inessential)
