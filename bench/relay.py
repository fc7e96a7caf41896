"""A UDP relay that treats real datagrams as a bad path would, both ways, by a seed.

Clients send to `address` instead of the server's; each gets a socket of its own towards the
server, which so sees as many addresses as there are clients. In: datagrams. Out: the same,
late, in another order, or not at all, as `bench.path` decides. It reads nothing in them.
"""

import asyncio
import heapq
import socket
from collections.abc import Callable
from random import Random
from typing import final

from bench.path import Path, Quality

DATAGRAM_BYTES_MAX = 2048
BUFFER_BYTES = 4 * 1024 * 1024
CLIENTS_MAX = 1_000
"""Sockets a relay opens; datagrams of further clients are dropped."""
UNDER_WAY_MAX = 100_000
"""Datagrams on the paths at once; further ones are lost, as in a full queue."""

Address = tuple[str, int]


@final
class _Client:
    """One client's two paths and its socket towards the server."""

    __slots__ = ("down", "sock", "up")

    def __init__(self, sock: socket.socket, up: Path, down: Path) -> None:
        self.sock = sock
        self.up = up
        self.down = down


@final
class Relay:
    """Between clients and one server, on loopback.

    Args:
        server: where the datagrams of clients go.
        up: the path from a client to the server.
        down: the way back.
        seed: the n-th client's two paths are drawn from it and n.

    """

    def __init__(self, server: Address, *, up: Quality, down: Quality, seed: int) -> None:
        self._server = server
        self._up, self._down = up, down
        self._seed = seed
        self._clients: dict[Address, _Client] = {}
        self._front = _open()
        self._heap: list[tuple[float, int, Callable[[bytes], object], bytes]] = []
        self._serial = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def address(self) -> Address:
        """Where clients send to."""
        host, port = self._front.getsockname()[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Begin to read; called on the event loop that carries it."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._front.fileno(), self._from_clients)

    def close(self) -> None:
        """Close all sockets; what is under way is lost."""
        if self._timer is not None:
            self._timer.cancel()
        for sock in (self._front, *(client.sock for client in self._clients.values())):
            if self._loop is not None:
                self._loop.remove_reader(sock.fileno())
            sock.close()
        self._heap.clear()

    def counted(self) -> dict[str, int]:
        """Return how many datagrams passed and were lost, each way."""
        clients = self._clients.values()
        return {
            "passed up": sum(client.up.passed for client in clients),
            "lost up": sum(client.up.lost for client in clients),
            "passed down": sum(client.down.passed for client in clients),
            "lost down": sum(client.down.lost for client in clients),
        }

    def _from_clients(self) -> None:
        for data, address in _all_of(self._front):
            client = self._clients.get(address) or self._meet(address)
            if client is not None:
                self._carry(client.up, data, client.sock.send)

    def _from_server(self, client: _Client, address: Address) -> None:
        for data, _ in _all_of(client.sock):
            self._carry(client.down, data, lambda d: self._front.sendto(d, address))

    def _meet(self, address: Address) -> _Client | None:
        if len(self._clients) >= CLIENTS_MAX:
            return None
        assert self._loop is not None
        sock = _open()
        sock.connect(self._server)
        number = len(self._clients)
        client = self._clients[address] = _Client(
            sock,
            Path(self._up, Random(f"{self._seed} {number} up")),
            Path(self._down, Random(f"{self._seed} {number} down")),
        )
        self._loop.add_reader(sock.fileno(), self._from_server, client, address)
        return client

    def _carry(self, path: Path, data: bytes, deliver: Callable[[bytes], object]) -> None:
        assert self._loop is not None
        at = path.fate(self._loop.time())
        if at is None or len(self._heap) >= UNDER_WAY_MAX:
            return
        self._serial += 1
        heapq.heappush(self._heap, (at, self._serial, deliver, data))
        if self._heap[0][1] == self._serial:
            self._arm(at)

    def _arm(self, at: float) -> None:
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._deliver)

    def _deliver(self) -> None:
        assert self._loop is not None
        self._timer = None
        now = self._loop.time()
        while self._heap and self._heap[0][0] <= now:
            _, _, deliver, data = heapq.heappop(self._heap)
            try:
                deliver(data)
            except OSError:
                # The far end's socket is closed or full: as good as lost.
                continue
        if self._heap:
            self._arm(self._heap[0][0])


def _open() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    return sock


def _all_of(sock: socket.socket) -> list[tuple[bytes, Address]]:
    found: list[tuple[bytes, Address]] = []
    while True:
        try:
            data, address = sock.recvfrom(DATAGRAM_BYTES_MAX)
        except BlockingIOError:
            return found
        except OSError:
            # An ICMP error of an earlier send.
            continue
        found.append((data, address))
