"""A connection to one Redis server that only listens: sharded subscriptions in, bytes out.

It reads the protocol with hiredis and calls back directly, without a task or a queue per
message: what a callback does must be short. A server that says nothing, not even to PING,
is given up at a deadline (a client library's health check only *sends* the PING).
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast, final

import hiredis

from liveroom.bus.address import BusAddress, Server
from liveroom.observe import logger

CONNECT_S_MAX: Final = 2.0
PING_EVERY_S: Final = 0.7
SILENT_S_MAX: Final = 2.0
"""A server that has said nothing for so long is gone: close, and connect anew."""
CHANNELS_PER_COMMAND: Final = 512

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Listener:
    """What a line calls: a message came, a channel is heard (or not any more), all is over."""

    message: Callable[[bytes, bytes], None]
    heard: Callable[[bytes], None]
    unheard: Callable[[bytes], None]
    lost: Callable[["Line"], None]


@final
class Line(asyncio.Protocol):
    """One connection; make it with `open_line`."""

    def __init__(self, server: Server, listener: Listener) -> None:
        self.server = server
        self.is_open = False
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=hiredis.ReplyError)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = self._loop.time()

    # Asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to ping."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self.is_open = True
        self._heard_at = self._loop.time()
        self._beat()

    def data_received(self, data: bytes) -> None:
        """Take what the server pushes."""
        self._heard_at = self._loop.time()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._take(reply)
        except hiredis.ProtocolError as error:
            _log.warning("bus speaks no Redis", server=str(self.server), why=str(error))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner, once."""
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._listener.lost(self)

    # The owner calls these.

    def command(self, *words: str) -> None:
        """Send one command; answers that are errors end the line."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(hiredis.pack_command(words))  # type: ignore[arg-type] # its stub

    def subscribe(self, channels: Sequence[str]) -> None:
        """Listen to channels, all of one partition: a cluster takes no others together."""
        for first in range(0, len(channels), CHANNELS_PER_COMMAND):
            self.command("SSUBSCRIBE", *channels[first : first + CHANNELS_PER_COMMAND])

    def unsubscribe(self, channel: str) -> None:
        """Listen to a channel no more."""
        self.command("SUNSUBSCRIBE", channel)

    def close(self) -> None:
        """End it at once, without waiting for a peer that may be gone."""
        if self._transport is not None:
            self._transport.abort()

    # Inside.

    def _take(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            # NOAUTH, MOVED, an old version: nothing that listening on would mend.
            _log.warning("bus refuses to be heard", server=str(self.server), why=str(reply))
            self.close()
        elif isinstance(reply, list) and len(reply) == 3:
            kind, channel, value = reply
            if kind == b"smessage":
                self._listener.message(channel, value)
            elif kind == b"ssubscribe":
                self._listener.heard(channel)
            elif kind == b"sunsubscribe" and channel is not None:
                self._listener.unheard(channel)

    def _beat(self) -> None:
        silent_s = self._loop.time() - self._heard_at
        if silent_s >= SILENT_S_MAX:
            _log.warning("bus is silent", server=str(self.server), seconds=round(silent_s, 1))
            self.close()
            return
        self.command("PING")
        self._timer = self._loop.call_later(PING_EVERY_S, self._beat)


async def open_line(server: Server, address: BusAddress, listener: Listener) -> Line:
    """Connect and log in.

    Raises:
        OSError: nobody answers there (also TimeoutError).

    """
    secured = ssl.create_default_context() if address.tls else None
    async with asyncio.timeout(CONNECT_S_MAX):
        _transport, line = await asyncio.get_running_loop().create_connection(
            lambda: Line(server, listener), server.host, server.port, ssl=secured
        )
    if address.password is not None:
        given = (address.user, address.password) if address.user else (address.password,)
        line.command("AUTH", *given)
    return line
