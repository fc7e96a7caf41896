"""The studio: on air, regulars recognised, products pinned; and what viewers see of it."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import CHROMIUM, DESKTOP, FLAGS, PHONE, Shop, Visits, wait_true

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DECODED = "document.querySelector('video.picture')?.getVideoPlaybackQuality().totalVideoFrames ?? 0"


def _wait_playing(page: Page) -> None:
    wait_true(page, f"{DECODED} > 5")
    before = page.evaluate(DECODED)
    wait_true(page, f"{DECODED} > {before}")
    expect(page.locator(".picture.shown")).to_be_visible()


def _middle_is_green(page: Page) -> bool:
    """Chromium's fake camera paints green."""
    red, green, blue = page.evaluate(
        """() => {
          const canvas = document.createElement('canvas')
          canvas.width = canvas.height = 8
          const context = canvas.getContext('2d')
          context.drawImage(document.querySelector('video.picture'), 0, 0, 8, 8)
          return [...context.getImageData(1, 4, 1, 1).data.slice(0, 3)]
        }"""
    )
    return bool(green > red + 40 and green > blue + 40)


def test_the_camera_goes_live_and_three_viewers_play_it(shop: Shop, visits: Visits) -> None:
    room = shop.room("on-air")
    studio = visits.studio(room)
    viewers = [visits.viewer(room, f"watcher-{number}") for number in range(3)]
    studio.get_by_role("button", name="开始直播").click()
    expect(studio.locator(".status.live")).to_contain_text("直播中")
    for viewer in viewers:
        _wait_playing(viewer)
        assert _middle_is_green(viewer)
    expect(studio.locator(".meter")).to_contain_text("Mbps")
    studio.get_by_role("button", name="结束直播").click()
    studio.get_by_role("dialog").get_by_role("button", name="结束直播").click()
    expect(studio.locator(".status.stopped")).to_be_visible()
    for viewer in viewers:
        expect(viewer.locator(".slate")).to_contain_text("本场直播已结束")


def test_a_wide_picture_is_shown_whole_on_a_phone_and_beside_the_talk_on_a_wide_screen(
    shop: Shop, visits: Visits
) -> None:
    room = shop.room("wide")
    studio = visits.studio(room)
    viewer = visits.viewer(room, "wide-watcher")
    studio.get_by_role("button", name="开始直播").click()
    _wait_playing(viewer)
    picture = "getComputedStyle(document.querySelector('video.picture')).objectFit"
    wait_true(viewer, f"{picture} === 'contain'")
    viewer.set_viewport_size({"width": 1440, "height": 900})
    expect(viewer.locator(".page.theatre")).to_be_visible()
    frame, talk = viewer.locator(".frame").bounding_box(), viewer.locator(".phone").bounding_box()
    assert frame is not None
    assert talk is not None
    assert frame["x"] + frame["width"] <= talk["x"] + 1
    assert talk["x"] + talk["width"] == pytest.approx(1440, abs=1)


def test_a_host_who_goes_away_leaves_a_slate_and_comes_back(shop: Shop, visits: Visits) -> None:
    room = shop.room("away")
    studio = visits.studio(room)
    viewer = visits.viewer(room, "patient")
    studio.get_by_role("button", name="开始直播").click()
    _wait_playing(viewer)
    expect(viewer.locator(".slate")).to_have_count(0)
    studio.close(run_before_unload=False)
    expect(viewer.locator(".slate")).to_contain_text("主播马上回来")
    again = visits.studio(room)
    again.get_by_role("button", name="开始直播").click()
    _wait_playing(viewer)
    expect(viewer.locator(".slate")).to_have_count(0)


def test_lines_that_wrap_do_not_lie_over_each_other(shop: Shop, visits: Visits) -> None:
    room = shop.room("wrapping")
    studio = visits.studio(room, size=PHONE)
    viewer = visits.viewer(room, "talker")
    studio.get_by_role("tab", name="聊天").click()
    for number in range(14):
        viewer.locator(".bar .input").fill(
            f"{number} 这句话说得很长，长到在窄的地方一定要换行才放得下，真的很长"
        )
        viewer.keyboard.press("Enter")
        expect(studio.locator(".line.danmaku")).to_have_count(number + 1)
        viewer.wait_for_timeout(400)  # slower than the room's limit
    gaps = studio.evaluate(
        """() => {
          const texts = [...document.querySelectorAll('.list .line .text')]
          const boxes = texts.map((text) => text.getBoundingClientRect())
          return boxes.slice(1).map((box, at) => box.top - boxes[at].bottom)
        }"""
    )
    assert min(gaps) >= 0


