"""`python -m bench.crowd`: many light viewers in a process of their own, told what to do by pipe.

In: one JSON line that says where and how many (`Orders`), then a word a line: `count`,
`record`, `recorded`, `quit`. Out: a JSON line for each. Also the sockets that the bare loops
of `bench.bare` send to: `python -m bench.crowd sink N`.
"""

import asyncio
import json
import selectors
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from bench.janus import JanusViewer
from bench.light import EntryFailed, Factory, LightViewer
from bench.server import UnderTest

CONNECTIONS_MAX = 100


@dataclass(frozen=True, slots=True)
class Orders:
    """Where the crowd goes, and how fast."""

    url: str
    room: str
    secret: str | None
    viewers: int
    rate_per_s: float
    timeout_s: float
    at_janus: bool = False
    """`url` is Janus' HTTP interface."""
    without_media: bool = False
    """Nobody publishes: being connected is all."""
    prefix: str = "crowd"
    """Of the viewers' names."""


class Crowd:
    """All viewers of this process."""

    def __init__(self, orders: Orders, http: httpx.AsyncClient) -> None:
        self._orders = orders
        self._http = http
        self._test = UnderTest(orders.url, orders.room, orders.secret)
        self._factory = Factory()
        self._viewers: list[LightViewer] = []
        self._failures: Counter[str] = Counter()

    async def enter(self) -> dict[str, Any]:
        """Let all in; each then only counts."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(self._orders.viewers):
                due = began + number / self._orders.rate_per_s
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(self._enter_one(number))
        return {
            "viewers": len(self._viewers),
            "failures": dict(self._failures),
            "entered_ms": [max(each.steps.done_s.values()) * 1e3 for each in self._viewers],
        }

    async def _enter_one(self, number: int) -> None:
        orders = self._orders
        viewer = self._viewer(number)
        if orders.without_media:
            viewer.awaited = ("ice", "dtls")
        try:
            await viewer.enter(timeout_s=orders.timeout_s)
        except EntryFailed as failed:
            self._failures[f"{failed.step}: {failed.reason}"] += 1
            return
        viewer.drain()
        self._viewers.append(viewer)

    def _viewer(self, number: int) -> LightViewer:
        orders = self._orders
        if orders.at_janus:
            return JanusViewer(self._factory, self._http, orders.url)
        token = self._test.token(f"{orders.prefix}-{number:05d}")
        return LightViewer(self._factory, self._http, orders.url, orders.room, token)

    def answer(self, word: str) -> dict[str, Any]:
        """Do what a line asks for."""
        first = self._viewers[0] if self._viewers else None
        match word, first:
            case "record", LightViewer():
                first.arrivals = []
            case "recorded", LightViewer():
                arrivals, first.arrivals = first.arrivals, None
                return {"arrivals": arrivals or []}
        return {
            "packets": sum(viewer.packets for viewer in self._viewers),
            "bytes": sum(viewer.bytes for viewer in self._viewers),
            "gap_s": self._longest_gap_s(),
        }

    def _longest_gap_s(self) -> float:
        """Return the longest time any viewer got nothing since this was asked before."""
        longest = max((viewer.gap_s for viewer in self._viewers), default=0.0)
        for viewer in self._viewers:
            viewer.gap_s = 0.0
        return longest

    async def leave(self) -> None:
        """End all sessions."""
        await asyncio.gather(*(viewer.leave() for viewer in self._viewers), return_exceptions=True)


async def _main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    orders = Orders(**json.loads(await reader.readline()))
    limits = httpx.Limits(max_connections=CONNECTIONS_MAX)
    async with httpx.AsyncClient(timeout=orders.timeout_s, limits=limits, trust_env=False) as http:
        crowd = Crowd(orders, http)
        try:
            _say(await crowd.enter())
            while (word := (await reader.readline()).decode().strip()) not in ("", "quit"):
                _say(crowd.answer(word))
        finally:
            await crowd.leave()


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def _sink(count: int) -> None:
    """Read and forget what comes to so many sockets, until killed."""
    watched = selectors.DefaultSelector()
    ports = []
    for _ in range(count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        watched.register(sock, selectors.EVENT_READ, sock.recv_into)
        ports.append(sock.getsockname()[1])
    _say({"ports": ports})
    buffer = bytearray(2048)
    while True:
        for key, _ in watched.select():
            try:
                while True:
                    key.data(buffer)
            except BlockingIOError:
                pass


def orders_line(orders: Orders) -> str:
    """Write the first line."""
    return json.dumps(asdict(orders)) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["sink"]:
        _sink(int(sys.argv[2]))
    else:
        asyncio.run(_main())
