"""Real Redis servers for the tests: started on free ports, stopped, frozen and killed here."""

import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hiredis

from tests.waiting import wait_until

STARTS_WITHIN_S = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class RedisServer:
    """One server process; `start` brings a killed one back on its port, with what it had saved."""

    folder: Path
    port: int
    command: Sequence[str]
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                list(self.command), cwd=self.folder, stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(self.answers, seconds=STARTS_WITHIN_S, what=f"redis on {self.port}")

    def answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        try:
            return self.call("PING") == "PONG"
        except OSError:
            return False

    def call(self, *words: str) -> Any:
        """Ask one command on a connection of its own."""
        reader = hiredis.Reader(encoding="utf8")
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(hiredis.pack_command(words))
            while (reply := reader.gets()) is False:
                data = connection.recv(65_536)
                if not data:
                    raise ConnectionResetError
                reader.feed(data)
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)


@contextmanager
def redis_server(*options: str) -> Iterator[RedisServer]:
    """Run a server for as long as the block lasts; it keeps nothing on the disk."""
    folder = Path(tempfile.mkdtemp(prefix="liveroom-redis-"))
    port = free_port()
    plain = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = RedisServer(folder, port, [*plain, "--appendonly", "no", *options])
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Guarded:
    """A master, its replica, and three Sentinels that watch them."""

    master: RedisServer
    replica: RedisServer
    sentinels: list[RedisServer]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        return f"redis+sentinel://{hosts}/live"

    def master_port(self) -> int:
        """Ask the first Sentinel who is master now."""
        return int(self.sentinels[0].call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "live")[1])


@contextmanager
def guarded_redis() -> Iterator[Guarded]:
    """Run master, replica and Sentinels that fail over within about two seconds."""
    with ExitStack() as stack:
        master = stack.enter_context(redis_server())
        replica = stack.enter_context(
            redis_server(
                "--replicaof", f"127.0.0.1 {master.port}", "--repl-diskless-sync-delay", "0"
            )
        )
        sentinels = []
        for _ in range(3):
            folder = Path(tempfile.mkdtemp(prefix="liveroom-sentinel-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            port = free_port()
            (folder / "sentinel.conf").write_text(
                f"port {port}\nbind 127.0.0.1\n"
                f"sentinel monitor live 127.0.0.1 {master.port} 2\n"
                "sentinel down-after-milliseconds live 1000\n"
                "sentinel failover-timeout live 5000\n"
            )
            command = ["redis-sentinel", str(folder / "sentinel.conf")]
            sentinel = RedisServer(folder, port, command)
            sentinel.start()
            stack.callback(sentinel.stop)
            sentinels.append(sentinel)
        wait_until(
            lambda: (
                "state=online" in master.call("INFO", "replication")
                and all(_watches(sentinel) for sentinel in sentinels)
            ),
            seconds=STARTS_WITHIN_S,
            what="sentinels that know each other and the replica",
        )
        yield Guarded(master, replica, sentinels)


def _watches(sentinel: RedisServer) -> bool:
    told = sentinel.call("SENTINEL", "MASTER", "live")
    known = dict(zip(told[::2], told[1::2], strict=True))
    return known["num-slaves"] == "1" and known["num-other-sentinels"] == "2"


@contextmanager
def redis_cluster(masters: int = 3) -> Iterator[list[RedisServer]]:
    """Run a cluster of masters, their slots shared out evenly."""
    with ExitStack() as stack:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
        servers = [
            stack.enter_context(redis_server(*options, "--cluster-port", str(free_port())))
            for _ in range(masters)
        ]
        hosts = [f"127.0.0.1:{server.port}" for server in servers]
        create = ["redis-cli", "--cluster", "create", *hosts, "--cluster-yes"]
        done = subprocess.run(create, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        wait_until(
            lambda: all("cluster_state:ok" in one.call("CLUSTER", "INFO") for one in servers),
            seconds=STARTS_WITHIN_S,
            what="a cluster whose nodes agree",
        )
        yield servers


def cluster_url(servers: Sequence[RedisServer]) -> str:
    return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in servers)
