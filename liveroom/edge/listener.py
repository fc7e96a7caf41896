"""The HTTP listener: uvicorn without its own signal handling, started and stopped by the app.

It takes a bound socket, so that the port is known (and taken) before anything is served.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from litestar import Litestar

from liveroom.config import Address
from liveroom.edge.http_bounds import BoundedHttp

BACKLOG = 2_048
"""Connections the kernel may hold before they are accepted; further ones are refused by it."""
KEEP_ALIVE_S = 30
SHUTDOWN_WITHIN_S = 5
"""Requests still running then are cut."""


class _Server(uvicorn.Server):
    """A server that leaves the process' signals alone and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


def bind(address: Address) -> socket.socket:
    """Bind a TCP listener.

    Raises:
        OSError: the address is taken or not ours.

    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    return socket.create_server((address.host, address.port), family=family, backlog=BACKLOG)


class Listener:
    """Serves one ASGI application on one bound socket.

    Args:
        application: what answers.
        bound: from `bind`; closed with the listener.
        certificate: certificate and key files for HTTPS.

    """

    def __init__(
        self,
        application: Litestar,
        bound: socket.socket,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        files = {}
        if certificate is not None:
            files = {"ssl_certfile": certificate[0], "ssl_keyfile": certificate[1]}
        self._bound = bound
        self._server = _Server(
            uvicorn.Config(
                application,
                loop="none",
                http=BoundedHttp,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=SHUTDOWN_WITHIN_S,
                **files,  # type: ignore[arg-type]
            )
        )
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        port: int = self._bound.getsockname()[1]
        return port

    async def start(self) -> None:
        """Begin to answer."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._bound]), name="http")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait([self._task, listening], return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            listening.cancel()
            self._task.result()

    async def stop(self) -> None:
        """Answer what was asked, then stop."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
            self._task = None
        self._bound.close()
