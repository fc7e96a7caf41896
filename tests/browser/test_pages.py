"""Every page at two sizes, in two languages: accessible, nothing cut off, nothing from afar."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, DIST, PHONE, Shop, Visits

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = DIST.parent / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = Path(__file__).parent / "shots"

OVERFLOWING = """() => {
  const seen = []
  for (const element of document.querySelectorAll('button, h1, h2, h3, p, dt, dd, label, a')) {
    const box = element.getBoundingClientRect()
    if (box.width === 0 || element.closest('.visually-hidden, .layer, .lines, .strip')) continue
    const style = getComputedStyle(element)
    const meant = style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none'
    if (!meant && style.display !== 'inline' && element.scrollWidth > element.clientWidth + 1)
      seen.push('cut: ' + element.className + ' ' + element.textContent.trim().slice(0, 40))
    if (box.right > innerWidth + 1 || box.left < -1)
      seen.push('outside: ' + element.className + ' ' + element.textContent.trim().slice(0, 40))
  }
  if (document.documentElement.scrollWidth > innerWidth) seen.push('the page scrolls sideways')
  return seen
}"""


def _nothing(page: Page) -> None:
    """Leave the page as it opens."""


def _gifts(page: Page) -> None:
    page.locator(".round.gift").click()
    page.locator(".sheet").wait_for()


def _buying(page: Page) -> None:
    page.locator(".card .buy").click()
    page.locator(".sheet").wait_for()


def _products(page: Page) -> None:
    page.locator(".round.bag").click()
    page.locator(".item").first.wait_for()


def _card(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^(更多|More)$")).click()
    page.locator(".tile").first.click()
    page.locator(".figures").wait_for()


def _guests(page: Page) -> None:
    tab = page.get_by_role("tab").nth(2)
    if tab.is_visible():
        tab.click()
    page.locator("[data-user=guest]").wait_for()


STATES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "landing": ("/", _nothing),
    "viewer": ("/r/{room}", _nothing),
    "gifts": ("/r/{room}", _gifts),
    "buying": ("/r/{room}", _buying),
    "products": ("/r/{room}", _products),
    "card": ("/r/{room}", _card),
    "missing": ("/r/nowhere", _nothing),
    "studio": ("/studio/{room}", _guests),
    "board": ("/board/{room}", _nothing),
}


@pytest.fixture(scope="module")
def room(shop: Shop) -> str:
    """A room with a pinned product, a regular and something said."""
    made = shop.room("pages", title="小满茶铺 · 秋冬上新夜 | Autumn tea night")
    shop.server.member("guest", name="林夏家的小茶馆 Lin's tea house", coins=800)
    shop.product("gift-box", "古树普洱茶饼礼盒 Pu'er cake gift box, 357 g", 26_800, stock=12)
    shop.order("pages-1", "guest", made, "gift-box", 26_800)
    shop.pin(made, "gift-box")
    return made


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("state", STATES)
def test_a_page_is_accessible_and_nothing_is_cut_off(
    shop: Shop, visits: Visits, room: str, state: str, size: tuple[int, int], locale: str
) -> None:
    path, act = STATES[state]
    host = state in ("studio", "board")
    token = shop.server.token("host" if host else "guest", "host" if host else "viewer", room)
    foreign: list[str] = []

    def watch(page: Page) -> None:
        page.on("request", lambda request: foreign.append(request.url))

    if state == "studio":
        visits.viewer(room, "guest")
    page = visits.open(path.format(room=room), token, size=size, locale=locale, before=watch)
    page.wait_for_load_state("networkidle") if state == "landing" else page.wait_for_timeout(1_500)
    act(page)
    page.wait_for_timeout(500)  # what slides in has arrived
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{state}-{size[0]}-{locale[:2]}.png")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    serious = [
        (rule["id"], [node["html"][:120] for node in rule["nodes"]])
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]
    assert not serious, serious
    assert page.evaluate(OVERFLOWING) == []
    assert [url for url in foreign if "//127.0.0.1:" not in url and "blob:" not in url] == []


def test_the_landing_page_leads_into_the_room(shop: Shop, visits: Visits, room: str) -> None:
    page = visits.open("/", size=DESKTOP, locale="en-US")
    tile = page.get_by_role("link", name="Autumn tea night")
    expect(tile).to_contain_text("Not live")
    tile.click()
    page.locator(".dot.good").wait_for()
    assert page.url.endswith(f"/r/{room}")
    expect(page).to_have_title("小满茶铺 · 秋冬上新夜 | Autumn tea night · liveroom")


def test_a_visit_and_its_media_begin_before_the_framework_is_there(
    shop: Shop, visits: Visits
) -> None:
    answered: list[tuple[str, int]] = []

    def withhold_framework(page: Page) -> None:
        page.route("**/assets/main-*.js", lambda route: None)
        page.on("response", lambda it: answered.append((it.url.rsplit("/", 1)[-1], it.status)))

    page = visits.open(f"/r/{shop.room('early')}", before=withhold_framework)
    expect(page.locator(".poster")).to_be_visible()
    deadline = time.monotonic() + 10
    while not {("join", 200), ("whep", 201)} <= set(answered):
        assert time.monotonic() < deadline, answered
        page.wait_for_timeout(50)
    expect(page.locator(".phone")).to_have_count(0)
