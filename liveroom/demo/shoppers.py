"""Simulated shoppers: each joins like anybody, acts by its script, leaves and comes back.

Flows in: the shop's backend and a random source. A refusal (sold out, too fast, no coins) is
part of the evening and never ends a shopper.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import httpx

from liveroom.client.room import RoomClient
from liveroom.client.visit import CommandRefused, RoomClosed
from liveroom.demo.backend import ShopBackend
from liveroom.demo.script import Act, Deed, away_s, visit
from liveroom.demo.shop import ITEMS, ROOM, Guest

SHOPPERS_MAX = 20
ARRIVAL_S = 1.2
"""Between two arrivals at the start, so that they do not come as one crowd."""
RETRY_S = 3.0


class Crowd:
    """All shoppers of the demo, each in a task of one group."""

    def __init__(self, shop: ShopBackend, guests: Sequence[Guest], random: Random) -> None:
        self._shop = shop
        self._guests = guests[:SHOPPERS_MAX]
        self._random = random
        self._pinned: Any = None
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    async def run(self) -> None:
        """Let them come and go until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number, guest in enumerate(self._guests):
                own = Random(self._random.random())  # noqa: S311 - chooses what to say
                group.create_task(self._live(guest, own, number * ARRIVAL_S), name=guest.id)

    async def _live(self, guest: Guest, random: Random, first_pause_s: float) -> None:
        await asyncio.sleep(first_pause_s)
        while True:
            try:
                await self._visit(guest, random)
                self.done["visits"] += 1
                await asyncio.sleep(away_s(random))
            except (RoomClosed, CommandRefused, httpx.HTTPError, TimeoutError, OSError) as error:
                self.refused[type(error).__name__] += 1
                await asyncio.sleep(RETRY_S)

    async def _visit(self, guest: Guest, random: Random) -> None:
        token = self._shop.token(guest.id, name=guest.name)
        client = RoomClient(self._shop.base_url, ROOM, token, random=random)
        async with client:
            watching = asyncio.create_task(self._watch(client))
            try:
                for act in visit(random, guest):
                    await asyncio.sleep(act.pause_s)
                    await self._try(client, token, act, random)
            finally:
                watching.cancel()

    async def _try(self, client: RoomClient, token: str, act: Act, random: Random) -> None:
        try:
            await self._do(client, token, act, random)
            self.done[act.deed] += 1
        except CommandRefused as refused:
            self.refused[refused.code] += 1

    async def _watch(self, client: RoomClient) -> None:
        """Read events as a page would, remembering only what is pinned now."""
        if client.welcome is not None:
            self._pinned = client.welcome.snapshot.get("pin")
        async for event in client:
            if event.kind == "pin":
                self._pinned = event.fields.get("product")

    async def _do(self, client: RoomClient, token: str, act: Act, random: Random) -> None:
        match act.deed:
            case Deed.SAY:
                await client.say(act.text)
            case Deed.LIKE:
                await client.like(act.count)
            case Deed.GIFT:
                await client.gift(act.text, act.count)
            case Deed.FOLLOW:
                await client.ask("follow")
            case Deed.BUY:
                await self._shop.buy(token, self._wanted(random))

    def _wanted(self, random: Random) -> str:
        """Choose the pinned product mostly, else any."""
        pinned = self._pinned
        if isinstance(pinned, dict) and pinned.get("id") and random.random() < 0.7:
            return str(pinned["id"])
        return random.choice(ITEMS).id
