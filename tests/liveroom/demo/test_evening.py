"""`liveroom demo` as a person starts it: links that open, a room that lives, a clean end."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from liveroom.client.room import RoomClient
from liveroom.client.sources import Source, open_producer
from liveroom.client.whep import WhepViewer
from liveroom.client.whip import WhipPublisher

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

READY_WITHIN_S = 40
STOP_WITHIN_S = 25
LIVE_WITHIN_S = 60
LINKS = 4


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Evening:
    """A running demo, what it printed so far, and its links."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed: list[str] = []
        self.links: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed.append(line)
            self.links += re.findall(r"http://\S+#t=\S+", line)
            if len(self.links) == LINKS:
                self._ready.set()
        self._ready.set()

    def wait_ready(self) -> None:
        assert self._ready.wait(READY_WITHIN_S), self.text
        assert len(self.links) == LINKS, self.text

    def wait_end(self) -> int:
        code = self.process.wait(STOP_WITHIN_S)
        self.join_reader()
        return code

    def join_reader(self) -> None:
        self._reader.join(5)

    @property
    def text(self) -> str:
        return "".join(self.printed)

    @property
    def base(self) -> str:
        parts = urlsplit(self.links[0])
        return f"{parts.scheme}://{parts.netloc}"

    async def token(self, link: int) -> str:
        ticket = urlsplit(self.links[link]).fragment.removeprefix("t=")
        async with httpx.AsyncClient() as http:
            reply = await http.post(f"{self.base}/v1/tickets/trade", json={"ticket": ticket})
        reply.raise_for_status()
        token: str = reply.json()["token"]
        return token

    async def is_live(self) -> bool:
        async with httpx.AsyncClient() as http:
            return bool((await http.get(f"{self.base}/v1/rooms/demo")).json()["live"])

    async def wait_live(self, *, live: bool) -> None:
        async with asyncio.timeout(LIVE_WITHIN_S):
            while await self.is_live() is not live:
                await asyncio.sleep(0.2)


@contextmanager
def evening(*arguments: str, **environment: str) -> Iterator[Evening]:
    process = subprocess.Popen(
        [sys.executable, "-m", "liveroom", "demo", "--headless", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
        preexec_fn=_heed_interrupts,
    )
    demo = Evening(process)
    try:
        yield demo
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stdout is not None
        demo.join_reader()
        process.stdout.close()


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


async def test_a_demo_lives_until_an_interrupt_and_leaves_nothing_behind() -> None:
    with evening() as demo:
        demo.wait_ready()
        assert await demo.is_live(), "the addresses are shown once the host is live"
        token, again = await demo.token(0), await demo.token(0)
        async with RoomClient(demo.base, "demo", token) as visit:
            assert visit.welcome is not None
            assert visit.welcome.you["tier"] == "gold"
            await visit.next_event("welcome_back", timeout_s=10)
            await visit.next_event("danmaku", timeout_s=30)
            assert visit.joined is not None
            async with WhepViewer(visit.joined.whep_url, again) as viewer:
                await viewer.wait_frames(10)
        children = _children(demo.process.pid)
        demo.process.send_signal(signal.SIGINT)
        code = await asyncio.to_thread(demo.wait_end)

    assert code == 0, demo.text
    assert "Traceback" not in demo.text
    assert "say" in demo.text.splitlines()[-1]
    assert children
    async with asyncio.timeout(10):
        while any(Path(f"/proc/{child}").exists() for child in children):
            await asyncio.sleep(0.1)


def test_a_demo_ends_with_zero_after_its_time() -> None:
    with evening("--for", "2") as demo:
        demo.wait_ready()
        code = demo.wait_end()

    assert code == 0, demo.text
    assert "Traceback" not in demo.text


async def test_a_person_who_goes_live_as_the_host_is_left_alone_and_relieved_afterwards() -> None:
    with evening() as demo:
        demo.wait_ready()
        await demo.wait_live(live=True)
        token = await demo.token(2)
        source = Source(open_producer("test:", codec="vp8"))
        person = WhipPublisher(
            f"{demo.base}/v1/rooms/demo/whip", token, source.tracks, codec=source.codec
        )
        await person.start()
        source.start()
        await asyncio.sleep(6)
        still = await person.is_alive()
        await person.stop()
        await source.stop()
        await demo.wait_live(live=False)
        await demo.wait_live(live=True)
        demo.process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(demo.wait_end)

    assert still, demo.text
    assert code == 0


def test_a_source_that_cannot_be_sent_ends_the_demo_with_a_sentence() -> None:
    with evening("--source", "/nowhere/at/all.mp4") as demo:
        code = demo.wait_end()

    assert code == 2
    assert "/nowhere/at/all.mp4" in demo.text
    assert "Traceback" not in demo.text


def test_a_demo_listens_where_the_settings_say() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with evening("--for", "1", LIVEROOM_HTTP=f"127.0.0.1:{port}") as demo:
        demo.wait_ready()
        code = demo.wait_end()

    assert code == 0, demo.text
    assert demo.base == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("address", "said"),
    [("nowhere", "LIVEROOM_HTTP: write HOST:PORT"), ("192.0.2.1:80", "192.0.2.1")],
)
def test_an_address_that_cannot_be_listened_on_is_said(address: str, said: str) -> None:
    with evening(LIVEROOM_HTTP=address) as demo:
        code = demo.wait_end()

    assert code == 2
    assert said in demo.text
    assert "Traceback" not in demo.text
