"""The recorder process as the server sees it: started when needed, never waited for.

In: orders. Out: answers, some of them much later or never. What the process does not take in
time stays here up to a bound; beyond it orders are dropped. Knows no sessions and no rooms.
"""

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Final, final

import msgspec

from sfu.recorder.wire import Answer, Order, Splitter, read_answer, write

QUEUE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Written and not yet taken by the process; an order beyond it is dropped."""
READ_BYTES: Final = 64 * 1024
RESTART_S: Final = 5.0
"""From one start to the next, at least: a process that dies at once must not burn a core."""
CLOSE_S: Final = 10.0
"""How long files get to be closed when the server stops; what is not closed can be read too."""

log = logging.getLogger("sfu.recorder")


@final
class RecorderProcess:
    """The child, and the pipes to it.

    Args:
        folder: where it writes.
        on_answer: told each answer.
        on_death: told when it ended without being asked to.
        clock: monotonic seconds.

    """

    def __init__(
        self,
        folder: Path,
        on_answer: Callable[[Answer], None],
        on_death: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._on_answer = on_answer
        self._on_death = on_death
        self._clock = clock
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._started_at = float("-inf")
        self._starting = asyncio.Lock()
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return None if self._process is None else self._process.pid

    async def ensure(self) -> bool:
        """Start the process unless it runs; False when it cannot be started now."""
        async with self._starting:
            if self._process is not None:
                return True
            if self._closing or self._clock() - self._started_at < RESTART_S:
                return False
            self._started_at = self._clock()
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "sfu.recorder",
                    str(self._folder),
                    stdin=PIPE,
                    stdout=PIPE,
                    start_new_session=True,
                )
            except OSError:
                log.exception("the recorder cannot be started in %s", self._folder)
                return False
            self._reader = asyncio.create_task(self._read(self._process), name="recorder")
            return True

    def send(self, order: Order) -> bool:
        """Hand an order over; False when the process is too far behind, or gone."""
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return False
        data = write(order)
        if process.stdin.transport.get_write_buffer_size() + len(data) > QUEUE_BYTES_MAX:
            return False
        process.stdin.write(data)
        return True

    async def close(self) -> None:
        """Let it finish its files, and end it."""
        self._closing = True
        process, reader = self._process, self._reader
        if process is None or process.stdin is None or reader is None:
            return
        process.stdin.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await process.wait()
                await reader
        except TimeoutError:
            process.kill()
            reader.cancel()
            await process.wait()

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        splitter = Splitter()
        try:
            while data := await process.stdout.read(READ_BYTES):
                for body in splitter.feed(data):
                    self._on_answer(read_answer(body))
        except (OSError, ValueError, msgspec.MsgspecError):
            log.exception("the recorder speaks nonsense")
            process.kill()
        code = await process.wait()
        self._process = None
        if not self._closing:
            log.error("the recorder ended with %s; recordings begin anew", code)
            self._on_death()
