"""Replays over REST: addresses that open one file for a while, ranges, pictures of rooms."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.config import Config
from liveroom.domain.actors import Actor, Role
from liveroom.domain.ids import ProductId, RoomId, UserId
from liveroom.domain.recordings import SETTLE_MS, RecordingId
from liveroom.edge.ranges import read_range
from liveroom.edge.replay_links import LINK_MS, ReplayLinks
from tests.liveroom.edge.api_house import SECRET, House, open_house

ROOM = RoomId("r1")
FILM = b"\x1a\x45\xdf\xa3" + bytes(range(256)) * 8


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    folder = tmp_path / "films"
    folder.mkdir()
    async with open_house(tmp_path, recordings=folder) as house:
        await house.room("r1", host="h1")
        await house.good("POST", "/v1/products", json={"id": "lip", "title": "t", "price": 1})
        yield house


async def explained(house: House) -> None:
    """Let a product have been explained for ten seconds in a recorded broadcast."""
    services = house.services
    await services.rooms.host_live(ROOM, UserId("h1"), "s1")
    take = RecordingId("take")
    assert await services.replays.begin(take, ROOM, "s1", house.clock[0])
    actor = Actor(user=UserId("h1"), role=Role.HOST, room=ROOM)
    await services.shopping.pin(actor, ROOM, ProductId("lip"))
    house.clock[0] += 10_000
    await services.shopping.pin(actor, ROOM, None)
    house.clock[0] += SETTLE_MS
    assert house.media.recordings is not None
    (house.media.recordings / take).write_bytes(FILM)


async def test_an_explanation_is_cut_when_first_asked_for(house: House) -> None:
    await explained(house)
    (found,) = (await house.good("GET", "/v1/rooms/r1/segments", token=None))["segments"]
    assert (found["product"]["id"], found["duration_ms"]) == ("lip", 10_000)
    url = found["parts"][0]["url"]
    for _ in range(2):
        answer = await house.ask("GET", url)
        assert (answer.status_code, answer.content) == (200, FILM + b"part")
        assert answer.headers["content-type"] == "video/webm"
        assert answer.headers["accept-ranges"] == "bytes"
    cuts = [asked for asked in house.media.asked if asked["kind"] == "cut"]
    assert [(cut["source"], cut["part"]) for cut in cuts] == [("take", (0.0, 10.0))]


async def test_the_last_broadcast_can_be_seen_when_it_is_over(house: House) -> None:
    await explained(house)
    empty = {"broadcast": None, "parts": []}
    assert await house.good("GET", "/v1/rooms/r1/replay", token=None) == empty
    await house.services.replays.finish(RecordingId("take"), reason="finished", size=9)
    await house.good("POST", "/v1/rooms/r1/end")
    found = await house.good("GET", "/v1/rooms/r1/replay", token=None)
    assert found["broadcast"]["phase"] == "ended"
    (part,) = found["parts"]
    assert part["duration_ms"] == 10_000 + SETTLE_MS
    answer = await house.ask("GET", part["url"], headers={"Range": "bytes=4-7"})
    assert (answer.status_code, answer.content) == (206, FILM[4:8])
    assert answer.headers["content-range"] == f"bytes 4-7/{len(FILM)}"
    head = await house.ask("HEAD", part["url"])
    assert (head.content, head.headers["content-length"]) == (b"", str(len(FILM)))
    beyond = await house.ask("GET", part["url"], headers={"Range": f"bytes={len(FILM)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(FILM)}")


async def test_an_address_opens_its_own_file_for_its_own_time(house: House) -> None:
    await explained(house)
    await house.services.replays.finish(RecordingId("take"), reason="finished", size=9)
    await house.good("POST", "/v1/rooms/r1/end")
    url = (await house.good("GET", "/v1/rooms/r1/replay", token=None))["parts"][0]["url"]
    query = urlsplit(url).query
    others = [
        f"/v1/rooms/r1/replays/other?{query}",
        f"/v1/rooms/r2/replays/take?{query}",
        "/v1/rooms/r1/replays/take",
        f"/v1/rooms/r1/replays/take?{query.replace('until=1', 'until=2')}",
        f"/v1/rooms/r1/replays/take?{query[:-1]}x",
    ]
    for other in others:
        assert await house.refused("GET", other) == "403 forbidden", other
    assert await house.refused("GET", f"/v1/rooms/r1/replays/..%2Fliveroom.db?{query}") in (
        "404 not_found",
        "403 forbidden",
    )
    house.clock[0] += LINK_MS
    assert await house.refused("GET", url) == "403 forbidden"


async def test_a_file_that_is_gone_is_said_to_be(house: House) -> None:
    await explained(house)
    assert house.media.recordings is not None
    (found,) = (await house.good("GET", "/v1/rooms/r1/segments", token=None))["segments"]
    house.media.recordings = None
    assert await house.refused("GET", found["parts"][0]["url"]) == "404 not_found"


async def test_the_picture_of_a_room(house: House) -> None:
    path = "/v1/rooms/r1/preview.jpg"
    assert await house.refused("GET", path) == "404 not_found"
    house.media.pictures["r1"] = b"jpeg"
    answer = await house.ask("GET", path)
    assert (answer.content, answer.headers["content-type"]) == (b"jpeg", "image/jpeg")
    assert answer.headers["cache-control"] == "public, max-age=10"
    await house.room("closed", anonymous=False)
    house.media.pictures["closed"] = b"jpeg"
    assert await house.refused("GET", "/v1/rooms/closed/preview.jpg") == "404 not_found"


@given(st.text(max_size=30) | st.from_regex(r"bytes=\d{0,5}-\d{0,5}"), st.integers(0, 5_000))
def test_a_range_never_leaves_the_file(header: str, size: int) -> None:
    found = read_range(header, size, longest=1_000)
    if found is not None:
        first, count = found
        assert 0 <= first <= size
        assert 0 <= count <= size - first


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, (0, 100)),
        ("bytes=0-", (0, 50)),
        ("bytes=10-19", (10, 10)),
        ("bytes=90-200", (90, 10)),
        ("bytes=-30", (70, 30)),
        ("bytes=-300", (0, 50)),
        ("bytes=100-", None),
        ("bytes=-0", None),
        ("bytes=5-4", (0, 100)),
        ("bytes=-", (0, 100)),
        ("bytes=0-1,5-6", (0, 100)),
        ("lines=1-2", (0, 100)),
    ],
)
def test_ranges(header: str | None, expected: tuple[int, int] | None) -> None:
    assert read_range(header, 100, longest=50) == expected


def test_links_without_a_secret_hold_within_the_process() -> None:
    links, other = ReplayLinks(Config()), ReplayLinks(Config())
    query = dict(part.split("=") for part in links.query("r", "f", now=0).split("&"))
    assert links.opens("r", "f", query["until"], query["sig"], now=1)
    assert not other.opens("r", "f", query["until"], query["sig"], now=1)
    shared = ReplayLinks(Config(secret=SECRET)), ReplayLinks(Config(secret=SECRET))
    assert shared[0].query("r", "f", now=0) == shared[1].query("r", "f", now=0)
