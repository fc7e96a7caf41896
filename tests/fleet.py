"""Several `liveroom serve` processes on one PostgreSQL and one Redis, behind a load balancer.

Each node reaches Redis over a wire of its own, so that a test can part it from the others.
"""

import asyncio
import itertools
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from liveroom.store.database import upgrade
from tests.postgres import cluster
from tests.server import RunningServer, end, environment_for, launch, wait_ready
from tests.waiting import wait_until
from tests.wire import Wire, Wires, wires

LOOK_EVERY_S = 0.2
READY_WITHIN_S = 180
"""Several servers start at once, on a machine that may be busy."""


@dataclass
class Node:
    """One process with its wire to Redis."""

    server: RunningServer
    wire: Wire | None

    @property
    def http_port(self) -> int:
        return int(self.server.environment["LIVEROOM_HTTP"].rpartition(":")[2])

    @property
    def gateway_port(self) -> int:
        return int(self.server.environment["LIVEROOM_GATEWAY"].rpartition(":")[2])

    @property
    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.server.base}/readyz", timeout=1).status_code == 200
        except httpx.TransportError:
            return False

    def ready_parts(self) -> dict[str, str]:
        parts: dict[str, str] = httpx.get(f"{self.server.base}/readyz", timeout=2).json()["parts"]
        return parts

    def restart(self) -> None:
        self.server = launch(self.server.environment, self.server.log)


@dataclass
class Fleet:
    """The nodes, and the addresses in front of them."""

    nodes: list[Node]
    base: str
    healthy: set[int] = field(default_factory=set)
    _turn: Any = field(default_factory=itertools.count)

    @property
    def any(self) -> RunningServer:
        return next(node.server for node in self.nodes if node.server.process.poll() is None)

    def choose(self) -> list[Node]:
        """List nodes to try: the next healthy one, then the others."""
        turn = next(self._turn)
        order = [(turn + step) % len(self.nodes) for step in range(len(self.nodes))]
        return [self.nodes[index] for index in order if index in self.healthy]

    def look(self) -> None:
        """Ask each node whether it wants traffic, as a load balancer does."""
        for index, node in enumerate(self.nodes):
            (self.healthy.add if node.is_ready else self.healthy.discard)(index)


@contextmanager
def fleet(
    folder: Path,
    count: int,
    redis_port: int | None,
    *,
    bus: str | None = None,
    settings: dict[str, str] | None = None,
) -> Iterator[Fleet]:
    """Run nodes on a fresh database; `bus` replaces the wire to one Redis server."""
    with ExitStack() as stack:
        store = stack.enter_context(upgraded())
        made = stack.enter_context(wires())
        secret = secrets.token_hex(32)
        nodes = [
            _node(folder, index, made, redis_port, bus, store, secret, settings or {})
            for index in range(count)
        ]
        for node in nodes:
            stack.callback(lambda node=node: end(node.server))
        found = Fleet(nodes, "")
        http = made.make(lambda: [node.http_port for node in found.choose()])
        gateway = made.make(lambda: [node.gateway_port for node in found.choose()])
        found.base = f"http://127.0.0.1:{http.port}"
        for node in nodes:
            node.server.environment["LIVEROOM_GATEWAY_URL"] = f"ws://127.0.0.1:{gateway.port}/v1/ws"
            node.restart()
        for node in nodes:
            wait_ready(node.server, seconds=READY_WITHIN_S)
        _look_after(stack, found)
        wait_until(lambda: len(found.healthy) == count, seconds=10, what="healthy nodes")
        yield found


@contextmanager
def upgraded() -> Iterator[str]:
    """Run a PostgreSQL with an empty, migrated database; its address."""
    with cluster() as running:
        running.statement("CREATE DATABASE live")
        store = running.url("live")
        runner = threading.Thread(target=lambda: asyncio.run(upgrade(store)))
        runner.start()
        runner.join()
        yield store


def _node(
    folder: Path,
    index: int,
    made: Wires,
    redis_port: int | None,
    bus: str | None,
    store: str,
    secret: str,
    settings: dict[str, str],
) -> Node:
    wire = made.to(redis_port) if redis_port is not None else None
    address = bus or (f"redis://127.0.0.1:{wire.port}" if wire is not None else "local:")
    environment = environment_for(folder) | {
        "LIVEROOM_STORE": store,
        "LIVEROOM_BUS": address,
        "LIVEROOM_SECRET": secret,
        "LIVEROOM_NODE": f"node{index}",
        **settings,
    }
    unborn: Any = None  # launched when the balancer's address is known
    server = RunningServer(
        base=f"http://{environment['LIVEROOM_HTTP']}",
        gateway=f"ws://{environment['LIVEROOM_GATEWAY']}/v1/ws",
        secret=secret,
        environment=environment,
        process=unborn,
        log=folder / f"node{index}.log",
    )
    return Node(server, wire)


def _look_after(stack: ExitStack, found: Fleet) -> None:
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(LOOK_EVERY_S):
            found.look()

    found.look()
    looking = threading.Thread(target=run, name="balancer")
    looking.start()
    stack.callback(looking.join)
    stack.callback(stop.set)


def clean_logs(nodes: Sequence[Node]) -> list[str]:
    """List the lines of errors that the nodes wrote, the bus' own warnings apart."""
    return [
        line
        for node in nodes
        for line in node.server.log.read_text().splitlines()
        if '"level": "error"' in line
    ]
