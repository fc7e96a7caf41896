"""The live board: charts that move, pause, and leave the page as files."""

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Shop, Visits, wait_true

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BITRATE_SHOWN = "Number(document.querySelector(`[data-metric=out_mbps] .value`).textContent) > 0"


def _board(shop: Shop, visits: Visits, room: str) -> Page:
    token = shop.server.token("host", "host", room)
    page = visits.open(f"/board/{room}", token, size=DESKTOP)
    page.locator(".chart canvas").first.wait_for()
    return page


def test_charts_follow_the_room(shop: Shop, visits: Visits) -> None:
    room = shop.room("charted")
    board = _board(shop, visits, room)
    expect(board.locator(".chart")).to_have_count(6)
    viewer = visits.viewer(room, "counted")
    expect(board.locator("[data-metric=online] .value")).to_have_text("1")
    for _ in range(3):
        viewer.locator(".round.like").click()
    expect(board.locator("[data-metric=likes] .value")).to_have_text("3")


def test_pausing_holds_the_view(shop: Shop, visits: Visits) -> None:
    room = shop.room("paused")
    board = _board(shop, visits, room)
    online = board.locator("[data-metric=online] .value")
    expect(online).to_have_text("0")
    board.get_by_role("button", name="暂停").click()
    expect(board.locator(".state")).to_have_text("已暂停")
    visits.viewer(room, "unseen")
    board.wait_for_timeout(2_500)  # two polls: the claim is that nothing happens
    expect(online).to_have_text("0")
    board.get_by_role("button", name="继续").click()
    expect(online).to_have_text("1")


def test_numbers_are_taken_along_as_csv_and_png(shop: Shop, visits: Visits, tmp_path: Path) -> None:
    board = _board(shop, visits, shop.room("exported"))
    expect(board.locator("[data-metric=online] .value")).to_have_text("0")
    with board.expect_download() as table:
        board.get_by_role("button", name="导出 CSV").click()
    table.value.save_as(tmp_path / "numbers.csv")
    rows = list(csv.DictReader((tmp_path / "numbers.csv").read_text().splitlines()))
    assert rows[0]["online"] == "0"
    with board.expect_download() as picture:
        board.get_by_role("button", name="导出图片").click()
    picture.value.save_as(tmp_path / "board.png")
    assert (tmp_path / "board.png").read_bytes().startswith(b"\x89PNG")


def test_the_board_says_when_numbers_stop(shop: Shop, visits: Visits) -> None:
    board = _board(shop, visits, shop.room("stale"))
    expect(board.locator("[data-metric=online] .value")).to_have_text("0")
    board.route("**/numbers", lambda route: route.abort())
    expect(board.locator(".state")).to_contain_text("数据中断")
    expect(board.get_by_role("alert")).to_be_visible()


def test_a_viewer_s_link_shows_no_numbers(shop: Shop, visits: Visits) -> None:
    room = shop.room("closed-board")
    page = visits.open(f"/board/{room}", shop.server.token("nosy", room=room), size=DESKTOP)
    expect(page.get_by_text("这个链接不能查看数据")).to_be_visible()


def _number(page: Page, metric: str) -> float:
    text = page.locator(f"[data-metric={metric}] .value").inner_text()
    return float(text) if text.replace(".", "").isdecimal() else 0.0


def test_the_media_tab_shows_who_sends_and_watches_and_how(shop: Shop, visits: Visits) -> None:
    room = shop.room("seen-media")
    board = _board(shop, visits, room)
    board.get_by_role("tab", name="媒体").click()
    expect(board.get_by_text("现在没有人推流或观看")).to_be_visible()
    studio = visits.studio(room)
    studio.get_by_role("button", name="开始直播").click()
    visits.viewer(room, "watcher")
    table = board.get_by_role("table")
    expect(table.get_by_role("row")).to_have_count(3)
    sends, plays = table.get_by_role("row").nth(1), table.get_by_role("row").nth(2)
    expect(sends).to_contain_text("推流host")
    expect(plays).to_contain_text("观看watcher")
    expect(plays).to_contain_text("已连接")
    expect(plays).to_contain_text("opus")
    expect(board.locator("[data-metric=legs] .value")).to_have_text("2")
    wait_true(board, BITRATE_SHOWN)
    assert _number(board, "forward_p99_ms") > 0
    for size, name in ((DESKTOP, "wide"), (PHONE, "phone")):
        board.set_viewport_size({"width": size[0], "height": size[1]})
        shown = board.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert shown, f"{name}: the page is wider than the screen"
    board.route("**/sessions?*", lambda route: route.abort())
    expect(board.locator(".state")).to_contain_text("数据中断")
