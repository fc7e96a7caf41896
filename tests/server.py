"""A real `liveroom serve` in a process of its own, with the sandbox payment provider beside it."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt

READY_WITHIN_S = 30
ADMIN_KEY = "admin-key-of-the-tests"


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Ask the kernel for a port that is free now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class RunningServer:
    """A server that answers; `environment` starts another one on the same ground."""

    base: str
    gateway: str
    secret: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path

    def token(self, user: str, role: str = "viewer", room: str = "*", **claims: Any) -> str:
        """Sign a token as the shop's backend would."""
        body = {"sub": user, "role": role, "room": room, "exp": int(time.time()) + 3600, **claims}
        return jwt.encode(body, self.secret, algorithm="HS256")

    def call(self, method: str, path: str, *, token: str | None = None, **kwargs: Any) -> Any:
        """Ask the API as admin (or with a token) and insist on success."""
        headers = kwargs.pop("headers", {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        else:
            headers["Liveroom-Admin-Key"] = ADMIN_KEY
        answer = httpx.request(method, self.base + path, headers=headers, timeout=10, **kwargs)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def room(self, room: str, **fields: Any) -> str:
        """Create a room and return its id."""
        self.call("POST", "/v1/rooms", json={"id": room, "title": f"Room {room}", **fields})
        return room

    def member(self, user: str, *, coins: int = 0, **fields: Any) -> str:
        """Import an adult member, with coins if wanted."""
        body: dict[str, Any] = {"id": user, "age_band": "adult", **fields}
        if coins:
            body["coins"] = coins
        self.call("POST", "/v1/members", json=body, headers={"Idempotency-Key": f"member-{user}"})
        return user

    def kill(self) -> None:
        """End the process without a chance to say goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


def environment_for(folder: Path) -> dict[str, str]:
    """Settings of a fresh server on free ports, its database in `folder`."""
    return {
        **os.environ,
        "LIVEROOM_HTTP": f"127.0.0.1:{free_port()}",
        "LIVEROOM_GATEWAY": f"127.0.0.1:{free_port()}",
        "LIVEROOM_MEDIA": f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}",
        "LIVEROOM_STORE": f"sqlite:///{folder / 'liveroom.db'}",
        "LIVEROOM_SECRET": secrets.token_hex(32),
        "LIVEROOM_ADMIN_KEY": ADMIN_KEY,
    }


@contextmanager
def running(
    environment: dict[str, str], log: Path, *, python: str | Path = sys.executable
) -> Iterator[RunningServer]:
    """Start `liveroom serve` and wait until it is ready; SIGTERM at the end."""
    server = launch(environment, log, python=python)
    try:
        wait_ready(server)
        yield server
    finally:
        end(server)


def launch(
    environment: dict[str, str], log: Path, *, python: str | Path = sys.executable
) -> RunningServer:
    """Start `liveroom serve`; whoever does so ends it."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(python), "-m", "liveroom", "serve"],
            cwd=log.parent,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return RunningServer(
        base=f"http://{environment['LIVEROOM_HTTP']}",
        gateway=f"ws://{environment['LIVEROOM_GATEWAY']}/v1/ws",
        secret=environment["LIVEROOM_SECRET"],
        environment=environment,
        process=process,
        log=log,
    )


def end(server: RunningServer) -> None:
    """Ask a server to stop, and make it."""
    process = server.process
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def wait_ready(server: RunningServer, *, seconds: float = READY_WITHIN_S) -> None:
    """Wait until a server wants traffic."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        assert server.process.poll() is None, server.log.read_text()[-4000:]
        try:
            if httpx.get(f"{server.base}/readyz", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            server.process.poll()
        pause.wait(0.05)
    raise AssertionError(f"not ready within {seconds} s: {server.log.read_text()[-4000:]}")
