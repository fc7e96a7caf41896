"""SQLite only: one owner, one commit for many, answers only from disk, a bounded queue."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from liveroom.domain.refusals import Refused
from liveroom.store import sqlite
from liveroom.store.database import open_store, upgrade
from liveroom.store.port import StoreUnusableError, Transaction
from liveroom.store.tables import members


def add(tx: Transaction, id: str) -> None:
    tx.execute(members.insert().values(tenant="t", id=id, created_at=0))


def names(tx: Transaction) -> list[str]:
    return list(tx.execute(select(members.c.id).order_by(members.c.id)).scalars())


async def test_the_connection_is_durable_checked_and_in_wal_mode(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/s.db")

    def pragma(tx: Transaction) -> list[object]:
        wanted = ("journal_mode", "synchronous", "foreign_keys")
        return [tx.execute(text(f"PRAGMA {name}")).scalar_one() for name in wanted]

    assert await store.run(pragma) == ["wal", 2, 1]
    await store.close()


async def test_a_second_process_is_refused_with_a_sentence(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/s.db")
    program = (
        "import asyncio, sys\n"
        "from liveroom.store.database import open_store\n"
        "try:\n"
        "    asyncio.run(open_store(sys.argv[1]))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, f"sqlite:///{tmp_path}/s.db"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("StoreUnusableError")
    assert "in use by another process; stop that one" in done.stdout
    await store.close()
    reopened = await open_store(f"sqlite:///{tmp_path}/s.db")
    await reopened.close()


async def test_commands_that_wait_together_share_one_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    commit = sqlite.SqliteStore._commit

    def counted(self: sqlite.SqliteStore, connection: object, batch: list[object]) -> object:
        sizes.append(len(batch))
        return commit(self, connection, batch)

    monkeypatch.setattr(sqlite.SqliteStore, "_commit", counted)
    store = await open_store(f"sqlite:///{tmp_path}/s.db")
    gate = threading.Event()
    first = asyncio.create_task(store.run(lambda _: gate.wait(10)))
    while not sizes:
        await asyncio.sleep(0.001)
    rest = [asyncio.create_task(store.run(lambda tx, i=i: add(tx, f"m{i:03}"))) for i in range(300)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, *rest)
    assert sizes == [1, sqlite.BATCH_MAX, 300 - sqlite.BATCH_MAX]
    assert len(await store.run(names)) == 300
    await store.close()


async def test_an_answer_comes_only_from_disk(tmp_path: Path) -> None:
    """What another connection cannot see yet was not answered yet."""
    path = tmp_path / "s.db"
    store = await open_store(f"sqlite:///{path}")
    for i in range(20):
        await store.run(lambda tx, i=i: add(tx, f"m{i}"))
        reader = sqlite3.connect(path)
        assert reader.execute("SELECT count(*) FROM members").fetchone() == (i + 1,)
        reader.close()
    await store.close()


async def test_over_the_bound_commands_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "COMMANDS_WAITING_MAX", 3)
    store = await open_store(f"sqlite:///{tmp_path}/s.db")
    gate = threading.Event()
    waiting = [asyncio.create_task(store.run(lambda _: gate.wait(10))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await store.run(names)
    assert (refused.value.code, refused.value.retry_ms) == ("unavailable", 1_000)
    gate.set()
    await asyncio.gather(*waiting)
    assert await store.run(names) == []
    await store.close()


async def test_a_batch_whose_commit_fails_has_not_happened_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/s.db")

    def violate_at_commit(tx: Transaction) -> None:
        """Leave a reference to nothing, which SQLite then only notices at the commit."""
        tx.execute(text("PRAGMA defer_foreign_keys=ON"))
        tx.execute(text("INSERT INTO room_members (tenant, room, member) VALUES ('t', 'x', 'm')"))

    results = await asyncio.gather(
        store.run(lambda tx: add(tx, "innocent")),
        store.run(violate_at_commit),
        return_exceptions=True,
    )
    assert any(isinstance(result, Refused) for result in results)
    assert await store.run(lambda tx: tx.execute(text("SELECT * FROM room_members")).all()) == []
    for result in results[:1]:
        kept = ["innocent"] if result is None else []
        assert await store.run(names) == kept
    await store.close()


@pytest.mark.slow
async def test_a_full_disk_is_unavailable_and_later_writes_work(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/s.db")

    def limit(tx: Transaction, pages: int) -> None:
        tx.execute(text(f"PRAGMA max_page_count={pages}"))

    used = await store.run(lambda tx: tx.execute(text("PRAGMA page_count")).scalar_one())
    await store.run(lambda tx: limit(tx, used))

    def much(tx: Transaction) -> None:
        for i in range(500):
            add(tx, f"{i}" + "x" * 1_000)

    with pytest.raises(Refused, match="unavailable"):
        await store.run(much)
    await store.run(lambda tx: limit(tx, 2**30))
    assert await store.run(names) == []
    await store.run(lambda tx: add(tx, "a"))
    assert await store.run(names) == ["a"]
    await store.close()


async def test_a_cancelled_caller_disturbs_nobody(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/s.db")
    gate = threading.Event()
    first = asyncio.create_task(store.run(lambda _: gate.wait(10)))
    gone = asyncio.create_task(store.run(lambda tx: add(tx, "gone")))
    await asyncio.sleep(0.01)
    gone.cancel()
    gate.set()
    await first
    await store.run(lambda tx: add(tx, "next"))
    assert "next" in await store.run(names)
    await store.close()


async def test_a_bug_in_a_command_reaches_its_caller(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/s.db")
    await store.run(lambda tx: add(tx, "a"))
    with pytest.raises(IntegrityError):
        await store.run(lambda tx: add(tx, "a"))
    await store.close()
    with pytest.raises(Refused, match="unavailable"):
        await store.run(names)
    await store.close()


async def test_a_damaged_file_is_refused_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = await open_store(f"sqlite:///{path}")

    def fill(tx: Transaction) -> None:
        for i in range(2_000):
            add(tx, f"m{i}")

    await store.run(fill)
    await store.close()
    content = bytearray(path.read_bytes())
    content[-60_000:-20_000] = b"\xff" * 40_000
    path.write_bytes(content)
    Path(f"{path}-wal").touch()
    with pytest.raises(StoreUnusableError, match="damaged"):
        await open_store(f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "", "http://x"])
async def test_an_address_that_is_no_store_is_named(url: str) -> None:
    with pytest.raises(StoreUnusableError):
        await open_store(url)


async def test_upgrade_makes_the_file_and_its_folder(tmp_path: Path) -> None:
    await upgrade(f"sqlite:///{tmp_path}/new/s.db")
    assert (tmp_path / "new" / "s.db").exists()


async def test_a_store_in_memory_needs_no_file() -> None:
    store = await open_store("sqlite://")
    await store.run(lambda tx: add(tx, "a"))
    assert await store.run(names) == ["a"]
    await store.close()
