"""Seen again: a product's explanation from its card, the broadcast after its end, room pictures."""

import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Shop, Visits, wait_true

pytestmark = [pytest.mark.browser, pytest.mark.slow]

REPLAYED = "document.querySelector('.replay video')?.getVideoPlaybackQuality().totalVideoFrames > 5"
DECODED = "document.querySelector('video.picture')?.getVideoPlaybackQuality().totalVideoFrames > 5"
EXPLAINED_S = 4
"""Longer than a slip of the finger."""


def _still(page: Page, name: str) -> None:
    """Leave no trace but a look at both sizes."""
    for size in (PHONE, DESKTOP):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        box = page.locator(".replay").bounding_box()
        assert box is not None, name
        assert (box["width"], box["height"]) == size, name


def test_an_evening_is_seen_again(shop: Shop, visits: Visits) -> None:
    room = shop.room("again")
    shop.product("again-1", "桂花乌龙茶礼盒", 12_900)
    studio = visits.studio(room)
    viewer = visits.viewer(room, "late")
    studio.get_by_role("button", name="开始直播").click()
    wait_true(viewer, DECODED)
    landing = visits.open("/", size=DESKTOP)
    tile = landing.locator(f"a.tile[href='/r/{room}'] img.now")
    expect(tile).to_be_visible()
    wait_true(
        landing, f"document.querySelector(\"a.tile[href='/r/{room}'] img.now\").naturalWidth > 100"
    )
    shop.pin(room, "again-1")
    began = time.monotonic()
    while time.monotonic() - began < EXPLAINED_S:
        viewer.wait_for_timeout(200)
    shop.pin(room, None)
    studio.get_by_role("button", name="结束直播").click()
    studio.get_by_role("dialog").get_by_role("button", name="结束直播").click()
    expect(viewer.locator(".slate")).to_contain_text("本场直播已结束")
    viewer.get_by_role("button", name="看回放").click()
    expect(viewer.get_by_role("dialog", name="回放")).to_be_visible()
    wait_true(viewer, REPLAYED)
    _still(viewer, "whole")
    viewer.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    viewer.get_by_role("button", name="回到直播间").click()
    viewer.get_by_role("button", name="全部商品").click()
    viewer.get_by_role("button", name="看讲解").click()
    expect(viewer.get_by_role("dialog", name="讲解回放")).to_be_visible()
    wait_true(viewer, REPLAYED)
    seconds = viewer.evaluate("document.querySelector('.replay video').duration")
    assert EXPLAINED_S - 2 < seconds < EXPLAINED_S + 4
    viewer.keyboard.press("Escape")
    expect(viewer.locator(".replay")).to_have_count(0)


def test_a_replay_that_is_gone_says_so(shop: Shop, visits: Visits) -> None:
    room = shop.room("gone-replay")
    part = {"url": "/v1/rooms/gone-replay/replays/nothing?until=1&sig=x", "duration_ms": 1}
    viewer = visits.open(
        f"/r/{room}",
        shop.server.token("u", room=room),
        before=lambda page: page.route(
            "**/replay", lambda route: route.fulfill(json={"broadcast": None, "parts": [part]})
        ),
    )
    viewer.get_by_role("button", name="看回放").click()
    expect(viewer.get_by_role("alert")).to_contain_text("回放暂时打不开")
    expect(viewer.get_by_role("button", name="再试一次")).to_be_visible()
