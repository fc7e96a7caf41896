"""The recorder's process: orders from standard input, answers to standard output.

Started by the server as `python -m sfu.recorder FOLDER`. It may be slow, stand still or die;
the server drops what it cannot hand over. When the server is gone it closes its files and ends.
"""

import errno
import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, final

import av
import av.logging

from sfu.recorder.cutting import cut
from sfu.recorder.pictures import draw
from sfu.recorder.reel import Reel, Unwritable
from sfu.recorder.wire import (
    Answer,
    Begin,
    Cut,
    Done,
    Draw,
    Drawn,
    Finish,
    Finished,
    Media,
    Order,
    Splitter,
    read_order,
    write,
)

READ_BYTES: Final = 256 * 1024
FREE_BYTES_MIN: Final = 256 * 1024 * 1024
"""Recording stops before the disk is full: the database may live on the same one."""
FREE_CHECK_S: Final = 2.0
NICENESS: Final = 5
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@final
class Recorder:
    """All files being written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reels: dict[int, Reel] = {}
        self._checked_at = float("-inf")
        self._has_room = True

    def carry_out(self, order: Order) -> list[Answer]:
        """Do what the server asks."""
        match order:
            case Begin():
                self._reels[order.number] = Reel(
                    self._folder / order.file, base=order.base, has_video=order.has_video
                )
                return []
            case Media():
                return self._take(order)
            case Finish():
                return self._close(order.number, "finished")
            case Draw():
                return [Drawn(order.number, self._draw(order))]
            case Cut():
                return [Done(order.number, self._cut(order))]

    def close(self) -> None:
        """Close every file."""
        for number in list(self._reels):
            self._close(number, "finished")

    def _take(self, media: Media) -> list[Answer]:
        reel = self._reels.get(media.number)
        if reel is None:
            return []
        if not self._is_roomy():
            return self._close(media.number, "disk_full")
        try:
            reel.take(media)
        except Unwritable as reason:
            return self._close(media.number, str(reason))
        except (OSError, av.FFmpegError) as error:
            return self._close(media.number, _reason(error))
        return []

    def _close(self, number: int, reason: str) -> list[Answer]:
        reel = self._reels.pop(number, None)
        if reel is None:
            return []
        try:
            reel.close()
        except (OSError, av.FFmpegError) as error:
            reason = _reason(error) if reason == "finished" else reason
        size = reel.path.stat().st_size if reel.path.exists() else 0
        return [Finished(number, reason, reel.duration_s, size, reel.frames, reel.gaps)]

    def _draw(self, order: Draw) -> bytes | None:
        try:
            return draw(order.codec, order.payloads)
        except (av.FFmpegError, OSError):
            return None

    def _cut(self, order: Cut) -> float:
        source, target = self._folder / order.source, self._folder / order.target
        try:
            return cut(source, target, from_s=order.from_s, to_s=order.to_s)
        except (av.FFmpegError, OSError):
            return 0.0

    def _is_roomy(self) -> bool:
        now = time.monotonic()
        if now - self._checked_at >= FREE_CHECK_S:
            self._checked_at = now
            self._has_room = shutil.disk_usage(self._folder).free >= FREE_BYTES_MIN
        return self._has_room


def _reason(error: Exception) -> str:
    return "disk_full" if getattr(error, "errno", None) in FULL else "disk_error"


def main() -> None:
    """Serve until standard input ends."""
    # The server says when to stop: by closing the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(NICENESS)
    av.logging.set_level(av.logging.PANIC)
    recorder = Recorder(Path(sys.argv[1]))
    splitter = Splitter()
    try:
        while data := os.read(sys.stdin.fileno(), READ_BYTES):
            for body in splitter.feed(data):
                for answer in recorder.carry_out(read_order(body)):
                    _send(write(answer))
    except BrokenPipeError:
        pass
    finally:
        recorder.close()


def _send(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sys.stdout.fileno(), view) :]


if __name__ == "__main__":
    main()
