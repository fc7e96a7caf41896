"""A house over a real SQLite file, with one room and a host."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.house import House, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(f"sqlite:///{tmp_path}/store.db") as opened:
        await opened.make_room(host="h1")
        yield opened
