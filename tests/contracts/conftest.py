"""The stores that every contract is held against: SQLite and a real PostgreSQL."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveroom.store.database import upgrade
from tests.house import lay_store
from tests.postgres import Cluster, cluster

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """One cluster for the session, with a migrated database to copy from."""
    with cluster() as running:
        running.statement("CREATE DATABASE migrated")
        asyncio.run(upgrade(running.url("migrated")))
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh, migrated store."""
    if request.param == "sqlite":
        return lay_store(f"sqlite:///{tmp_path}/store.db")
    running: Cluster = request.getfixturevalue("postgres")
    name = f"test{next(_numbers)}"
    running.statement(f"CREATE DATABASE {name} TEMPLATE migrated")
    return running.url(name)
