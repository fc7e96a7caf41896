"""The stores that every contract is held against: SQLite and a real PostgreSQL."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveroom.store.database import upgrade
from tests.house import lay_store
from tests.postgres import Cluster, cluster
from tests.redis import (
    Guarded,
    RedisServer,
    cluster_url,
    guarded_redis,
    redis_cluster,
    redis_server,
)

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


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """One Redis for tests that leave it running."""
    with redis_server() as running:
        yield running


@pytest.fixture(scope="session")
def sentinel_redis() -> Iterator[Guarded]:
    """A master with a replica under Sentinels."""
    with guarded_redis() as running:
        yield running


@pytest.fixture(scope="session")
def clustered_redis() -> Iterator[str]:
    """The address of a cluster of three."""
    with redis_cluster() as servers:
        yield cluster_url(servers)
