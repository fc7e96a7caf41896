"""`liveroom demo`: the server with everything around it, in one process but for the video.

The only place that puts the demo's parts together: sandbox provider, server, shop backend,
host, shoppers. Everything that happens comes in through the same doors that a real shop uses.
"""

import asyncio
import os
import secrets
import signal
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from random import Random
from uuid import uuid4

import httpx
import uvloop
from rich.console import Console

from liveroom.app import App
from liveroom.config import Address, Config
from liveroom.demo.backend import ShopBackend
from liveroom.demo.host import Broadcaster, SourceFailed, Stagehand
from liveroom.demo.links import Link, make_links
from liveroom.demo.payments import PaymentSandbox
from liveroom.demo.shop import CROWD
from liveroom.demo.shoppers import Crowd
from liveroom.observe import configure_logs

HTTP_PORT = 8080
GATEWAY_PORT = 8081
MEDIA_PORT = 8082
HOST = "127.0.0.1"
SEED = 20_261_123
HTTP_TIMEOUT_S = 10.0
LOG_LEVEL = "warning"
DONE = 0
FAILED = 2


def run(for_s: float | None, source: str | None, headless: bool) -> int:
    """Open the shop until a signal, or for so many seconds; return the exit code."""
    console, code = Console(), DONE
    configure_logs(level=LOG_LEVEL)
    try:
        uvloop.run(_evening(for_s, source, headless, console))
    except* SourceFailed as failed:
        for each in failed.exceptions:
            console.print(str(each), markup=False)
        code = FAILED
    return code


async def _evening(
    for_s: float | None, source: str | None, headless: bool, console: Console
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="liveroom-demo-"))
        secret = secrets.token_hex(32)
        links: list[Link] = []
        sandbox, app = await _open(stack, folder, secret, links)
        http = await stack.enter_async_context(
            httpx.AsyncClient(timeout=HTTP_TIMEOUT_S, trust_env=False)
        )
        shop = ShopBackend(app.http_url, secret, http)
        await shop.open_shop()
        links.extend(await make_links(app.services, app.http_url))
        broadcaster = Broadcaster(shop, source)
        stack.push_async_callback(broadcaster.stop)
        _show(console, links, sandbox.url)
        if not headless:
            _open_browser(links)
        crowd = Crowd(shop, CROWD, Random(SEED))  # noqa: S311 - chooses what to say
        await _play(stop, for_s, broadcaster, Stagehand(shop), crowd)
        console.print(_summary(crowd), markup=False, soft_wrap=True)


async def _open(
    stack: AsyncExitStack, folder: str, secret: str, links: Sequence[Link]
) -> tuple[PaymentSandbox, App]:
    """Start the provider and the server; both stop when the stack unwinds."""
    payment_secret = secrets.token_hex(32)
    sandbox = PaymentSandbox(payment_secret, "", lambda: uuid4().hex)
    await sandbox.start(HOST)
    stack.push_async_callback(sandbox.stop)
    config = Config(
        http=Address(HOST, _port(HTTP_PORT, socket.SOCK_STREAM)),
        gateway=Address(HOST, _port(GATEWAY_PORT, socket.SOCK_STREAM)),
        media=Address(HOST, _port(MEDIA_PORT, socket.SOCK_DGRAM)),
        store=f"sqlite:///{folder}/demo.db",
        secret=secret,
        payments=sandbox.url,
        payment_secret=payment_secret,
        log_level=LOG_LEVEL,
    )
    app = App(config, demo_links=lambda: [link.for_landing() for link in links])
    await app.start()
    stack.push_async_callback(app.stop)
    return sandbox, app


async def _play(
    stop: asyncio.Event,
    for_s: float | None,
    broadcaster: Broadcaster,
    stagehand: Stagehand,
    crowd: Crowd,
) -> None:
    """Let everybody act until the time is up."""
    async with asyncio.TaskGroup() as group:
        acting = [
            group.create_task(broadcaster.run()),
            group.create_task(stagehand.run()),
            group.create_task(crowd.run()),
        ]
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), for_s)
        for task in acting:
            task.cancel()


def _port(wanted: int, kind: socket.SocketKind) -> int:
    """Take the usual port if it is free, else let the system choose."""
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            return 0
    return wanted


def _show(console: Console, links: Sequence[Link], payments_url: str) -> None:
    console.print("The room is open. These addresses just work:\n", markup=False)
    for link in links:
        console.print(f"  {link.identity.zh}  {link.identity.en}", markup=False, highlight=False)
        console.print(f"  {link.url}\n", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"Payments are play money at {payments_url}. Ctrl-C closes the shop.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    sys.stdout.flush()


def _open_browser(links: Sequence[Link]) -> None:
    """Open the first viewer where there is a screen; a text browser would take the terminal."""
    has_screen = sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if has_screen:
        webbrowser.open(links[0].url)


def _summary(crowd: Crowd) -> str:
    done = ", ".join(f"{count} {deed}" for deed, count in sorted(crowd.done.items()))
    return f"The shop is closed. Shoppers did: {done or 'nothing yet'}."