def test_where_sound_needs_a_tap_the_picture_plays_and_says_so(
    shop: Shop, visits: Visits, chromium: Browser
) -> None:
    room = shop.room("muted")
    studio = visits.studio(room)
    studio.get_by_role("button", name="开始直播").click()
    expect(studio.locator(".status.live")).to_be_visible()
    flags = [flag for flag in FLAGS if "autoplay" not in flag]
    shy = chromium.browser_type.launch(executable_path=CHROMIUM, args=flags)
    try:
        viewer = Visits(shy, shop).viewer(room, "quiet")
        _wait_playing(viewer)
        viewer.get_by_role("button", name="点按开启声音").click()
        wait_true(viewer, "!document.querySelector('video.picture').muted")
        expect(viewer.locator(".pill.sound")).to_have_count(0)
        _wait_playing(viewer)
    finally:
        shy.close()


def test_a_second_studio_asks_before_it_takes_over(shop: Shop, visits: Visits) -> None:
    room = shop.room("take-over")
    first = visits.studio(room)
    first.get_by_role("button", name="开始直播").click()
    expect(first.locator(".status.live")).to_be_visible()
    viewer = visits.viewer(room, "stayer")
    _wait_playing(viewer)
    second = visits.studio(room)
    second.get_by_role("button", name="开始直播").click()
    expect(second.get_by_role("dialog")).to_contain_text("接管")
    second.get_by_role("button", name="接管直播").click()
    expect(second.locator(".status.live")).to_be_visible()
    _wait_playing(viewer)


def test_only_the_studio_sees_the_card_of_a_returning_customer(shop: Shop, visits: Visits) -> None:
    room = shop.room("regulars")
    shop.server.member("regular", name="陈默")
    shop.product("cake", "普洱茶饼", 26_800)
    shop.order("regulars-1", "regular", room, "cake", 26_800)
    studio, other = visits.studio(room), visits.viewer(room, "stranger")
    regular = visits.viewer(room, "regular", name="陈默")
    card = studio.locator("[data-user=regular]")
    expect(card).to_contain_text("陈默")
    expect(card).to_contain_text("普洱茶饼")
    studio.reload()
    expect(card).to_contain_text("普洱茶饼")
    card.get_by_role("button", name="一键感谢").click()
    expect(card).to_have_count(0)
    for page in (other, regular):
        expect(page.locator("[data-user=regular]")).to_have_count(0)
        assert "普洱茶饼" not in page.locator(".chat").inner_text()


def test_pinning_shows_the_product_to_viewers_and_unpinning_takes_it_down(
    shop: Shop, visits: Visits
) -> None:
    room = shop.room("pinning")
    shop.product("longjing", "明前龙井", 12_800)
    studio, viewer = visits.studio(room), visits.viewer(room, "shopper")
    studio.get_by_role("button", name="讲解: 明前龙井").click()
    expect(viewer.locator("article.card")).to_contain_text("¥128")
    studio.get_by_role("button", name="取消讲解: 明前龙井").click()
    expect(viewer.locator("article.card")).to_have_count(0)


def test_the_host_speaks_and_thanks_from_the_chat(shop: Shop, visits: Visits) -> None:
    room = shop.room("talking")
    studio, viewer = visits.studio(room), visits.viewer(room, "talker", name="Talker")
    viewer.locator(".bar .input").fill("想看杯子")
    viewer.keyboard.press("Enter")
    line = studio.locator(".line.danmaku", has_text="想看杯子")
    line.hover()
    line.get_by_role("button", name="感谢 Talker").click()
    expect(viewer.locator(".line.danmaku").last).to_contain_text("感谢 Talker")
    expect(viewer.locator(".line.danmaku").last).to_contain_text("主播")


def test_lists_hold_still_under_the_pointer_and_say_what_is_new(shop: Shop, visits: Visits) -> None:
    room = shop.room("holding")
    studio, viewer = visits.studio(room), visits.viewer(room, "writer")
    studio.get_by_role("log").hover()
    viewer.locator(".bar .input").fill("unmoved")
    viewer.keyboard.press("Enter")
    expect(studio.locator(".fresh")).to_contain_text("1")
    expect(studio.locator(".line.danmaku")).to_have_count(0)
    studio.mouse.move(5, 5)
    expect(studio.locator(".line.danmaku")).to_have_count(1)


def test_a_viewer_s_link_does_not_open_the_studio(shop: Shop, visits: Visits) -> None:
    room = shop.room("closed-studio")
    page = visits.open(f"/studio/{room}", shop.server.token("nosy", room=room), size=DESKTOP)
    expect(page.get_by_role("heading", name="这个链接不能开播，请使用主播链接")).to_be_visible()
