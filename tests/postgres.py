"""A real PostgreSQL cluster for the tests: made, started and thrown away here."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BINARIES = Path("/usr/lib/postgresql/15/bin")
STARTS_WITHIN_S = 30


@dataclass(frozen=True)
class Cluster:
    """A running cluster; its superuser needs no password from this machine."""

    folder: Path
    port: int

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def statement(self, sql: str, database: str = "postgres") -> None:
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database]
        quietly = ["-qX", "-v", "ON_ERROR_STOP=1"]
        _run([str(BINARIES / "psql"), *address, *quietly, "-c", sql])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"


def _as_postgres(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root: hand it to its own user then."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """Run a cluster for as long as the block lasts; a durable one waits for the disk."""
    folder = Path(tempfile.mkdtemp(prefix="liveroom-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    data, port = folder / "data", _free_port()
    initdb = [str(BINARIES / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
    _run(_as_postgres([*initdb, "-N", "-E", "UTF8", "--no-locale"]))
    sync = "" if durable else "-F "
    options = f"{sync}-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    control = [str(BINARIES / "pg_ctl"), "-D", str(data), "-w", "-t", str(STARTS_WITHIN_S)]
    _run(_as_postgres([*control, "-l", str(folder / "log"), "-o", options, "start"]))
    try:
        yield Cluster(folder, port)
    finally:
        _run(_as_postgres([*control, "-m", "immediate", "stop"]))
        shutil.rmtree(folder, ignore_errors=True)
