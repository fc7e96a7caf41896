"""PostgreSQL through asyncpg: the same synchronous commands, run under `run_sync`.

Commands rely on guarded updates and row locks at READ COMMITTED; what the database still
calls a conflict (serialization failure, deadlock) is tried again.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Final, final

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from liveroom.domain.refusals import Refused
from liveroom.observe import logger
from liveroom.store.migrating import at_head
from liveroom.store.port import (
    COMMANDS_WAITING_MAX,
    OUTBOX_WRITTEN,
    Result,
    StoreUnusableError,
    Transaction,
)
from liveroom.store.steps import reached

CONNECTIONS_MAX: Final = 10
"""Connections of one process; commands beyond them wait."""
WAIT_S_MAX: Final = 5.0
"""A command that waits longer for a connection is refused as `unavailable`."""
ATTEMPTS_MAX: Final = 5
"""Tries of one command before a conflict is refused as `unavailable`."""
JITTER_S: Final = 0.02
"""The first pause between tries; it doubles, and a random half of it is left away."""
_CONFLICTS: Final = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
# connection, resources, object state, operator intervention, system (PostgreSQL appendix A)
_OUTAGES: Final = ("08", "53", "55", "57", "58")

_log = logger(__name__)


def engine_for(url: URL) -> AsyncEngine:
    """Make an engine for `postgresql://…`, whatever driver the address names."""
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=CONNECTIONS_MAX,
        max_overflow=0,
        pool_timeout=WAIT_S_MAX,
        pool_pre_ping=True,
    )


def is_conflict(error: DBAPIError) -> bool:
    """Whether trying again may help."""
    return getattr(error.orig, "sqlstate", None) in _CONFLICTS


def is_outage(error: DBAPIError) -> bool:
    """Whether the server, not the command, is at fault."""
    state = getattr(error.orig, "sqlstate", None) or ""
    # Without a state of the server it is the driver that lost its thread over a cut connection.
    cut = isinstance(error, InternalError) and not state
    return cut or isinstance(error, OperationalError | InterfaceError) or state.startswith(_OUTAGES)


@final
class PostgresStore:
    """The store for production. Make it with `open`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.on_written: Callable[[], None] | None = None
        self._engine = engine
        self._waiting = 0

    @classmethod
    async def open(cls, url: URL) -> "PostgresStore":
        """Connect and check that the tables are those of this version."""
        engine = engine_for(url)
        try:
            async with engine.connect() as connection:
                current = await connection.run_sync(at_head)
        except (OSError, DBAPIError) as error:
            await engine.dispose()
            raise StoreUnusableError(f"PostgreSQL does not answer: {error}") from error
        if not current:
            await engine.dispose()
            raise StoreUnusableError(
                "The database is not at this version; run: liveroom db upgrade --store "
                + url.render_as_string(hide_password=True)
            )
        return cls(engine)

    async def run(self, command: Callable[[Transaction], Result]) -> Result:
        """Run one command; conflicts are tried again with growing, jittered pauses."""
        if self._waiting >= COMMANDS_WAITING_MAX:
            raise Refused("unavailable", retry_ms=1_000)
        self._waiting += 1
        try:
            return await self._run(command)
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            if isinstance(error, DBAPIError) and not is_outage(error):
                raise
            _log.error("store command failed", exc_info=error)
            raise Refused("unavailable", retry_ms=1_000) from error
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def _run(self, command: Callable[[Transaction], Result]) -> Result:
        for attempt in range(ATTEMPTS_MAX):
            try:
                return await self._attempt(command)
            except DBAPIError as error:
                if not is_conflict(error):
                    raise
            pause_s = JITTER_S * 2**attempt
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
        raise Refused("unavailable", retry_ms=100)

    async def _attempt(self, command: Callable[[Transaction], Result]) -> Result:
        def work(transaction: Transaction) -> tuple[Result, bool]:
            transaction.info.pop(OUTBOX_WRITTEN, None)
            result = command(transaction)
            return result, bool(transaction.info.pop(OUTBOX_WRITTEN, False))

        async with self._engine.begin() as connection:
            result, wrote = await connection.run_sync(work)
            reached("before_commit")
        reached("after_commit")
        if wrote and self.on_written is not None:
            self.on_written()
        return result
