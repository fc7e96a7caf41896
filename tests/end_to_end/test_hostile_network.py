"""Bad neighbours at a real server: each is refused and bounded, everybody else is served."""

import asyncio
import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.server import ADMIN_KEY, RunningServer, environment_for, running

pytestmark = pytest.mark.slow

IDLE = 2_500
"""Connections to each listener that say nothing."""
SERVED_WITHIN_S = 5.0
GROWTH_BYTES_MAX = 128 * 1024 * 1024
ESCAPES = '\r\n{"level":"error"}\x1b[2J\u202e'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all that must not harm it; its log is read at the end of some."""
    folder = tmp_path_factory.mktemp("server")
    with running(environment_for(folder), folder / "server.log") as started:
        started.room("r1")
        yield started


@pytest.fixture
def ending(tmp_path: Path) -> Iterator[RunningServer]:
    """A server to be stopped."""
    with running(environment_for(tmp_path), tmp_path / "server.log") as started:
        started.room("r1")
        yield started


def address_of(server: RunningServer, name: str) -> tuple[str, int]:
    host, _, port = server.environment[f"LIVEROOM_{name}"].partition(":")
    return host, int(port)


def memory_of(server: RunningServer) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


async def enter(server: RunningServer, user: str = "u", **claims: Any) -> ClientConnection:
    socket = await connect(server.gateway, max_size=None)
    token = server.token(user, **claims)
    await socket.send(json.dumps({"t": "hello", "token": token, "room": "r1"}))
    assert json.loads(await socket.recv())["t"] == "welcome"
    return socket


async def last_words(socket: ClientConnection) -> tuple[dict[str, Any], int | None]:
    """Read to the end: the last message and the close code."""
    last: dict[str, Any] = {}
    try:
        async with asyncio.timeout(SERVED_WITHIN_S + 10):
            while True:
                last = json.loads(await socket.recv())
    except ConnectionClosed:
        return last, socket.close_code


async def test_thousands_of_silent_connections_keep_nobody_out_and_end(
    server: RunningServer,
) -> None:
    before = memory_of(server)
    with ExitStack() as stack:
        for name in ("HTTP", "GATEWAY"):
            for number in range(IDLE):
                idle = stack.enter_context(
                    closing(socket.create_connection(address_of(server, name)))
                )
                if number % 2:
                    idle.sendall(b"GET /v1/ws HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        async with httpx.AsyncClient(base_url=server.base, timeout=SERVED_WITHIN_S) as http:
            answer = await http.post("/v1/rooms/r1/join")
        assert answer.status_code == 200
        async with asyncio.timeout(SERVED_WITHIN_S):
            honest = await enter(server)
        assert memory_of(server) - before < GROWTH_BYTES_MAX
        descriptors = Path(f"/proc/{server.process.pid}/fd")
        deadline = time.monotonic() + 40
        while len(list(descriptors.iterdir())) > 100:
            assert time.monotonic() < deadline, "silent connections stay"
            await asyncio.sleep(0.5)
        await honest.send('{"t":"ping"}')
        while json.loads(await honest.recv())["t"] != "pong":
            pass
        await honest.close()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("x" * 1_000_000, 1009),
        (b"\x81" * 1_000_000, 1009),
        ('{"t":"ask","id":"1","do":"me","with":' + "[" * 16_000, 4106),
        ('{"t":' * 3_000, 4106),
        (b"\x00\xff", 4106),
        ("", 4106),
        ("[]", 4106),
        ('{"t":7}', 4106),
        ('{"t":"hello","token":"x","room":"r1"}', 4106),
    ],
    ids=range(9),
)
async def test_a_bad_frame_is_told_and_ends_its_own_connection_alone(
    server: RunningServer, frame: str | bytes, code: int
) -> None:
    other, bad = await enter(server, "other"), await enter(server, "bad")
    await bad.send(frame)
    bye, closed = await last_words(bad)
    assert (closed, bye["t"], bye["code"]) == (code, "bye", code)
    await other.send(json.dumps({"t": "say", "id": "s", "text": "still here"}))
    while json.loads(await other.recv()).get("id") != "s":
        pass
    await other.close()


async def test_deep_maps_of_messagepack_are_refused(server: RunningServer) -> None:
    async with connect(server.gateway, subprotocols=["liveroom.msgpack.v1"]) as deep:  # type: ignore[list-item]
        hello = {"t": "hello", "token": server.token("u"), "room": "r1"}
        await deep.send(msgspec.msgpack.encode(hello))
        await deep.recv()
        ask = b"\x84\xa1t\xa3ask\xa2id\xa11\xa2do\xa2me\xa4with"
        await deep.send(ask + b"\x91" * 15_000 + b"\xc0")
        with suppress(ConnectionClosed):
            while True:
                await deep.recv()
        assert deep.close_code == 4106
    assert httpx.get(server.base + "/healthz").status_code == 200


def test_impossible_requests_have_their_problem_and_their_bound(server: RunningServer) -> None:
    head = {"Liveroom-Admin-Key": ADMIN_KEY, "Content-Type": "application/json"}
    for body in (b"[" * 60_000, b'{"a":' * 12_000, b'{"title":' + b"[" * 30_000):
        answer = httpx.post(server.base + "/v1/rooms", content=body, headers=head)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    offers = [
        (b"v=0\r\n" + b"a=x\r\n" * 10_000, 400, "bad_sdp"),
        (b"v=0\r\n" + b"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 1_500, 400, "bad_sdp"),
        (b"v=0\r\n" + b"a=" + b"x" * 60_000, 400, "bad_sdp"),
        (b"v=0\r\n" * 14_000, 413, "too_large"),
        (b"\x00\xff" * 1_000, 400, "bad_sdp"),
    ]
    token = server.token("h", "host")
    for door in ("whip", "whep"):
        for body, status, code in offers:
            started = time.monotonic()
            answer = httpx.post(
                f"{server.base}/v1/rooms/r1/{door}",
                content=body,
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"},
            )
            assert time.monotonic() - started < SERVED_WITHIN_S
            found = (answer.status_code, answer.json()["code"])
            assert found in ((status, code), (422, "no_media")), (door, body[:40])
    answer = httpx.get(server.base + "/healthz", headers={"X": "a" * 40_000})
    assert (answer.status_code, answer.json()["code"]) == (431, "too_large")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../app.py",
        "/assets/%2e%2e/%2e%2e/app.py",
        "/assets/..%2f..%2f..%2fconfig.py",
        "/assets//etc/passwd",
        "/assets/%00.js",
        "/assets/....//....//etc/passwd",
        "/%2e%2e%2fetc%2fpasswd",
        "/..%5c..%5cetc%5cpasswd",
    ],
)
def test_no_path_leads_out_of_the_assets(server: RunningServer, path: str) -> None:
    with closing(socket.create_connection(address_of(server, "HTTP"), timeout=10)) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := raw.recv(65_536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 404"), answer[:80]


async def test_neither_tokens_nor_escapes_nor_other_lines_get_into_the_log(
    server: RunningServer,
) -> None:
    token = server.token("u", name=f"N{ESCAPES}")
    member = {"id": "m", "name": f"N{ESCAPES}"}
    head = {"Liveroom-Admin-Key": ADMIN_KEY}
    answer = httpx.post(server.base + "/v1/members", json=member, headers=head)
    assert (answer.status_code, answer.json()["field"]) == (422, "name")
    for path in ("/v1/me", f"/r/r1?t={token}", f"/v1/rooms/{token}", "/v1/rooms/%0d%0a%1b%5b2J"):
        httpx.get(server.base + path, headers={"Authorization": f"Bearer {token}"})
    guest = await enter(server, "u", name=f"N{ESCAPES}")
    await guest.send(json.dumps({"t": "say", "id": "s", "text": f"T{ESCAPES}"}))
    while (said := json.loads(await guest.recv())).get("id") != "s":
        pass
    assert said["text"] == 'T {"level":"error"}[2J'
    await guest.send(json.dumps({"t": "ask", "id": "a", "do": ESCAPES, "with": {"x": token}}))
    await guest.send("\x1b[2J" + token)
    await last_words(guest)
    for garbage in (b"\x16\x03\x01" + ESCAPES.encode(), b"GET / HTTP/1.1\r\nA\x1b: b\r\n\r\n"):
        for name in ("HTTP", "GATEWAY"):
            with closing(socket.create_connection(address_of(server, name))) as raw:
                raw.sendall(garbage + b"\r\n\r\n")
                raw.recv(100)
    written = server.log.read_bytes()
    assert all(isinstance(json.loads(line), dict) for line in written.splitlines())
    assert b"\x1b" not in written
    assert b"eyJ" not in written
    assert server.secret.encode() not in written
    assert b'"level": "error"' not in written


async def test_connections_fill_no_log(server: RunningServer) -> None:
    before = server.log.stat().st_size
    for number in range(200):
        with closing(socket.create_connection(address_of(server, "GATEWAY"))) as raw:
            raw.sendall(b"GET /v1/ws HTTP/1.1\r\n\r\n" if number % 2 else b"\x00" * 50 + b"\r\n")
    for number in range(20):
        await (await enter(server, f"u{number}")).close()
    assert server.log.stat().st_size - before < 2_000


async def test_a_draining_server_says_so_and_moves_everybody(ending: RunningServer) -> None:
    guest = await enter(ending)
    ending.process.send_signal(signal.SIGTERM)
    async with httpx.AsyncClient(base_url=ending.base, timeout=SERVED_WITHIN_S) as http:
        async with asyncio.timeout(SERVED_WITHIN_S):
            while (answer := await http.get("/readyz")).status_code == 200:
                await asyncio.sleep(0.02)
        assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
        assert (await http.get("/healthz")).status_code == 200
    with pytest.raises(InvalidStatus) as refused:
        await connect(ending.gateway)
    assert refused.value.response.status_code == 503
    assert int(refused.value.response.headers["Retry-After"]) >= 1
    seen = []
    try:
        async with asyncio.timeout(30):
            while True:
                seen.append(json.loads(await guest.recv()))
    except ConnectionClosed:
        assert guest.close_code == 4000
    assert "move" in [message["t"] for message in seen]
    assert seen[-1]["t"] == "bye"
    assert seen[-1]["after_ms"] >= 0
    assert await asyncio.to_thread(ending.process.wait, 20) == 0
