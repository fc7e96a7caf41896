"""A room full of clients that come back by themselves: they give, they watch, they are counted.

What must hold whatever happens to the servers: every gift is answered once, and every watcher
sees every gift once and in order.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from liveroom.client.room import RoomClient
from liveroom.client.visit import CommandRefused
from tests.server import RunningServer

COINS = 1_000_000
PAUSE_S = 0.1
ANSWERED_WITHIN_S = 60.0


@dataclass
class Watcher:
    """One client and the numbers of the gifts it has drawn."""

    client: RoomClient
    drawn: list[int] = field(default_factory=list)
    snapshots: int = 0

    async def watch(self) -> None:
        async for event in self.client:
            if event.n is not None:
                self.drawn.append(event.n)


@dataclass
class Evening:
    """Everybody in one room; `numbers` are the gifts that were acknowledged, by their ids."""

    room: str
    givers: list[RoomClient]
    watchers: list[Watcher]
    strict: bool
    numbers: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    _next: int = 0
    _going: bool = True

    async def give(self, giver: RoomClient) -> int:
        """Give one rose until it is answered; in a strict evening the first try must do."""
        self._next += 1
        cid = f"gift-{self._next}"
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            while True:
                try:
                    self.numbers[cid] = int((await giver.gift("rose", 1, id=cid))["n"])
                    return self.numbers[cid]
                except (TimeoutError, CommandRefused) as error:
                    code = error.code if isinstance(error, CommandRefused) else "timeout"
                    self.refused.append(code)
                    assert not self.strict, f"a gift failed: {code}"
                    assert code in ("timeout", "unavailable", "rate", "twin_in_flight"), code
                    await asyncio.sleep(0.2)

    async def keep_giving(self, giver: RoomClient) -> None:
        while self._going:
            await self.give(giver)
            await asyncio.sleep(PAUSE_S)

    def stop_giving(self) -> None:
        self._going = False

    async def reach(self, seconds: float) -> float:
        """Give once more from everywhere and wait until all have drawn it; how long that took."""
        started = time.monotonic()
        given = await asyncio.gather(*(self.give(giver) for giver in self.givers))
        async with asyncio.timeout(seconds):
            while any(
                not watcher.drawn or watcher.drawn[-1] < max(given) for watcher in self.watchers
            ):
                await asyncio.sleep(0.02)
        return time.monotonic() - started

    def check(self) -> None:
        """See that nothing acknowledged is lost, and nothing was drawn twice or out of order."""
        acknowledged = sorted(self.numbers.values())
        assert len(set(acknowledged)) == len(acknowledged), "one number for two gifts"
        last = acknowledged[-1]
        assert acknowledged == list(range(1, last + 1))
        for watcher in self.watchers:
            first = watcher.drawn[0]
            assert watcher.drawn == list(range(first, last + 1)), _wrong(watcher.drawn, last)
            assert first == 1


def _wrong(drawn: list[int], last: int) -> str:
    missing = sorted(set(range(drawn[0], last + 1)) - set(drawn))
    doubled = sorted({n for n in drawn if drawn.count(n) > 1})
    return f"missing {missing}, doubled {doubled}, {len(drawn)} of {last}"


@asynccontextmanager
async def evening(
    server: RunningServer, base: str, room: str, *, givers: int, watchers: int, strict: bool
) -> AsyncIterator[Evening]:
    """Fill a room through the load balancer at `base`; `server` is any node, to set it up."""
    await asyncio.to_thread(server.room, room)
    for index in range(givers):
        await asyncio.to_thread(server.member, f"{room}-giver{index}", coins=COINS)
    async with AsyncExitStack() as stack:

        async def enter(user: str) -> RoomClient:
            token = server.token(user, room=room)
            return await stack.enter_async_context(RoomClient(base, room, token))

        found = Evening(
            room,
            [await enter(f"{room}-giver{index}") for index in range(givers)],
            [Watcher(await enter(f"watcher{index}")) for index in range(watchers)],
            strict,
        )
        tasks = [asyncio.create_task(watcher.watch()) for watcher in found.watchers]
        tasks += [asyncio.create_task(found.keep_giving(giver)) for giver in found.givers]
        try:
            yield found
            found.stop_giving()
            await asyncio.gather(*tasks[watchers:])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
