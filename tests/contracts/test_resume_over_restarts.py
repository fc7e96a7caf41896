"""Exactly once on the screen, on both stores: real clients through falls of the whole server.

Gateway, services and store fall together and come back on what the database kept; meanwhile
connections break, and the bus repeats what it brought. What may happen is drawn by chance.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import pytest

from liveroom.bus.port import Publication
from liveroom.client.backoff import Backoff
from liveroom.client.room import RoomClient
from liveroom.client.visit import Joined
from liveroom.domain.events import PaymentReceived
from liveroom.domain.ids import DEFAULT_TENANT, OrderId, ProductId, UserId
from liveroom.edge.callers import GatewayLimits
from liveroom.edge.gateway import Gateway
from liveroom.service.rooms import MISSED_MAX
from liveroom.store import journal
from liveroom.store.journal import Place
from liveroom.store.port import Transaction
from tests.house import ROOM, House, open_house, viewer
from tests.liveroom.edge.gateway_house import TOKENS, now_ms, wait_until
from tests.liveroom.edge.screens import Screen
from tests.server import free_port

SEEDS = int(os.environ.get("LIVEROOM_TEST_ROUNDS", "1"))
STEPS = 40
RESTART_EVERY = 12
LONG_GAP_AT = STEPS // 2
PEOPLE = 3
GIVER = "giver"
EVERYBODY_WITHIN_S = 30.0


class Evening:
    """A server that falls and comes back on one database, and clients that stay through it."""

    def __init__(self, url: str, seed: int) -> None:
        self.url = url
        self.chance = Random(seed)
        self.port = free_port()
        self.lives = 0
        self.gifts = 0
        self.house: House
        self.gateway: Gateway
        self.clients: dict[str, tuple[RoomClient, Screen]] = {}
        self._life: AsyncExitStack

    async def rise(self) -> None:
        self.lives += 1
        self._life = AsyncExitStack()
        self.house = await self._life.enter_async_context(
            open_house(self.url, name=f"life{self.lives}-")
        )
        if self.lives == 1:
            await self.house.make_room(host="h1")
            await self.house.make_member(GIVER, coins=1_000_000)
        self.gateway = Gateway(
            self.house.services,
            TOKENS,
            self.house.bus,
            GatewayLimits(),
            now_ms,
            chance=lambda: 0.0,
        )
        await self.gateway.start("127.0.0.1", self.port)

    async def fall(self) -> None:
        await self.gateway.close()
        await self._life.aclose()

    @asynccontextmanager
    async def visit(self, user: str, encoding: str) -> AsyncIterator[None]:
        screen = Screen()
        url = f"ws://127.0.0.1:{self.port}/v1/ws"
        signed = TOKENS.sign(viewer(user), at=now_ms() / 1_000, ttl_s=600)
        joined = Joined(url, "", None, signed, {})
        client = RoomClient(
            "", ROOM, None, encoding=encoding, joined=joined, on_state=lambda state: seen(state)
        )
        client._token = joined.token
        client._backoff = Backoff(self.chance, base_s=0.02, cap_s=0.1)

        def seen(state: str) -> None:
            draw(client, screen)
            if state == "live" and client.welcome is not None and not client.welcome.resumed:
                shown = client.welcome
                screen.begin(epoch=shown.epoch, offset=shown.offset, personal=shown.personal)

        self.clients[user] = client, screen
        async with client:
            yield

    # What may happen.

    async def give(self, count: int = 1) -> None:
        giving = self.house.services.gifting.give
        keys = [f"gift-{self.gifts + number}" for number in range(count)]
        self.gifts += count
        await asyncio.gather(*(giving(viewer(GIVER), ROOM, "rose", 1, key) for key in keys))

    async def pay(self) -> None:
        user = UserId(self.chance.choice(list(self.clients)))
        self.gifts += 1
        fact = PaymentReceived(
            order=OrderId(f"o{self.gifts}"), product=ProductId("p"), title="p", amount=1, nth=1
        )

        def command(tx: Transaction) -> None:
            place = Place(tenant=DEFAULT_TENANT, room=ROOM, at=self.house.clock())
            journal.append_personal(tx, place, user, fact, new_id=lambda: fact.order)

        await self.house.store.run(command)

    async def repeat(self) -> None:
        """The bus brings again what a relay had published before it fell."""
        numbered = [event for event in self.house.heard if event.n or event.pn]
        await self.house.bus.publish(Publication(ROOM, tuple(numbered[-4:])))

    async def cut(self) -> None:
        client, _ = self.clients[self.chance.choice(list(self.clients))]
        await client.break_connection()

    async def restart(self) -> None:
        await self.fall()
        await self.rise()

    # What must hold.

    async def everybody_has_everything(self) -> None:
        entry = await self.house.services.rooms.enter(viewer(GIVER), ROOM)
        mine = {
            user: (await self.house.services.rooms.enter(viewer(user), ROOM)).personal
            for user in self.clients
        }

        def has(user: str) -> bool:
            client, screen = self.clients[user]
            draw(client, screen)
            return screen.has(epoch=entry.epoch, numbers=entry.offset, personal=mine[user])

        try:
            await wait_until(lambda: all(map(has, self.clients)), EVERYBODY_WITHIN_S)
        finally:
            for _client, screen in self.clients.values():
                screen.check()


def draw(client: RoomClient, screen: Screen) -> None:
    while client._events:
        screen.draw(client._events.popleft())


# A client that connects in the very moment in which asyncio (3.11) closes its listener leaves
# an accepted socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_over_falls_of_the_server_every_durable_event_comes_once(url: str, seed: int) -> None:
    evening = Evening(url, seed)
    often: list[Callable[[], Awaitable[None]]] = [
        *(evening.give, evening.give, evening.pay, evening.repeat, evening.cut)
    ]
    await evening.rise()
    async with AsyncExitStack() as stack:
        for index in range(PEOPLE):
            encoding = ("msgpack", "json")[index % 2]
            await stack.enter_async_context(evening.visit(f"u{index}", encoding))
        for step in range(STEPS):
            await evening.chance.choice(often)()
            if step % RESTART_EVERY == RESTART_EVERY - 1:
                await evening.restart()
            if step == LONG_GAP_AT:
                await evening.gateway.close()
                await evening.give(MISSED_MAX + 1)
                await evening.restart()
        await evening.everybody_has_everything()
        for client, screen in evening.clients.values():
            assert client.connects > 2, "a life may pass while a client is still on its way"
            assert len(screen.segments) == 2, "one snapshot at first, one after the long gap"
    await evening.fall()
