"""kill -9 between gifts: what was acknowledged is there once, gap-free, and sums are zero."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from liveroom.store import journal, posting
from liveroom.store.database import open_store
from liveroom.store.port import Transaction
from liveroom.store.tables import bundles
from tests.house import ROOM
from tests.liveroom.store.giver import COINS, GIVERS

KILLS = 10
ROOT = Path(__file__).parents[3]
ACKNOWLEDGED_BEFORE_KILL_MAX = 60


def live_and_die(url: str, life: str, acknowledged_before_kill: int) -> list[list[str]]:
    """Let a process give gifts, kill it in the middle, return what it had been told."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.liveroom.store.giver", url, life],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    told: list[list[str]] = []
    try:
        assert process.stdout.readline() == "ready\n"
        for _ in range(acknowledged_before_kill):
            told.append(process.stdout.readline().split())  # noqa: PERF401 - each line is waited for
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
    whole_lines = [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    return told + [line.split() for line in whole_lines]


def refs(tx: Transaction) -> list[str]:
    query = select(bundles.c.ref).where(bundles.c.cause == "gift:rose")
    return list(tx.execute(query).scalars())


async def check(url: str, acknowledged: dict[str, tuple[str, int]]) -> None:
    store = await open_store(url)
    try:
        assert await store.run(posting.audit) == []
        kept = await store.run(lambda tx: journal.since(tx, "default", ROOM, 0))
        assert [event.n for event in kept] == list(range(1, len(kept) + 1))
        by_key = {event.cid: event for event in kept}
        assert len(by_key) == len(kept), "a key had two effects"
        for key, (id, n) in acknowledged.items():
            assert (by_key[key].id, by_key[key].n) == (id, n), f"{key} was lost or changed"
        paid = await store.run(refs)
        assert sorted(paid) == sorted(by_key), "a gift was paid and not shown, or the reverse"
        held = [posting.wallet_of(f"u{number}") for number in range(GIVERS)]
        left = [
            (await store.run(lambda tx, one=one: posting.balance_of(tx, "default", one))).amount
            for one in held
        ]
        assert sum(left) == GIVERS * COINS - len(kept)
    finally:
        await store.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_acknowledged_gift_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    url, chance = f"sqlite:///{tmp_path}/store.db", random.Random(7)
    acknowledged: dict[str, tuple[str, int]] = {}
    for kill in range(KILLS):
        before = chance.randrange(1, ACKNOWLEDGED_BEFORE_KILL_MAX)
        told = await asyncio.to_thread(live_and_die, url, f"life{kill}", before)
        assert len(told) >= before
        acknowledged |= {key: (id, int(n)) for key, id, n, _ in told}
        await check(url, acknowledged)
    assert len(acknowledged) > KILLS
