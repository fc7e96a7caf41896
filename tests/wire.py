"""TCP wires that tests cut, hold and mend; with several ends they are a load balancer.

All wires of a test live on one event loop in a thread of its own, so that a busy test does not
slow them down.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Ends = Callable[[], Sequence[int]]
"""Lists the ports that a new connection may be led to, in the order to try them."""


@dataclass
class Wire:
    """One listening port, led to others on this machine."""

    ends: Ends
    loop: asyncio.AbstractEventLoop
    port: int = 0
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server = field(init=False)

    def hold(self) -> None:
        """Let nothing through and say nothing: a partition."""
        self.loop.call_soon_threadsafe(self._flowing.clear)

    def mend(self) -> None:
        """Let everything through again, also what was held."""
        self.loop.call_soon_threadsafe(self._flowing.set)

    def cut(self) -> None:
        """Break every connection there is; new ones are taken."""
        self.loop.call_soon_threadsafe(self._abort)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def open(self) -> None:
        self._flowing.set()
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", 0, backlog=1_000)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._flowing.wait()
            for port in self.ends():
                with suppress(OSError):
                    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
                    break
            else:
                return
            self._writers.add(far_writer)
            try:
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            finally:
                self._writers.discard(far_writer)
                far_writer.transport.abort()
        except (OSError, asyncio.CancelledError):
            return
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@dataclass
class Wires:
    """Makes wires."""

    loop: asyncio.AbstractEventLoop
    made: list[Wire] = field(default_factory=list)

    def make(self, ends: Ends) -> Wire:
        wire = Wire(ends, self.loop)
        self._run(wire.open())
        self.made.append(wire)
        return wire

    def to(self, port: int) -> Wire:
        return self.make(lambda: [port])

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)


@contextmanager
def wires() -> Iterator[Wires]:
    """Run the loop of the wires for as long as the block lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="wires")
    thread.start()
    made = Wires(loop)
    try:
        yield made
    finally:
        for wire in made.made:
            made._run(wire.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
