"""A server of its own for a run: `liveroom serve` and a publisher, each in its own process.

Everything listens on loopback, on ports that are free now, with a store in a fresh folder.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt

READY_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0
TOKEN_TTL_S = 3_600
HOST = "127.0.0.1"


class ServerFailed(Exception):  # noqa: N818 - said to the person who measures
    """The server under test did not come up; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class UnderTest:
    """Where the server is and how to get tokens for it.

    `pid` None = not on this machine; `media` is where its media port is, if that is known.
    """

    url: str
    room: str
    secret: str | None
    pid: int | None = None
    media: tuple[str, int] | None = None

    def token(self, user: str, role: str = "viewer") -> str | None:
        """Sign a token, or None where no secret is known: then viewers are anonymous."""
        if self.secret is None:
            return None
        claims = {
            "sub": user,
            "room": self.room,
            "role": role,
            "exp": int(time.time()) + TOKEN_TTL_S,
        }
        return jwt.encode(claims, self.secret, algorithm="HS256")


@contextmanager
def own_server(
    source: str | None = "test:",
    *,
    pps: float | None = None,
    extra: Mapping[str, str] | None = None,
) -> Iterator[UnderTest]:
    """Run a server and a host who publishes, for the time of the context.

    With `pps` the host is the packet generator instead of a source; with neither there is
    none. `extra` goes into the server's environment.
    """
    with tempfile.TemporaryDirectory(prefix="liveroom-bench-") as folder:
        secret, log = secrets.token_hex(32), Path(folder) / "server.log"
        url, media = f"http://{HOST}:{free_port()}", (HOST, free_port(udp=True))
        environment = os.environ | {
            "LIVEROOM_HTTP": url.removeprefix("http://"),
            "LIVEROOM_GATEWAY": f"{HOST}:{free_port()}",
            "LIVEROOM_MEDIA": f"{HOST}:{media[1]}",
            "LIVEROOM_STORE": f"sqlite:///{folder}/bench.db",
            "LIVEROOM_SECRET": secret,
            "LIVEROOM_LOG_LEVEL": "warning",
            **(extra or {}),
        }
        with _process(["liveroom", "serve"], environment, log) as server:
            _wait_ready(url, server, log)
            test = UnderTest(url, "bench", secret, server.pid, media)
            _make_room(test)
            if source is None and pps is None:
                yield test
                return
            token = test.token("host", "host")
            assert token is not None
            whip = f"{url}/v1/rooms/{test.room}/whip"
            publish = ["liveroom", "publish", source or "", whip, "--token", token]
            if pps is not None:
                publish = ["bench.generator", whip, token, str(pps)]
            with _process(publish, environment, Path(folder) / "publish.log"):
                _wait_live(test)
                yield test


@contextmanager
def _process(
    arguments: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=environment,
            stdout=output,
            stderr=output,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port(*, udp: bool = False) -> int:
    """Return a port of the loopback that nobody has now."""
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and server.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", timeout=1).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    tail = log.read_text(errors="replace")[-2_000:]
    raise ServerFailed(f"The server did not become ready:\n{tail}")


def _make_room(test: UnderTest) -> None:
    token = test.token("bench-merchant", "merchant")
    reply = httpx.post(
        f"{test.url}/v1/rooms",
        json={"id": test.room, "title": "Bench", "host": "host"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    if not reply.is_success:
        raise ServerFailed(f"The room could not be made: {reply.status_code} {reply.text}")


def _wait_live(test: UnderTest) -> None:
    """Wait until the host's media flows."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        reply = httpx.get(f"{test.url}/v1/rooms/{test.room}", timeout=5)
        if reply.is_success and reply.json()["live"]:
            return
        time.sleep(0.1)
    raise ServerFailed("The publisher did not go live.")
