"""Sessions over REST: who sees what of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.liveroom.edge.api_house import SESSION_REPORT, START_MS, House, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        await house.room("r1")
        yield house


async def test_a_merchant_sees_sessions_with_their_addresses(house: House) -> None:
    token = house.token("merchant")
    found = await house.good("GET", "/v1/rooms/r1/sessions", token=token)
    assert found["at"] == START_MS
    assert found["totals"]["layers"] == {"only": 1}
    assert found["sessions"] == [SESSION_REPORT]
    assert await house.good("GET", "/v1/rooms/r1/sessions/s", token=token) == SESSION_REPORT


async def test_a_host_sees_how_viewers_fare_but_not_where_they_are(house: House) -> None:
    token = house.token("host")
    listed = await house.good("GET", "/v1/rooms/r1/sessions", token=token)
    single = await house.good("GET", "/v1/rooms/r1/sessions/s", token=token)
    assert listed["sessions"] == [single]
    assert single == SESSION_REPORT | {"pair": {"local": "127.0.0.1:8082", "remote": None}}


async def test_the_totals_alone(house: House) -> None:
    token = house.token("host")
    found = await house.good("GET", "/v1/rooms/r1/sessions?limit=0", token=token)
    assert found["sessions"] == []
    assert found["totals"]["viewers"] == 1


@pytest.mark.parametrize("limit", ["-1", "1001", "x", "", "٣", "99999999999999999999"])
async def test_a_limit_out_of_bounds_is_refused(house: House, limit: str) -> None:
    path = f"/v1/rooms/r1/sessions?limit={limit}"
    assert await house.refused("GET", path, token=house.token("host")) == "422 invalid"


async def test_a_session_that_is_not_there(house: House) -> None:
    code = await house.refused("GET", "/v1/rooms/r1/sessions/gone", token=house.token("host"))
    assert code == "404 no_such_session"
