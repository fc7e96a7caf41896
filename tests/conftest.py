"""Fixtures that every part of the suite may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.server import RunningServer, environment_for, running

# How long one example takes says more about what else the machine does than about the code.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One real server for all tests that make rooms of their own in it."""
    folder: Path = tmp_path_factory.mktemp("server")
    with running(environment_for(folder), folder / "server.log") as running_server:
        yield running_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave everything that starts a PostgreSQL cluster out of the fast suite."""
    for item in items:
        if "postgres" in item.nodeid:
            item.add_marker(pytest.mark.slow)
