"""A narrow link in front of a media server, run as a program by tests: downwards only.

Prints its port; reads a new rate in bit/s from each line of stdin. Clients send to it instead of
the server. What waits longer than a queue of `QUEUE_S` would hold is dropped, as routers do.
"""

import asyncio
import socket
import sys

QUEUE_S = 0.15
DATAGRAM_BYTES_MAX = 2048
HEADERS_BYTES = 28
"""IP and UDP."""


class Throttle:
    """One client's link; `busy_until` is when the last datagram in the queue has left."""

    def __init__(self, host: str, port: int, rate_bps: float) -> None:
        self.rate_bps = rate_bps
        self._loop = asyncio.get_running_loop()
        self._busy_until = 0.0
        self._client: tuple[str, int] | None = None
        self._front, self._back = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
        for sock in (self._front, self._back):
            sock.setblocking(False)
        self._front.bind((host, 0))
        self._back.connect((host, port))
        self._loop.add_reader(self._front, self._up)
        self._loop.add_reader(self._back, self._down)
        self.port = self._front.getsockname()[1]

    def _up(self) -> None:
        data, self._client = self._front.recvfrom(DATAGRAM_BYTES_MAX)
        self._back.send(data)

    def _down(self) -> None:
        data = self._back.recv(DATAGRAM_BYTES_MAX)
        now = self._loop.time()
        begins = max(now, self._busy_until)
        if begins - now > QUEUE_S or self._client is None:
            return
        self._busy_until = begins + (len(data) + HEADERS_BYTES) * 8 / self.rate_bps
        self._loop.call_at(self._busy_until, self._front.sendto, data, self._client)


async def main() -> None:
    host, port, rate_bps = sys.argv[1:]
    throttle = Throttle(host, int(port), float(rate_bps))
    print(throttle.port, flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        throttle.rate_bps = float(line)


if __name__ == "__main__":
    asyncio.run(main())
