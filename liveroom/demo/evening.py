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
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from uuid import uuid4

import httpx
import uvloop
from rich.console import Console

from liveroom.app import App
from liveroom.config import Address, Config, ConfigError, load
from liveroom.demo.backend import ShopBackend
from liveroom.demo.host import Broadcaster, SourceFailed, Stagehand
from liveroom.demo.links import Link, make_links
from liveroom.demo.payments import PaymentSandbox
from liveroom.demo.shop import CROWD
from liveroom.demo.shoppers import Crowd
from liveroom.observe import configure_logs

HOST = "127.0.0.1"
USUAL = Config()
SEED = 20_261_123
HTTP_TIMEOUT_S = 10.0
LOG_LEVEL = "warning"
LIVE_WITHIN_S = 20.0
"""The addresses are shown when the host's video flows, or after so long without it."""
LIVE_POLL_S = 0.2
DONE = 0
FAILED = 2


class CannotOpen(Exception):  # noqa: N818 - said to the person who started the demo
    """The shop cannot open as the settings ask."""


def run(for_s: float | None, source: str | None, headless: bool) -> int:
    """Open the shop until a signal, or for so many seconds; return the exit code."""
    console, code = Console(), DONE
    configure_logs(level=LOG_LEVEL)
    try:
        uvloop.run(_evening(for_s, source, headless, console))
    except* (SourceFailed, CannotOpen) as failed:
        for each in failed.exceptions:
            console.print(str(each), markup=False, soft_wrap=True)
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
        console.print("Opening the shop; the host goes live in a moment …", markup=False)
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
        crowd = Crowd(shop, CROWD, Random(SEED))  # noqa: S311 - chooses what to say

        def show(*, live: bool) -> None:
            _show(console, links, sandbox.url, live=live)
            if not headless:
                _open_browser(links)

        await _play(stop, for_s, broadcaster, (Stagehand(shop).run, crowd.run), show)
        console.print(_summary(crowd), markup=False, soft_wrap=True)


async def _open(
    stack: AsyncExitStack, folder: str, secret: str, links: Sequence[Link]
) -> tuple[PaymentSandbox, App]:
    """Start the provider and the server; both stop when the stack unwinds."""
    payment_secret = secrets.token_hex(32)
    sandbox = PaymentSandbox(payment_secret, "", lambda: uuid4().hex)
    await sandbox.start(HOST)
    stack.push_async_callback(sandbox.stop)
    config = replace(
        _asked(),
        store=f"sqlite:///{folder}/demo.db",
        recordings=Path(folder, "recordings"),
        secret=secret,
        payments=sandbox.url,
        payment_secret=payment_secret,
        log_level=LOG_LEVEL,
    )
    app = App(config, demo_links=lambda: [link.for_landing() for link in links])
    try:
        await app.start()
    except OSError as error:
        raise CannotOpen(f"The demo cannot listen: {error}.") from error
    stack.push_async_callback(app.stop)
    return sandbox, app


def _asked() -> Config:
    """Read the settings; keys and the issuer's names are the demo's own.

    Raises:
        CannotOpen: a setting is wrong.

    """
    try:
        config = load(needs_keys=False)
    except ConfigError as error:
        raise CannotOpen(str(error)) from error
    return replace(
        config,
        http=_free(config.http, USUAL.http, socket.SOCK_STREAM),
        gateway=_free(config.gateway, USUAL.gateway, socket.SOCK_STREAM),
        media=_free(config.media, USUAL.media, socket.SOCK_DGRAM),
        jwks=None,
        issuer=None,
        audience=None,
    )


async def _play(
    stop: asyncio.Event,
    for_s: float | None,
    broadcaster: Broadcaster,
    company: Sequence[Callable[[], Coroutine[None, None, None]]],
    show: Callable[..., None],
) -> None:
    """Let the host go live, show the addresses, and let everybody act until the time is up."""
    async with asyncio.TaskGroup() as group:
        acting = [group.create_task(broadcaster.run())]
        show(live=await _wait_live(stop, broadcaster))
        acting += [group.create_task(act()) for act in company]
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), for_s)
        for task in acting:
            task.cancel()


async def _wait_live(stop: asyncio.Event, broadcaster: Broadcaster) -> bool:
    """Wait for the host's video, which the addresses would otherwise show the lack of."""
    deadline = asyncio.get_running_loop().time() + LIVE_WITHIN_S
    while not (live := await broadcaster.is_live()):
        if stop.is_set() or asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(LIVE_POLL_S)
    return live


def _free(wanted: Address, usual: Address, kind: socket.SocketKind) -> Address:
    """Keep an address that was asked for; move from the usual port when it is taken."""
    if wanted != usual:
        return wanted
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((wanted.host, wanted.port))
        except OSError:
            return replace(wanted, port=0)
    return wanted


def _show(console: Console, links: Sequence[Link], payments_url: str, *, live: bool) -> None:
    state = "The host is live." if live else "The room is open; the host's video is still starting."
    console.print(f"{state} These addresses just work:\n", markup=False)
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
