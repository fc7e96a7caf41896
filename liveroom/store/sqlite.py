"""SQLite: one thread owns one connection; commands that wait together share one commit.

One owner is not a simplification but the rule: two connections in WAL mode meet the
WAL-reset bug of SQLite before 3.51.3 / 3.50.7 / 3.44.6, which loses committed writes. A lock
file keeps a second process out.
"""

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from liveroom.domain.refusals import Refused
from liveroom.observe import logger
from liveroom.store.migrating import at_head, migrate
from liveroom.store.port import (
    COMMANDS_WAITING_MAX,
    OUTBOX_WRITTEN,
    Result,
    StoreUnusableError,
    Transaction,
)
from liveroom.store.steps import reached

BATCH_MAX: Final = 256
"""Commands that share one commit; the rest waits for the next."""
MEMORY: Final = ":memory:"
_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    # NORMAL would lose the last commits on power loss; this is money.
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
)

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    command: Callable[[Transaction], Any]
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    result: Any = None
    error: BaseException | None = None


def engine_for(path: str) -> Engine:
    """Make an engine whose transactions begin with the write lock in hand."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=StaticPool)

    @event.listens_for(engine, "begin")
    def begin_immediately(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine, "connect")
    def set_pragmas(raw: sqlite3.Connection, _record: object) -> None:
        for pragma in _PRAGMAS:
            raw.execute(pragma)

    return engine


def lock_file(path: str) -> int | None:
    """Take the store's lock for this process; None for a store in memory.

    Raises:
        StoreUnusableError: another process has it.

    """
    if path == MEMORY:
        return None
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreUnusableError(
            f"{path} is in use by another process; stop that one or choose another --store."
        ) from None
    return descriptor


def _check_after_crash(connection: Connection, path: str) -> None:
    verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if verdict != "ok":
        raise StoreUnusableError(f"{path} is damaged ({verdict}); restore it from a backup.")


def _abandon(connection: Connection) -> None:
    """Leave the transaction: a COMMIT that SQLite refuses keeps it open.

    Should even that fail, the next batch fails at its BEGIN and says so to its callers.
    """
    with suppress(DBAPIError, sqlite3.Error):
        if connection.in_transaction():
            connection.rollback()
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.rollback()


@final
class SqliteStore:
    """The embedded store. Make it with `open`."""

    def __init__(self, path: str, loop: asyncio.AbstractEventLoop) -> None:
        self.on_written: Callable[[], None] | None = None
        self._path = path
        self._loop = loop
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._waiting = 0
        self._closing = False
        self._ready: asyncio.Future[None] = loop.create_future()
        self._done = asyncio.Event()
        self._thread = threading.Thread(target=self._own, name="store", daemon=True)

    @classmethod
    async def open(cls, path: str) -> "SqliteStore":
        """Open the file, migrate it, and start its thread."""
        store = cls(path, asyncio.get_running_loop())
        store._thread.start()
        try:
            await store._ready
        except Exception:
            await store._done.wait()
            store._thread.join()
            raise
        return store

    async def run(self, command: Callable[[Transaction], Result]) -> Result:
        """Run one command; returns after the commit that contains it."""
        if self._closing or self._waiting >= COMMANDS_WAITING_MAX:
            raise Refused("unavailable", retry_ms=1_000)
        future: asyncio.Future[Result] = self._loop.create_future()
        self._waiting += 1
        self._queue.put(_Work(command, future))
        return await future

    async def close(self) -> None:
        """Finish what waits, then let go of the file."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        await self._done.wait()
        self._thread.join()

    # everything below runs in the store's thread, except where it says "on the loop"

    def _own(self) -> None:
        lock: int | None = None
        try:
            lock = lock_file(self._path)
            unclean = self._path != MEMORY and Path(f"{self._path}-wal").exists()
            engine = engine_for(self._path)
            try:
                with engine.connect() as connection:
                    self._prepare(connection, unclean)
                    self._loop.call_soon_threadsafe(self._ready.set_result, None)
                    self._serve(connection)
            finally:
                engine.dispose()
        except Exception as error:
            self._loop.call_soon_threadsafe(self._fail_to_open, error)
        finally:
            if lock is not None:
                os.close(lock)
            self._loop.call_soon_threadsafe(self._done.set)

    def _prepare(self, connection: Connection, unclean: bool) -> None:
        with connection.begin():
            if unclean:
                _check_after_crash(connection, self._path)
            if not at_head(connection):
                migrate(connection)

    def _fail_to_open(self, error: Exception) -> None:
        """Tell the opener (on the loop)."""
        if not self._ready.done():
            self._ready.set_exception(error)
        else:
            _log.error("store thread ended", exc_info=error)

    def _serve(self, connection: Connection) -> None:
        while True:
            batch, more = self._gather()
            if batch:
                outcomes, wrote = self._commit(connection, batch)
                self._loop.call_soon_threadsafe(self._resolve, batch, outcomes, wrote)
            if not more:
                return

    def _gather(self) -> tuple[list[_Work], bool]:
        """Wait for a command, then take all that wait with it."""
        batch: list[_Work] = []
        work = self._queue.get()
        while work is not None:
            batch.append(work)
            if len(batch) >= BATCH_MAX:
                return batch, True
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _commit(self, connection: Connection, batch: list[_Work]) -> tuple[list[_Outcome], bool]:
        """Run a batch in one transaction; if that fails nothing of it has happened."""
        connection.info.pop(OUTBOX_WRITTEN, None)
        try:
            with connection.begin():
                outcomes = [self._attempt(connection, work.command) for work in batch]
                reached("before_commit")
            reached("after_commit")
        except Exception as error:
            _abandon(connection)
            _log.error("store batch failed", commands=len(batch), exc_info=error)
            refused = Refused("unavailable", retry_ms=1_000)
            return [_Outcome(error=refused)] * len(batch), False
        return outcomes, bool(connection.info.pop(OUTBOX_WRITTEN, False))

    @staticmethod
    def _attempt(connection: Connection, command: Callable[[Transaction], Any]) -> _Outcome:
        savepoint = connection.begin_nested()
        try:
            result = command(connection)
        except OperationalError as error:
            savepoint.rollback()
            _log.error("store command failed", exc_info=error)
            return _Outcome(error=Refused("unavailable", retry_ms=1_000))
        except Exception as error:
            savepoint.rollback()
            return _Outcome(error=error)
        savepoint.commit()
        return _Outcome(result)

    def _resolve(self, batch: list[_Work], outcomes: list[_Outcome], wrote: bool) -> None:
        """Answer the callers (on the loop), only now that everything is on disk."""
        self._waiting -= len(batch)
        for work, outcome in zip(batch, outcomes, strict=True):
            if work.future.done():
                continue
            if outcome.error is not None:
                work.future.set_exception(outcome.error)
            else:
                work.future.set_result(outcome.result)
        if wrote and self.on_written is not None:
            self.on_written()
