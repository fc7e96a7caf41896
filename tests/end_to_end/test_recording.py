"""A real server records a real host; its own process never holds a decoder."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import httpx
import pytest

from tests.server import RunningServer, environment_for, running
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

WITHIN_S = 30
EXPLAINED_S = 4.0


def _wait(condition: Callable[[], object]) -> None:
    wait_until(condition, seconds=WITHIN_S, what="as the line says")


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def _has_decoder(pid: int) -> bool:
    return "libavcodec" in _maps(pid)


def _host(server: RunningServer, room: str) -> "subprocess.Popen[bytes]":
    token = server.token("host", "host", room)
    whip = f"{server.base}/v1/rooms/{room}/whip"
    return subprocess.Popen(
        [sys.executable, "-m", "liveroom", "publish", "test:", whip, "--token", token],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_an_evening_is_on_disk_and_the_server_never_decoded_it(tmp_path: Path) -> None:
    films = tmp_path / "films"
    environment = environment_for(tmp_path) | {"LIVEROOM_RECORDINGS": str(films)}
    with running(environment, tmp_path / "server.log") as server:
        room = server.room("evening", host="host")
        server.call("POST", "/v1/products", json={"id": "tea", "title": "Tea", "price": 100})
        host = _host(server, room)
        try:
            path = f"/v1/rooms/{room}"
            _wait(lambda: server.call("GET", path)["live"])
            picture = f"{server.base}{path}/preview.jpg"
            _wait(lambda: httpx.get(picture).status_code == 200)
            assert httpx.get(picture).content.startswith(b"\xff\xd8")
            token = server.token("host", "host", room)
            server.call("POST", f"{path}/pin", token=token, json={"product": "tea"})
            opened = time.monotonic()
            _wait(lambda: time.monotonic() - opened > EXPLAINED_S)
            server.call("POST", f"{path}/pin", token=token, json={"product": None})
            recorders = [pid for pid in _children(server.process.pid) if _has_decoder(pid)]
            assert len(recorders) == 1
            assert not _has_decoder(server.process.pid), "the server's own process"
            server.call("POST", f"{path}/end")
        finally:
            host.terminate()
            host.wait(20)
        _wait(lambda: server.call("GET", f"{path}/replay")["parts"])
        (whole,) = server.call("GET", f"{path}/replay")["parts"]
        (segment,) = server.call("GET", f"{path}/segments")["segments"]
        assert segment["product"]["id"] == "tea"
        (part,) = segment["parts"]
        for url, at_least in ((whole["url"], 3.5), (part["url"], 3.0)):
            answer = httpx.get(server.base + url, timeout=30)
            assert answer.status_code == 200
            copy = tmp_path / "copy"
            copy.write_bytes(answer.content)
            with av.open(str(copy)) as film:
                pictures = sum(1 for _ in film.decode(video=0))
                assert float(film.duration or 0) / av.time_base > at_least
            assert pictures > 30
        assert all(film.name.replace("-", "").isalnum() for film in films.iterdir())


def test_a_killed_server_leaves_a_file_that_plays(tmp_path: Path) -> None:
    films = tmp_path / "films"
    environment = environment_for(tmp_path) | {"LIVEROOM_RECORDINGS": str(films)}
    with running(environment, tmp_path / "server.log") as server:
        room = server.room("cut-off", host="host")
        host = _host(server, room)
        try:
            _wait(lambda: any(films.glob("*")))
            begun = time.monotonic()
            _wait(lambda: time.monotonic() - begun > EXPLAINED_S + 1)
        finally:
            server.kill()
            host.kill()
            host.wait(20)
    (film,) = films.iterdir()
    _wait(lambda: _pictures(film) > 5)
    with running(environment, tmp_path / "server.log") as server:
        server.call("POST", "/v1/rooms/cut-off/end")
        _wait(lambda: server.call("GET", "/v1/rooms/cut-off/replay")["parts"])


def _pictures(film: Path) -> int:
    with av.open(str(film)) as container:
        return sum(1 for _ in container.decode(video=0))
