"""A real server with payments, and Chromium in front of it.

Every page opened here is watched: an uncaught error or a refused resource fails the test.
"""

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from liveroom.demo.payments import PaymentSandbox
from tests.server import RunningServer, environment_for, running

DIST = Path(__file__).resolve().parents[2] / "liveroom" / "web" / "dist"
CHROMIUM = "/usr/bin/chromium"
FLAGS = [
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
PHONE = (390, 844)
DESKTOP = (1440, 900)
WAIT_MS = 15_000
PAYMENT_SECRET = "the-sandbox-and-the-shop-share-this-key"


@dataclass
class Shop:
    """A server, and rooms with products in it."""

    server: RunningServer

    def room(self, room: str, **fields: object) -> str:
        """Create a room with a host, and products for it."""
        self.server.room(room, host="host", **fields)
        return room

    def product(self, product: str, title: str, price: int, stock: int | None = None) -> str:
        """Put a product on the shelf."""
        body = {"id": product, "title": title, "price": price, "stock": stock}
        self.server.call("POST", "/v1/products", json=body)
        return product

    def order(self, order: str, user: str, room: str, product: str, price: int) -> None:
        """Let somebody have bought something in a room."""
        line = {"product": product, "quantity": 1, "unit_price": price}
        body = {"id": order, "user": user, "room": room, "lines": [line], "paid_at": 0}
        headers = {"Idempotency-Key": order}
        self.server.call("POST", "/v1/orders", json=body, headers=headers)

    def pin(self, room: str, product: str | None) -> None:
        """Explain a product now, or none."""
        token = self.server.token("host", "host", room)
        self.server.call("POST", f"/v1/rooms/{room}/pin", token=token, json={"product": product})


class Visits:
    """Opens pages as somebody, each in a browser profile of its own."""

    def __init__(self, browser: Browser, shop: Shop) -> None:
        self._browser = browser
        self._shop = shop
        self._contexts: list[BrowserContext] = []
        self.errors: list[str] = []

    def open(
        self,
        path: str,
        token: str | None = None,
        *,
        size: tuple[int, int] = PHONE,
        locale: str = "zh-CN",
        before: Callable[[Page], None] | None = None,
    ) -> Page:
        """Open a page; `before` prepares it while it is still blank."""
        width, height = size
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, locale=locale
        )
        context.set_default_timeout(WAIT_MS)
        self._contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.errors.append(f"{path}: {error}"))
        page.on("console", lambda message: self._note(path, message.type, message.text))
        if before is not None:
            before(page)
        page.goto(self._shop.server.base + path + (f"#t={token}" if token else ""))
        return page

    def viewer(self, room: str, user: str, **more: object) -> Page:
        """Open the room as a member and wait until they are in."""
        token = self._shop.server.token(user, room=room, name=more.pop("name", user))
        page = self.open(f"/r/{room}", token, **more)  # type: ignore[arg-type]
        page.locator(".dot.good").wait_for()
        return page

    def studio(self, room: str, **more: object) -> Page:
        """Open the studio as the room's host."""
        token = self._shop.server.token("host", "host", room, name="Mia")
        page = self.open(f"/studio/{room}", token, **({"size": DESKTOP} | more))  # type: ignore[arg-type]
        page.locator(".online").wait_for()
        return page

    def close(self) -> None:
        """Close every profile."""
        for context in self._contexts:
            context.close()

    def _note(self, path: str, kind: str, text: str) -> None:
        # a refused request is told by the network too; what the page does with it is tested
        if kind == "error" and "Failed to load resource" not in text:
            self.errors.append(f"{path}: {text}")


def wait_true(page: Page, expression: str) -> None:
    """Wait until an expression holds; asked from outside, where the page's policy has no say."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(100)


def _sandbox(loop: asyncio.AbstractEventLoop) -> PaymentSandbox:
    ids = itertools.count(1)
    sandbox = PaymentSandbox(PAYMENT_SECRET, "", lambda: f"payment-{next(ids)}")
    asyncio.run_coroutine_threadsafe(sandbox.start(), loop).result(10)
    return sandbox


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One shop for all browser tests; each test makes rooms of its own."""
    assert (DIST / "room.html").exists(), "build the pages first: make install"
    folder = tmp_path_factory.mktemp("shop")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    sandbox = _sandbox(loop)
    environment = environment_for(folder) | {
        "LIVEROOM_PAYMENTS": sandbox.url,
        "LIVEROOM_PAYMENT_SECRET": PAYMENT_SECRET,
        "LIVEROOM_RECORDINGS": str(folder / "recordings"),
    }
    try:
        with running(environment, folder / "server.log") as server:
            yield Shop(server)
    finally:
        asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a file; tests get profiles of it.

    Not for the session: while it lives, its event loop keeps all later async tests from theirs.
    """
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go; LIVEROOM_TEST_PICTURES names a folder to look at them later."""
    chosen = os.environ.get("LIVEROOM_TEST_PICTURES")
    folder = Path(chosen) if chosen else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def visits(chromium: Browser, shop: Shop) -> Iterator[Visits]:
    """Open pages; afterwards none of them may have had an error."""
    made = Visits(chromium, shop)
    yield made
    made.close()
    assert made.errors == []
