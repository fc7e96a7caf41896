"""Open a store by its address: `sqlite:///./liveroom.db` or `postgresql://…`."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from liveroom.store import postgres, sqlite
from liveroom.store.migrating import migrate
from liveroom.store.port import Store, StoreUnusableError


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreUnusableError(f"{url!r} is not a store address.") from error
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise StoreUnusableError("A store is sqlite:///FILE or postgresql://…")
    return parsed


async def open_store(url: str) -> Store:
    """Open a store; SQLite is migrated, PostgreSQL must have been.

    Raises:
        StoreUnusableError: with a sentence that says what to do.

    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return await sqlite.SqliteStore.open(parsed.database or sqlite.MEMORY)
    return await postgres.PostgresStore.open(parsed)


async def upgrade(url: str) -> None:
    """Migrate a database to this version."""
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        store = await sqlite.SqliteStore.open(parsed.database or sqlite.MEMORY)
        await store.close()
        return
    engine = postgres.engine_for(parsed)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    except OSError as error:
        raise StoreUnusableError(f"PostgreSQL does not answer: {error}") from error
    finally:
        await engine.dispose()
