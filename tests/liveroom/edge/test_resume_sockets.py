"""The same promise over real sockets: the Python client, and a gateway that falls and returns."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import pytest

from liveroom.bus.local import LocalBus
from liveroom.client.backoff import Backoff
from liveroom.client.room import RoomClient
from liveroom.client.visit import Joined
from liveroom.domain.events import Event
from liveroom.edge.callers import GatewayLimits
from liveroom.edge.gateway import Gateway
from tests.liveroom.edge.gateway_house import (
    ROOM,
    TOKENS,
    FakeServices,
    gift_fact,
    now_ms,
    text_fact,
    token,
    wait_until,
)
from tests.liveroom.edge.screens import Screen
from tests.server import free_port

STEPS = 60
PEOPLE = 4
MISSED_MAX = 6


class Evening:
    """A gateway that can be restarted on its port, and clients that stay through it."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.bus = LocalBus()
        self.fake = FakeServices(self.bus, missed_max=MISSED_MAX)
        self.port = free_port()
        self.gateway: Gateway
        self.clients: dict[str, tuple[RoomClient, Screen]] = {}
        self.published = 0
        self.recent: list[Event] = []

    async def open(self) -> None:
        self.gateway = Gateway(
            self.fake.services(), TOKENS, self.bus, GatewayLimits(), now_ms, chance=lambda: 0.0
        )
        await self.gateway.start("127.0.0.1", self.port)

    async def restart(self) -> None:
        await self.gateway.close()
        await self.open()

    @asynccontextmanager
    async def visit(self, user: str, encoding: str) -> AsyncIterator[None]:
        screen = Screen()
        url = f"ws://127.0.0.1:{self.port}/v1/ws"
        joined = Joined(url, "", None, token(user, ttl_s=600), {})
        client = RoomClient(
            "", ROOM, None, encoding=encoding, joined=joined, on_state=lambda state: seen(state)
        )
        client._token = joined.token
        client._backoff = Backoff(self.chance, base_s=0.02, cap_s=0.1)

        def seen(state: str) -> None:
            collect(client, screen)
            if state == "live" and client.welcome is not None and not client.welcome.resumed:
                welcome = client.welcome
                screen.begin(epoch=welcome.epoch, offset=welcome.offset, personal=welcome.personal)

        self.clients[user] = client, screen
        async with client:
            yield

    # What may happen.

    async def give(self) -> None:
        for _ in range(self.chance.choice([1, 1, 2, MISSED_MAX + 1])):
            self.fake.commit(gift_fact("anna"))

    async def relay(self) -> None:
        news = self.fake.history[self.published :]
        await self.publish(*news)
        if self.chance.random() < 0.7:  # else it fell before it noted that
            self.published = len(self.fake.history)

    async def pay(self) -> None:
        await self.fake.pay(self.chance.choice(list(self.clients)))

    async def talk(self) -> None:
        await self.publish(*(self.fake.event(text_fact("x", "hello")) for _ in range(3)))

    async def repeat(self) -> None:
        await self.publish(*self.recent[-3:])

    async def cut(self) -> None:
        client, _ = self.clients[self.chance.choice(list(self.clients))]
        await client.break_connection()

    async def publish(self, *events: Event) -> None:
        self.recent.extend(event for event in events if event.n is not None)
        await self.fake.publish(*events)

    async def breathe(self) -> None:
        await asyncio.sleep(self.chance.choice([0.0, 0.005, 0.03, 0.12]))

    async def lose(self) -> None:
        """Restart with another history: the store was lost."""
        await self.gateway.close()
        self.fake.epoch += "+"
        self.fake.history, self.fake.mine = [], {}
        self.published, self.recent = 0, []
        await self.open()

    # What must hold.

    def has_everything(self, user: str) -> bool:
        client, screen = self.clients[user]
        collect(client, screen)
        return screen.has(
            epoch=self.fake.epoch,
            numbers=len(self.fake.history),
            personal=len(self.fake.mine.get(user, ())),
        )


def collect(client: RoomClient, screen: Screen) -> None:
    while client._events:
        screen.draw(client._events.popleft())


# A client that connects in the very moment in which asyncio (3.11) closes its listener leaves
# an accepted socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_over_cuts_and_restarts_every_durable_event_comes_once(seed: int) -> None:
    evening = Evening(seed)
    often: list[Callable[[], Awaitable[None]]] = [
        *(evening.give, evening.relay, evening.relay, evening.pay, evening.talk),
        *(evening.repeat, evening.cut, evening.cut, evening.breathe, evening.breathe),
    ]
    await evening.open()
    async with AsyncExitStack() as stack:
        for index in range(PEOPLE):
            encoding = ("msgpack", "json")[index % 2]
            await stack.enter_async_context(evening.visit(f"u{index}", encoding))
        for step in range(STEPS):
            await evening.chance.choice(often)()
            if step % 20 == 10:
                await evening.restart()
            if step == STEPS // 2:
                await evening.lose()
        await evening.publish(*evening.fake.history[evening.published :])
        try:
            await wait_until(lambda: all(map(evening.has_everything, evening.clients)), 20)
        finally:
            for client, screen in evening.clients.values():
                screen.check()
                assert client.connects >= 3
    await evening.gateway.close()
