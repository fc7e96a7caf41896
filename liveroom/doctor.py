"""`liveroom doctor`: look at the machine and the settings, say what to do; change nothing.

Each check is a function that returns a `Finding`; the table shows them all, and one fatal
finding makes the exit code 1. It must not need a running server.
"""

import asyncio
import contextlib
import os
import platform
import resource
import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from liveroom.bus.address import BusAddress, parse
from liveroom.bus.topology import Topology, client_for
from liveroom.config import Address, Config
from sfu.app import fanout_obstacle

UDP_SEGMENT: Final = 103
"""Socket option of Linux' UDP generic segmentation offload (linux/udp.h)."""
SOCKET_BUFFER_BYTES: Final = 8 * 1024 * 1024
"""What the media socket asks for; the kernel gives up to its own limit."""
SOCKET_BUFFER_BYTES_LEAST: Final = 1024 * 1024
FILES_LEAST: Final = 4_096
FILES_WANTED: Final = 65_536
DISK_BYTES_LEAST: Final = 200 * 1024 * 1024
DISK_BYTES_WANTED: Final = 2 * 1024 * 1024 * 1024
CLOCK_EARLIEST: Final = 1_735_689_600
"""2025 began then: a clock before that would refuse every token."""
CONNECT_TIMEOUT_S: Final = 3.0
REDIS_LEAST: Final = (7,)
WAL_BUG_FIRST: Final = (3, 7, 0)
WAL_FIXED: Final = ((3, 44, 6), (3, 50, 7), (3, 51, 3))


class Verdict(StrEnum):
    """How a check ended; only `FATAL` keeps the server from running."""

    GOOD = "ok"
    NOTE = "note"
    WARNING = "warning"
    FATAL = "fatal"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw, and what to do about it (empty when nothing is to be done)."""

    subject: str
    verdict: Verdict
    seen: str
    advice: str = ""


def run(config: Config) -> int:
    """Print all findings; 1 if one of them is fatal."""
    findings = list(examine(config))
    _show(findings, Console())
    return int(any(finding.verdict is Verdict.FATAL for finding in findings))


def examine(config: Config) -> Iterator[Finding]:
    """Make all checks."""
    yield _port("HTTP", config.http, socket.SOCK_STREAM)
    yield _port("gateway", config.gateway, socket.SOCK_STREAM)
    for number in range(config.media_workers):
        port = config.media.port + number if config.media.port else 0
        yield _port("media", Address(config.media.host, port), socket.SOCK_DGRAM)
    yield segmentation_offload()
    yield socket_buffers()
    yield native_fast_path()
    yield sqlite_version(sqlite3.sqlite_version_info, used=config.store.startswith("sqlite:"))
    yield _store(config.store)
    yield _bus(config.bus)
    yield clock(time.time())
    yield _disk(config.store)
    yield open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield _keys(config)
    yield _pages()


def _show(findings: list[Finding], console: Console) -> None:
    colours = {
        Verdict.GOOD: "green",
        Verdict.NOTE: "cyan",
        Verdict.WARNING: "yellow",
        Verdict.FATAL: "bold red",
    }
    table = Table(show_lines=False)
    for title in ("check", "", "seen", "what to do"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        verdict = f"[{colours[finding.verdict]}]{finding.verdict}[/]"
        table.add_row(finding.subject, verdict, finding.seen, finding.advice)
    console.print(table)


def _port(subject: str, address: Address, kind: socket.SocketKind) -> Finding:
    name = f"{subject} {'UDP' if kind == socket.SOCK_DGRAM else 'TCP'}"
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            flag = "--" + subject.lower()
            return Finding(
                name,
                Verdict.FATAL,
                f"{address}: {error.strerror}",
                f"Stop what listens there, or choose another address with {flag}.",
            )
    return Finding(name, Verdict.GOOD, f"{address} is free")


def segmentation_offload() -> Finding:
    """Ask the kernel for UDP segmentation offload, the largest single saving in sending."""
    name = "UDP segmentation offload"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1_200)
        except OSError:
            return Finding(
                name,
                Verdict.WARNING,
                f"the kernel {platform.release()} has none",
                "Media costs about twice the CPU; Linux 4.18 or later has it.",
            )
    return Finding(name, Verdict.GOOD, f"Linux {platform.release()}")


def socket_buffers() -> Finding:
    """See how large a receive buffer the kernel grants."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
        # Linux reports twice what it grants (man 7 socket).
        granted = probe.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    seen = f"{granted // 1024} KiB granted"
    if granted >= SOCKET_BUFFER_BYTES:
        return Finding("socket buffers", Verdict.GOOD, seen)
    verdict = Verdict.NOTE if granted >= SOCKET_BUFFER_BYTES_LEAST else Verdict.WARNING
    advice = (
        f"Bursts may be lost: sysctl -w net.core.rmem_max={SOCKET_BUFFER_BYTES} "
        f"net.core.wmem_max={SOCKET_BUFFER_BYTES}"
    )
    return Finding("socket buffers", verdict, seen, advice)


