"""Processes behind one address: all are used, a dead one comes back, one SIGTERM ends all."""

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.evening import evening
from tests.fleet import READY_WITHIN_S, upgraded
from tests.redis import redis_server
from tests.server import RunningServer, end, environment_for, launch, wait_ready
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]

WORKERS = 2
ENDS_WITHIN_S = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with redis_server() as redis, upgraded() as store:
        environment = environment_for(tmp_path) | {
            "LIVEROOM_STORE": store,
            "LIVEROOM_BUS": redis.url,
            "LIVEROOM_WORKERS": str(WORKERS),
            "LIVEROOM_NODE": "one",
        }
        running = launch(environment, tmp_path / "server.log")
        try:
            wait_ready(running, seconds=READY_WITHIN_S)
            yield running
        finally:
            end(running)


def children(server: RunningServer) -> dict[int, int]:
    """List the processes that serve, with how many websockets each has taken."""
    text = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    port = int(server.environment["LIVEROOM_GATEWAY"].rpartition(":")[2])
    return {
        int(pid): _established(int(pid), port)
        for pid in text.split()
        if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()
    }


def _established(pid: int, port: int) -> int:
    """Count a process' TCP connections on one local port (proc(5), net/tcp)."""
    wanted = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "01" and int(fields[1].rpartition(":")[2], 16) == port:
            wanted.add(f"socket:[{fields[9]}]")
    folder = Path(f"/proc/{pid}/fd")
    return sum(os.readlink(folder / name) in wanted for name in os.listdir(folder))


def connections(server: RunningServer) -> float:
    """Read how many websockets all workers together say they have."""
    shown = httpx.get(f"{server.base}/metrics", timeout=5).text
    found = re.search(r"^liveroom_gateway_connections (\S+)$", shown, re.MULTILINE)
    assert found is not None
    return float(found[1])


def parts(server: RunningServer) -> dict[str, str]:
    found: dict[str, str] = httpx.get(f"{server.base}/readyz", timeout=5).json()["parts"]
    return found


async def test_all_workers_serve_one_room_a_dead_one_returns_and_all_end_together(
    server: RunningServer,
) -> None:
    assert parts(server)["workers"] == f"{WORKERS}/{WORKERS}"
    async with evening(server, server.base, "w", givers=4, watchers=12, strict=False) as room:
        await room.reach(30)
        before = await asyncio.to_thread(children, server)
        assert len(before) == WORKERS
        assert sum(before.values()) == 16
        assert all(before.values()), before
        assert await asyncio.to_thread(connections, server) == 16
        # The youngest is no whole node: the pages and the API go on without it.
        victim = max(before)
        os.kill(victim, signal.SIGKILL)
        await room.reach(30)
        await asyncio.to_thread(
            wait_until,
            lambda: len(children(server)) == WORKERS and victim not in children(server),
            seconds=30,
            what="a new worker",
        )
        assert httpx.get(f"{server.base}/readyz").status_code == 200
        await asyncio.to_thread(
            wait_until, lambda: connections(server) == 16, seconds=20, what="all, each once"
        )
        room.stop_giving()
        await room.reach(30)
    room.check()
    left = set(children(server))
    server.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(server.process.wait, ENDS_WITHIN_S) == 0
    assert not [pid for pid in left if Path(f"/proc/{pid}").exists()]


def test_a_worker_that_cannot_start_ends_the_whole_with_its_sentence(tmp_path: Path) -> None:
    with redis_server() as redis:
        environment = environment_for(tmp_path) | {
            "LIVEROOM_STORE": "postgresql://nobody@127.0.0.1:1/none",
            "LIVEROOM_BUS": redis.url,
            "LIVEROOM_WORKERS": "2",
        }
        running = launch(environment, tmp_path / "server.log")
        assert running.process.wait(READY_WITHIN_S) == 1
        assert "PostgreSQL does not answer" in running.log.read_text()
