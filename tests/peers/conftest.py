"""A closed network and a media server in it, for clients nobody here wrote."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.peers.page_library import LIBRARY, PAGE
from tests.waiting import wait_until

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
INTERFACE = "10.77.0.1"
LOOPBACK = "127.0.0.1"
WAIT_S = 20.0
CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives real clients."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.peers)


@dataclass
class Network:
    """A network namespace kept alive by one sleeping process."""

    holder: subprocess.Popen[bytes]

    def inside(self, *command: str) -> list[str]:
        """Return the command line that runs a command in the namespace."""
        return ["nsenter", "--target", str(self.holder.pid), "--net", *command]

    def start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        """Start a process in the namespace."""
        return subprocess.Popen(self.inside(*command), text=True, **options)


@dataclass
class Shell:
    """A running `shell.py`."""

    process: subprocess.Popen[str]
    url: str
    media_port: int

    def stats(self) -> dict[str, Any]:
        """Ask what the media server has counted."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def wait(
        self, condition: Callable[[dict[str, Any]], object], what: str, seconds: float = WAIT_S
    ) -> dict[str, Any]:
        """Wait until the numbers fulfil a condition; return them."""
        numbers: dict[str, Any] = {}

        def holds() -> bool:
            numbers.update(self.stats())
            return condition(numbers)

        wait_until(holds, seconds=seconds, what=what)
        return numbers


def kinds(numbers: dict[str, Any]) -> list[str]:
    """Name the events so far."""
    return [event["kind"] for event in numbers["events"]]


def packets(numbers: dict[str, Any], kind: str) -> int:
    """Count a publisher's packets of one kind."""
    return sum(
        track["packets"]
        for session in numbers["sessions_by_id"].values()
        for track in session["tracks"]
        if track["kind"] == kind
    )


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    """One closed network for all tests of peers."""
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.fail("Run the peers' tests as root: they make a network namespace (unshare --net).")
    holder = subprocess.Popen([str(HERE / "closed_net.sh"), "sleep", "infinity"])
    network = Network(holder)
    wait_until(
        lambda: INTERFACE in _addresses(network) and _is_ready(holder),
        seconds=WAIT_S,
        what="the namespace is up",
    )
    yield network
    holder.terminate()
    holder.wait()


def _addresses(network: Network) -> str:
    command = network.inside("ip", "-brief", "addr")
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _is_ready(holder: subprocess.Popen[bytes]) -> bool:
    return Path(f"/proc/{holder.pid}/comm").read_text().strip() == "sleep"


@contextlib.contextmanager
def serving(network: Network, host: str) -> Iterator[Shell]:
    """A media server in the closed network, at one of its addresses."""
    process = network.start(
        sys.executable,
        str(HERE / "shell.py"),
        "--host",
        host,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    ports = json.loads(process.stdout.readline())
    yield Shell(process, f"http://{host}:{ports['http']}", ports["media"])
    process.stdin.close()
    process.wait(WAIT_S)
    process.stdout.close()


@pytest.fixture
def shell(network: Network, request: pytest.FixtureRequest) -> Iterator[Shell]:
    """A media server; parametrize indirectly with its host."""
    with serving(network, getattr(request, "param", INTERFACE)) as shell:
        yield shell


@pytest.fixture
def local_shell(network: Network) -> Iterator[Shell]:
    """A media server that a browser reaches as a secure origin."""
    with serving(network, LOOPBACK) as shell:
        yield shell


@pytest.fixture
def ffmpeg(network: Network) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ffmpeg publishers; those still running at the end are ended."""
    import imageio_ffmpeg

    program = imageio_ffmpeg.get_ffmpeg_exe()
    started: list[subprocess.Popen[str]] = []

    def publish(url: str, token: str, *, seconds: float, gop: int = 30) -> subprocess.Popen[str]:
        process = network.start(
            program,
            *("-hide_banner", "-loglevel", "error", "-nostdin"),
            *("-re", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=15"),
            *("-re", "-f", "lavfi", "-i", "sine=f=440:r=48000"),
            *("-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast"),
            *("-tune", "zerolatency", "-bf", "0", "-g", str(gop), "-pix_fmt", "yuv420p"),
            *("-c:a", "libopus", "-ar", "48000", "-ac", "2", "-t", str(seconds)),
            *("-authorization", token, "-f", "whip", url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    yield publish
    for process in started:
        # Once its session was taken over ffmpeg ends on nothing less.
        process.kill()
        process.wait(WAIT_S)


@pytest.fixture
def chromium(network: Network, tmp_path: Path) -> Iterator[Browser]:
    """A browser that lives in the closed network, with a camera and a microphone."""
    wrapper = tmp_path / "chromium"
    command = " ".join(network.inside(str(CHROMIUM)))
    wrapper.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    wrapper.chmod(0o755)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(wrapper), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(network: Network, chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """The library's page from a web server of its own: another port is another origin."""
    for name in ("whip.js", "whep.js"):
        shutil.copy(LIBRARY / name, tmp_path)
    (tmp_path / "index.html").write_text(PAGE)
    server = network.start(
        *(sys.executable, "-u", "-m", "http.server", "0"),
        *("--bind", LOOPBACK, "--directory", str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert server.stdout is not None
    found = re.search(r"port (\d+)", server.stdout.readline())
    assert found is not None
    page = chromium.new_page()
    page.goto(f"http://{LOOPBACK}:{found.group(1)}/")
    page.wait_for_function("window.ready")
    yield page
    server.kill()
    server.wait()
    server.stdout.close()