def native_fast_path() -> Finding:
    """Say which fan-out sends the media."""
    why_not = fanout_obstacle()
    if why_not is None:
        return Finding("native fast path", Verdict.GOOD, "the native fan-out sends")
    return Finding(
        "native fast path",
        Verdict.NOTE,
        f"the fan-out runs in Python: {why_not}",
        "Media costs about twice the CPU. With a C compiler and Python's headers "
        "(apt-get install gcc python3-dev), install again.",
    )


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Tell whether two connections in WAL mode can lose commits in this SQLite."""
    if version < WAL_BUG_FIRST or version >= WAL_FIXED[-1]:
        return False
    return not any(version[:2] == fixed[:2] and version >= fixed for fixed in WAL_FIXED)


def sqlite_version(version: tuple[int, ...], *, used: bool) -> Finding:
    """Judge the linked SQLite."""
    name = "SQLite"
    text = ".".join(map(str, version))
    if not used:
        return Finding(name, Verdict.GOOD, f"{text}, not used")
    if has_wal_reset_bug(version):
        return Finding(
            name,
            Verdict.NOTE,
            f"{text} has the WAL-reset bug",
            "Safe here: one process, one connection, a lock file. Never open the file with "
            "another program while the server runs, or link 3.51.3, 3.50.7 or 3.44.6.",
        )
    return Finding(name, Verdict.GOOD, text)


def _store(url: str) -> Finding:
    if url.startswith("sqlite:///"):
        return _sqlite_store(_sqlite_file(url))
    parts = urlsplit(url)
    reached = asyncio.run(_reaches(parts.hostname or "localhost", parts.port or 5432))
    shown = f"{parts.hostname}:{parts.port or 5432}"
    if reached:
        return Finding("store", Verdict.GOOD, f"PostgreSQL answers at {shown}")
    return Finding(
        "store",
        Verdict.FATAL,
        f"nothing answers at {shown}",
        "Start PostgreSQL or correct --store.",
    )


def _sqlite_file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _sqlite_store(file: Path) -> Finding:
    folder = file.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return Finding(
            "store",
            Verdict.FATAL,
            f"{folder} cannot be written",
            "Create the folder, or name another file with --store sqlite:///PATH.",
        )
    if not file.exists():
        return Finding("store", Verdict.GOOD, f"{file} will be made at the first start")
    try:
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        verdict = str(error)
    if verdict == "ok":
        return Finding("store", Verdict.GOOD, f"{file} is whole")
    return Finding(
        "store", Verdict.FATAL, f"{file}: {verdict}", "Restore it from a backup before starting."
    )


async def _reaches(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _bus(bus: str) -> Finding:
    if bus == "local:":
        return Finding("bus", Verdict.GOOD, "in this process: one node")
    address = parse(bus)
    try:
        versions = asyncio.run(_redis_versions(address))
    except (RedisError, OSError) as error:
        return Finding(
            "bus",
            Verdict.FATAL,
            f"{address}: {error}",
            "Start Redis, or correct --bus (host, port, password, Sentinel's master name).",
        )
    oldest = min(versions.values(), key=_numbers)
    seen = ", ".join(f"Redis {version} at {server}" for server, version in versions.items())
    if _numbers(oldest)[:1] < REDIS_LEAST:
        return Finding("bus", Verdict.FATAL, seen, "Redis 7 or later has sharded pub/sub.")
    return Finding("bus", Verdict.GOOD, seen)


async def _redis_versions(address: BusAddress) -> dict[str, str]:
    """Ask each server that owns a part of the bus."""
    versions = {}
    for server in sorted(set(await Topology(address).owners()), key=str):
        client = client_for(server, address)
        try:
            versions[str(server)] = str((await client.info("server"))["redis_version"])
        finally:
            await client.aclose()
    return versions


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def clock(now: float) -> Finding:
    """Judge the wall clock; tokens and payment notices are only as good as it is."""
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < CLOCK_EARLIEST:
        return Finding("clock", Verdict.FATAL, shown, "Set it: every token would be refused.")
    return Finding("clock", Verdict.GOOD, shown)


def _disk(store: str) -> Finding:
    folder = _sqlite_file(store).parent if store.startswith("sqlite:") else Path.cwd()
    if not folder.is_dir():
        return Finding("disk", Verdict.WARNING, f"{folder} does not exist", "Create it.")
    free = shutil.disk_usage(folder).free
    seen = f"{free / 1024**3:.1f} GiB free in {folder.resolve()}"
    if free < DISK_BYTES_LEAST:
        return Finding("disk", Verdict.FATAL, seen, "Make room: the store could not be written.")
    if free < DISK_BYTES_WANTED:
        return Finding("disk", Verdict.WARNING, seen, "Make room soon.")
    return Finding("disk", Verdict.GOOD, seen)


def open_files(limit: int) -> Finding:
    """Judge how many sockets the process may hold."""
    seen = "unlimited" if limit == resource.RLIM_INFINITY else f"{limit:,} open files"
    if limit == resource.RLIM_INFINITY or limit >= FILES_WANTED:
        return Finding("open files", Verdict.GOOD, seen)
    verdict = Verdict.NOTE if limit >= FILES_LEAST else Verdict.WARNING
    return Finding(
        "open files",
        verdict,
        seen,
        f"Each viewer takes one: ulimit -n {FILES_WANTED}, or LimitNOFILE= in the unit.",
    )


def _keys(config: Config) -> Finding:
    if config.secret is not None or config.jwks is not None:
        return Finding("token keys", Verdict.GOOD, "set")
    return Finding(
        "token keys",
        Verdict.WARNING,
        "none",
        "The server will not start: set LIVEROOM_SECRET to 32 random bytes or more.",
    )


def _pages() -> Finding:
    index = Path(__file__).parent / "web" / "dist" / "index.html"
    if index.is_file():
        return Finding("web pages", Verdict.GOOD, "built")
    return Finding("web pages", Verdict.WARNING, "not built", "Run: make install")
