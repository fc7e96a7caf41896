"""kill -9 at random and at every named step: what was acknowledged is there once, in balance."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from liveroom.domain.ledger import chart
from liveroom.store import auditing, journal, posting, steps
from liveroom.store.database import open_store, upgrade
from liveroom.store.port import Transaction
from liveroom.store.steps import STEPS
from liveroom.store.tables import bundles
from tests.house import ROOM
from tests.liveroom.store.giver import COINS, GIVERS
from tests.postgres import cluster

ROUNDS = os.environ.get("LIVEROOM_TEST_ROUNDS")
SQLITE_KILLS, POSTGRES_KILLS = (25 * int(ROUNDS), 5 * int(ROUNDS)) if ROUNDS else (6, 2)
"""At 20 rounds, as in the release check, 500 and 100; each is one life of a process."""
ROOT = Path(__file__).parents[3]
ACKNOWLEDGED_BEFORE_KILL_MAX = 60


def live_and_die(url: str, life: str, *, after: int = 0, step: str = "") -> list[list[str]]:
    """Let a process give gifts until it is killed; return what it had been told.

    It is killed after so many acknowledgements, or kills itself when it reaches a named step
    (`STEP:COUNT`).
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), steps.VARIABLE: step}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.liveroom.store.giver", url, life],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    told: list[list[str]] = []
    try:
        assert process.stdout.readline() == "ready\n"
        for _ in range(after):
            told.append(process.stdout.readline().split())  # noqa: PERF401 - each line is waited for
        if not step:
            process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    whole_lines = [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    return told + [line.split() for line in whole_lines]


def refs(tx: Transaction) -> list[str]:
    query = select(bundles.c.ref).where(bundles.c.cause == "gift:rose")
    return list(tx.execute(query).scalars())


async def check(url: str, acknowledged: dict[str, tuple[str, int]]) -> None:
    store = await open_store(url)
    try:
        assert await store.run(auditing.audit) == []
        kept = await store.run(lambda tx: journal.since(tx, "default", ROOM, 0))
        assert [event.n for event in kept] == list(range(1, len(kept) + 1))
        by_key = {event.cid: event for event in kept}
        assert len(by_key) == len(kept), "a key had two effects"
        for key, (id, n) in acknowledged.items():
            assert (by_key[key].id, by_key[key].n) == (id, n), f"{key} was lost or changed"
        paid = await store.run(refs)
        assert sorted(paid) == sorted(by_key), "a gift was paid and not shown, or the reverse"
        held = [chart.wallet_of(f"u{number}") for number in range(GIVERS)]
        left = [
            (await store.run(lambda tx, one=one: posting.balance_of(tx, "default", one))).amount
            for one in held
        ]
        assert sum(left) == GIVERS * COINS - len(kept)
    finally:
        await store.close()


def plan(chance: random.Random, kills: int) -> list[dict[str, Any]]:
    """Say how each life ends: at every named step in turn, and at random between."""
    ends: list[dict[str, Any]] = [{"step": f"{step}:{chance.randrange(1, 30)}"} for step in STEPS]
    while len(ends) < kills:
        ends += [{"after": chance.randrange(1, ACKNOWLEDGED_BEFORE_KILL_MAX)}]
        ends += [{"step": f"{chance.choice(STEPS)}:{chance.randrange(1, 60)}"}]
    return ends[:kills]


async def kill_and_check(url: str, kills: int) -> None:
    chance = random.Random(7)
    acknowledged: dict[str, tuple[str, int]] = {}
    for number, end in enumerate(plan(chance, kills)):
        told = await asyncio.to_thread(live_and_die, url, f"life{number}", **end)
        assert len(told) >= end.get("after", 0)
        acknowledged |= {key: (id, int(n)) for key, id, n, _ in told}
        await check(url, acknowledged)
    assert len(acknowledged) > kills


@pytest.mark.slow
@pytest.mark.timeout(60 + 10 * SQLITE_KILLS)
async def test_no_acknowledged_gift_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    await kill_and_check(f"sqlite:///{tmp_path}/store.db", SQLITE_KILLS)


@pytest.mark.slow
@pytest.mark.timeout(60 + 10 * POSTGRES_KILLS)
async def test_nor_is_any_when_the_truth_lies_in_postgresql() -> None:
    with cluster(durable=True) as running:
        running.statement("CREATE DATABASE crash")
        await upgrade(running.url("crash"))
        await kill_and_check(running.url("crash"), POSTGRES_KILLS)
