"""A viewer behind a box that suddenly sends from another port: real sockets, real time."""

import asyncio
import socket
import time

from tests.sfu.conftest import Server
from tests.sfu.raw_peer import RawPeer, new_socket, rtp

BACK_S = 1.0
INTERVAL_S = 0.01
DATAGRAM_BYTES_MAX = 2048


class Rebinding:
    """Passes datagrams between one client and the server; `rebind` takes another port for it."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._client: tuple[str, int] | None = None
        self._inside = new_socket()
        self._outside = new_socket()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._inside, self._up)
        self._loop.add_reader(self._outside, self._down)

    @property
    def address(self) -> tuple[str, int]:
        """Where the client sends to."""
        host, port = self._inside.getsockname()
        return host, port

    def rebind(self) -> socket.socket:
        """Go on from a new port; return the old socket, on which nobody listens any more."""
        old, self._outside = self._outside, new_socket()
        self._loop.remove_reader(old)
        self._loop.add_reader(self._outside, self._down)
        return old

    def close(self) -> None:
        for sock in (self._inside, self._outside):
            self._loop.remove_reader(sock)
            sock.close()

    def _up(self) -> None:
        data, self._client = self._inside.recvfrom(DATAGRAM_BYTES_MAX)
        self._outside.sendto(data, self._server)

    def _down(self) -> None:
        data = self._outside.recv(DATAGRAM_BYTES_MAX)
        if self._client is not None:
            self._inside.sendto(data, self._client)


class Behind(RawPeer):
    """A peer whose datagrams go through the box."""

    box: Rebinding | None = None

    def send(self, data: bytes) -> None:
        assert self.box is not None
        self.sock.sendto(data, self.box.address)


async def test_media_is_back_within_a_second_of_the_first_check_from_the_new_port(
    server: Server,
) -> None:
    host, _ = await server.publisher()
    viewer = Behind()
    await server.open("whep", user="v", role="viewer", peer=viewer)
    viewer.box = Rebinding(viewer.server)
    await viewer.connect()

    async def film() -> None:
        for sequence in range(1, 60_000):
            host.send_rtp(rtp(sequence))
            await asyncio.sleep(INTERVAL_S)

    filming = asyncio.ensure_future(film())
    try:
        before = await viewer.receive_rtp()
        viewer.box.rebind().close()
        # What was under way comes; then the old port's end of the path is dead.
        while not await viewer.is_silent():
            pass
        began = time.monotonic()
        viewer.send(viewer.check())
        after = await viewer.receive_rtp(BACK_S)
        assert time.monotonic() - began < BACK_S
        assert after[8:12] == before[8:12], "the stream's SSRC stays"
        assert server.kinds().count("session_opened") == 2
    finally:
        filming.cancel()
        viewer.box.close()
