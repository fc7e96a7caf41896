"""The demo's host: publishes video from a process of its own, pins, and says a few words.

When a person goes live as the same host in the studio, this publisher's session is taken over;
it then stays quiet and comes back once nobody is on air. It must never fight a person.
"""

import asyncio
import os
import sys
from contextlib import suppress
from itertools import cycle

import httpx

from liveroom.client.outcomes import SOURCE_UNUSABLE
from liveroom.client.room import RoomClient
from liveroom.client.visit import CommandRefused, RoomClosed
from liveroom.demo.backend import ShopBackend
from liveroom.demo.shop import HOST, HOST_LINES, ITEMS, ROOM

POLL_S = 1.0
QUIET_POLLS = 2
"""How often in a row nobody must be on air before the demo's host comes back."""
PIN_INTERVAL_S = 45.0
LINE_INTERVAL_S = 20.0
HANDS_OFF_S = 300.0
"""How long pins are left alone after a person pinned something."""
STOP_TIMEOUT_S = 5.0


class SourceFailed(Exception):  # noqa: N818 - said to the person who started the demo
    """The file given as the host's picture cannot be sent."""


class Broadcaster:
    """Keeps the host on air while nobody else is."""

    def __init__(self, shop: ShopBackend, source: str | None) -> None:
        self._shop = shop
        self._source = source or "test:"
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Publish, and publish again whenever nobody does.

        Raises:
            SourceFailed: the source cannot be read.

        """
        quiet = QUIET_POLLS
        while True:
            quiet = 0 if await self.is_live() else quiet + 1
            if quiet > QUIET_POLLS:
                quiet = 0
                await self._publish_once()
            await asyncio.sleep(POLL_S)

    async def stop(self) -> None:
        """End the publishing process, which DELETEs its session."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def is_live(self) -> bool:
        """Whether anybody publishes; a server that does not answer is left alone."""
        try:
            return await self._shop.host_is_live()
        except httpx.HTTPError:
            return True

    async def _publish_once(self) -> None:
        url = f"{self._shop.base_url}/v1/rooms/{ROOM}/whip"
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "liveroom.demo.publisher", self._source, url),
            env=os.environ | {"LIVEROOM_DEMO_TOKEN": self._shop.token(HOST, "host")},
        )
        if await self._process.wait() == SOURCE_UNUSABLE:
            raise SourceFailed(f"{self._source} cannot be sent; try another file.")


class Pins:
    """Whose pins they are: a person's pin is left alone for a while."""

    def __init__(self) -> None:
        self.ours: str | None = None
        self._hands_off_until = float("-inf")

    def seen(self, product: str | None, *, now: float) -> None:
        """Take note of a pin; one that is not ours was a person's."""
        if product != self.ours:
            self._hands_off_until = now + HANDS_OFF_S

    def are_ours(self, *, now: float) -> bool:
        """Whether the demo may pin."""
        return now >= self._hands_off_until


class Stagehand:
    """Pins one product after the other and talks, in the host's name."""

    def __init__(self, shop: ShopBackend) -> None:
        self._shop = shop
        self._pins = Pins()

    async def run(self) -> None:
        """Pin and talk until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pin())
            group.create_task(self._talk())

    async def _pin(self) -> None:
        loop = asyncio.get_running_loop()
        for item in cycle(ITEMS):
            if self._pins.are_ours(now=loop.time()):
                self._pins.ours = item.id
                with suppress(CommandRefused, httpx.HTTPError):
                    await self._shop.pin(item.id)
            await asyncio.sleep(PIN_INTERVAL_S)

    async def _talk(self) -> None:
        lines = cycle(HOST_LINES)
        while True:
            token = self._shop.token(HOST, "host")
            try:
                async with RoomClient(self._shop.base_url, ROOM, token) as client:
                    watching = asyncio.create_task(self._watch(client))
                    try:
                        while True:
                            await asyncio.sleep(LINE_INTERVAL_S)
                            await client.say(next(lines))
                    finally:
                        watching.cancel()
            except (CommandRefused, RoomClosed, httpx.HTTPError, OSError, TimeoutError):
                await asyncio.sleep(LINE_INTERVAL_S)

    async def _watch(self, client: RoomClient) -> None:
        async for event in client:
            if event.kind == "pin":
                product = event.fields.get("product")
                pinned = product.get("id") if isinstance(product, dict) else None
                self._pins.seen(pinned, now=asyncio.get_running_loop().time())
