"""kill -9 between gifts: what was acknowledged is there once, for everybody, in order."""

import asyncio
import os
import random
import sqlite3
from contextlib import ExitStack
from pathlib import Path

import pytest

from liveroom.client.room import RoomClient
from liveroom.client.visit import CommandRefused, RoomClosed
from tests.server import RunningServer, environment_for, running

ROUNDS = int(os.environ.get("LIVEROOM_TEST_ROUNDS", "3"))
GIFTS_BETWEEN_KILLS = 25
COINS = 10_000
ANSWERS_WITHIN_S = 60


async def _give_until_answered(giver: RoomClient, cid: str) -> int:
    """Give one rose under one id until the server has answered; return the event's number."""
    async with asyncio.timeout(ANSWERS_WITHIN_S):
        while True:
            try:
                return int((await giver.gift("rose", 1, id=cid))["n"])
            except TimeoutError:
                continue
            except CommandRefused as refused:
                if refused.code not in ("unavailable", "rate", "twin_in_flight"):
                    raise
                await asyncio.sleep((refused.retry_ms or 100) / 1000)


def _restart(stack: ExitStack, server: RunningServer) -> RunningServer:
    return stack.enter_context(running(server.environment, server.log))


@pytest.mark.slow
@pytest.mark.timeout(60 * (ROUNDS + 2))
async def test_no_acknowledged_gift_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    chance = random.Random(20)
    with ExitStack() as stack:
        server = stack.enter_context(running(environment_for(tmp_path), tmp_path / "server.log"))
        server.room("crash")
        server.member("giver", coins=COINS)
        server.member("watcher")
        numbers: dict[str, int] = {}
        async with (
            RoomClient(server.base, "crash", server.token("giver", room="crash")) as giver,
            RoomClient(server.base, "crash", server.token("watcher", room="crash")) as watcher,
        ):
            for round_number in range(ROUNDS):
                kill_after = chance.randrange(5, GIFTS_BETWEEN_KILLS - 5)
                waiting: set[asyncio.Task[None]] = set()

                async def give(cid: str) -> None:
                    numbers[cid] = await _give_until_answered(giver, cid)

                for i in range(GIFTS_BETWEEN_KILLS):
                    if i == kill_after:
                        await asyncio.to_thread(server.kill)
                    waiting.add(asyncio.create_task(give(f"gift-{round_number}-{i}")))
                    await asyncio.sleep(0.06)
                server = await asyncio.to_thread(_restart, stack, server)
                await asyncio.gather(*waiting)
            seen = await _gifts_seen(watcher, len(numbers))
            left = (await giver.gift("rose", 1, id="last"))["coins_left"]

        assert len(numbers) == ROUNDS * GIFTS_BETWEEN_KILLS
        assert seen == numbers
        assert sorted(seen.values()) == list(
            range(min(seen.values()), min(seen.values()) + len(seen))
        )
        assert left == COINS - len(numbers) - 1
        server.process.terminate()
        await asyncio.to_thread(server.process.wait, 20)
    _assert_ledger_sums_to_zero(tmp_path / "liveroom.db")


async def _gifts_seen(watcher: RoomClient, count: int) -> dict[str, int]:
    """Collect the gifts on a viewer's screen: each command id at most once."""
    seen: dict[str, int] = {}
    async with asyncio.timeout(ANSWERS_WITHIN_S):
        async for event in watcher:
            if event.kind == "gift":
                assert event.cid is None or event.cid not in seen, f"{event.cid} shown twice"
                assert event.n is not None
                seen[str(event.cid)] = event.n
            if len(seen) == count:
                return seen
    raise RoomClosed(1006, "the stream ended early")


def _assert_ledger_sums_to_zero(path: Path) -> None:
    with sqlite3.connect(path) as database:
        totals = dict(database.execute("SELECT unit, SUM(amount) FROM ledger_lines GROUP BY unit"))
        assert set(totals.values()) == {0}, totals
        assert "coin" in "".join(totals), totals
