"""Pages: built files with the right headers, nothing outside their folder, a hint without them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.liveroom.edge.api_house import House, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    for name in ("index", "room", "studio", "board"):
        (dist / f"{name}.html").write_text(f"<!doctype html><head><title>{name}</title></head>")
    (dist / "assets" / "room-1a2b.js").write_text("export {}")
    (dist / "assets" / "secret.py").write_text("no")
    (dist / "favicon.svg").write_text("<svg/>")
    (tmp_path / "outside.js").write_text("outside")
    (dist / "assets" / "link.js").symlink_to(tmp_path / "outside.js")
    async with open_house(tmp_path, dist) as house:
        yield house


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/", "index"),
        ("/r/room-1", "room"),
        ("/studio/room-1", "studio"),
        ("/board/room-1", "board"),
    ],
)
async def test_each_page_is_served_fresh_and_fenced(house: House, path: str, title: str) -> None:
    answer = await house.ask("GET", path)
    assert answer.status_code == 200
    assert title in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "connect-src 'self' ws://127.0.0.1:8081 http://127.0.0.1:8080;" in policy
    assert "frame-ancestors 'none'" in policy
    assert (await house.ask("HEAD", path)).status_code == 200
    tag = {"If-None-Match": answer.headers["etag"]}
    assert (await house.ask("GET", path, headers=tag)).status_code == 304


async def test_a_link_that_is_shared_shows_the_room(house: House) -> None:
    picture = '<meta property="og:image" content="http://127.0.0.1:8080/v1/rooms/r-1/preview.jpg">'
    assert picture in (await house.ask("GET", "/r/r-1")).text
    assert "og:image" not in (await house.ask("GET", "/studio/r-1")).text


async def test_assets_may_be_kept_for_ever(house: House) -> None:
    answer = await house.ask("GET", "/assets/room-1a2b.js")
    assert answer.text == "export {}"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert (await house.ask("GET", "/favicon.svg")).headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/nothing.js",
        "/assets/secret.py",
        "/assets/../index.html",
        "/assets/%2e%2e/%2e%2e/outside.js",
        "/assets/..%2foutside.js",
        "/assets/link.js",
        "/assets//etc/passwd",
        "/assets/%00.js",
        "/assets/" + "a" * 5000 + ".js",
        "/assets/",
        "/outside.js",
        "/index.html",
        "/nothing",
        "/r/a%20b",
        "/r/..%2f..%2fx",
        "/studio/" + "a" * 65,
    ],
)
async def test_nothing_else_is_served(house: House, path: str) -> None:
    answer = await house.ask("GET", path)
    assert answer.status_code == 404, answer.text
    assert "outside" not in answer.text


async def test_without_built_pages_it_says_which_command_builds_them(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        answer = await house.ask("GET", "/")
    assert answer.status_code == 503
    assert "make install" in answer.text
