"""Several processes behind one websocket address: started, watched, restarted, stopped together.

The first is the whole node. The others take websockets on the same port (SO_REUSEPORT spreads
them) and have HTTP and media on private ports that nobody is told; all meet on the shared
store and bus. The supervisor serves nothing itself.
"""

import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Final

from prometheus_client.multiprocess import mark_process_dead

from liveroom.app.derived import reachable
from liveroom.config import Address, Config
from liveroom.observe import logger

STOP_S_MAX: Final = 25.0
"""A worker that has not drained by then is killed."""
RESTART_S: Final = 0.2
RESTART_S_MAX: Final = 5.0
"""The pause before a dead worker is started again; it doubles while it keeps dying."""
STEADY_S: Final = 60.0
"""A worker that lived for so long died by accident, not by its settings."""
METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Tells the metrics' library where processes share their figures (its own variable)."""

WORKER_MARK: Final = "-worker"
"""Stands between a node's name and the number of a process in it."""

_log = logger(__name__)

Serve = Callable[[Config], None]


@dataclass(slots=True)
class _Worker:
    config: Config
    process: SpawnProcess
    started_at: float
    deaths: int = 0
    restart_at: float | None = None


def worker_config(config: Config, index: int) -> Config:
    """Say how the worker of a number is to run; 0 is the whole node."""
    scheme, sockets = ("https", "wss") if config.tls else ("http", "ws")
    told = replace(
        config,
        public_url=config.public_url
        or f"{scheme}://{reachable(config.http.host)}:{config.http.port}",
        gateway_url=config.gateway_url
        or f"{sockets}://{reachable(config.gateway.host)}:{config.gateway.port}/v1/ws",
    )
    if index == 0:
        return told
    private = Address("127.0.0.1", 0)
    return replace(
        told,
        http=private,
        media=private,
        media_workers=1,
        node=f"{config.node}{WORKER_MARK}{index}",
    )


def living_workers(node: str, processes: Iterable[str]) -> int:
    """Count a node's own processes among all that are heard on the bus (NODE/ID)."""
    names = {process.rpartition("/")[0] for process in processes}
    return sum(name == node or name.startswith(node + WORKER_MARK) for name in names)


def supervise(config: Config, serve: Serve) -> int:
    """Run the workers until SIGTERM or SIGINT; the exit status is 1 when they could not start."""
    with ExitStack() as stack:
        # Bound but not listening: it keeps the port ours while workers come and go.
        kept = stack.enter_context(_reserve(config.gateway))
        config = replace(config, gateway=Address(config.gateway.host, kept.getsockname()[1]))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="liveroom-metrics-"))
        os.environ[METRICS_FOLDER] = folder
        return _Supervisor(config, serve).run()


def _reserve(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    kept = socket.socket(family, socket.SOCK_STREAM)
    try:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind((address.host, address.port))
    except OSError:
        kept.close()
        raise
    return kept


class _Supervisor:
    def __init__(self, config: Config, serve: Serve) -> None:
        self._serve = serve
        self._context = multiprocessing.get_context("spawn")
        self._stopping = False
        self._workers = [
            self._start(worker_config(config, index)) for index in range(config.workers)
        ]

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            self._wait()
            for worker in self._workers:
                if not self._look_after(worker):
                    self._end()
                    return 1
        self._end()
        return 0

    def _start(self, config: Config) -> _Worker:
        process = self._context.Process(target=self._serve, args=(config,), name=config.node)
        process.start()
        return _Worker(config, process, time.monotonic())

    def _wait(self) -> None:
        """Sleep until a worker dies, one is to be started again, or a signal comes."""
        due = [worker.restart_at for worker in self._workers if worker.restart_at is not None]
        living = [worker.process.sentinel for worker in self._workers if worker.restart_at is None]
        pause_s = max(0.0, min(due) - time.monotonic()) if due else 1.0
        with suppress(InterruptedError):
            wait(living, timeout=min(pause_s, 1.0))

    def _look_after(self, worker: _Worker) -> bool:
        """Restart a dead worker in time; False when it dies of what will not change."""
        now = time.monotonic()
        if worker.restart_at is not None:
            if now >= worker.restart_at:
                fresh = self._start(worker.config)
                worker.process, worker.started_at = fresh.process, fresh.started_at
                worker.restart_at = None
            return True
        if worker.process.is_alive() or self._stopping:
            return True
        if worker.process.pid is not None:  # its open sockets are counted no more
            mark_process_dead(worker.process.pid, os.environ[METRICS_FOLDER])  # type: ignore[no-untyped-call]
        lived_s, status = now - worker.started_at, worker.process.exitcode
        _log.error("worker died", node=worker.config.node, status=status, lived_s=round(lived_s, 1))
        if lived_s < STEADY_S and status is not None and status > 0 and worker.deaths == 0:
            return False  # it said itself why it cannot start
        worker.deaths = 1 if lived_s >= STEADY_S else worker.deaths + 1
        worker.restart_at = now + min(RESTART_S_MAX, RESTART_S * 2.0 ** (worker.deaths - 1))
        return True

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _end(self) -> None:
        """Let all drain at once, then make sure of it."""
        deadline = time.monotonic() + STOP_S_MAX
        for worker in self._workers:
            if worker.process.is_alive():
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                _log.error("worker did not drain", node=worker.config.node)
                worker.process.kill()
                worker.process.join()
