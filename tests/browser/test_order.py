"""Keeping order on the pages: mute, delete, ban, slow mode, words, reports; markup stays text."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Shop, Visits

pytestmark = [pytest.mark.slow, pytest.mark.browser]

MARKUP = "<img src=x onerror=document.title='owned'>"


def say(page: Page, text: str) -> None:
    page.locator("input.input").fill(text)
    page.locator("input.input").press("Enter")


def look(page: Page, folder: Path, name: str) -> None:
    """Take a picture at both sizes, to be looked at."""
    before = page.viewport_size
    for width, height in (PHONE, DESKTOP):
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=folder / f"{name}-{width}.png")
    if before is not None:
        page.set_viewport_size(before)


def act(studio: Page, text: str, button: str) -> None:
    """Use a quick action of a line in the studio."""
    found = studio.locator(".list .line", has_text=text)
    found.hover()
    found.get_by_role("button", name=button).click()
    studio.mouse.move(2, 2)  # the list stands still under the pointer


def test_a_troll_is_muted_deleted_and_banned(shop: Shop, visits: Visits, pictures: Path) -> None:
    room = shop.room("order1")
    studio = visits.studio(room)
    troll = visits.viewer(room, "troll")
    ming = visits.viewer(room, "ming")
    say(troll, MARKUP)
    expect(ming.locator(".line.danmaku", has_text=MARKUP)).to_be_visible()
    act(studio, MARKUP, "删除 troll")
    expect(ming.locator(".line.danmaku", has_text=MARKUP)).to_have_count(0)
    expect(studio.locator(".list .line", has_text=MARKUP)).to_have_count(0)
    say(troll, "again")
    act(studio, "again", "禁言 10 分钟 troll")
    expect(troll.get_by_placeholder("你被禁言到")).to_be_disabled()
    look(troll, pictures, "muted")
    look(studio, pictures, "studio-chat")
    studio.get_by_role("button", name="秩序").click()
    studio.get_by_role("tab", name="处罚").click()
    studio.get_by_role("button", name="解除").click()
    look(studio, pictures, "order-barred")
    expect(troll.get_by_placeholder("说点什么…")).to_be_enabled()
    studio.get_by_role("button", name="关闭").click()
    say(troll, "third")
    act(studio, "third", "移出并拉黑 troll")
    studio.get_by_role("dialog").get_by_role("button", name="移出并拉黑").click()
    expect(troll.get_by_role("heading", name="你无法进入这个直播间")).to_be_visible()
    look(troll, pictures, "banned")
    again = visits.open(f"/r/{room}", shop.server.token("troll", room=room))
    expect(again.get_by_role("heading", name="你无法进入这个直播间")).to_be_visible()
    for page in (studio, troll, ming):
        assert page.title() != "owned"
    visits.errors.clear()  # the refused entry is told in the console


def test_reports_words_and_slow_mode(shop: Shop, visits: Visits, pictures: Path) -> None:
    room = shop.room("order2")
    studio = visits.studio(room)
    bo, ming = visits.viewer(room, "bo"), visits.viewer(room, "ming")
    say(bo, f"advert {MARKUP}")
    ming.locator(".line.danmaku", has_text="advert").click()
    expect(ming.get_by_role("dialog")).to_contain_text(MARKUP)
    ming.get_by_label("诈骗").check()
    look(ming, pictures, "report-sheet")
    ming.get_by_role("dialog").get_by_role("button", name="举报").click()
    expect(ming.get_by_text("已收到")).to_be_visible()
    studio.get_by_role("button", name="秩序 1").click()
    expect(studio.locator(".report")).to_contain_text(MARKUP)
    expect(studio.locator(".report")).to_contain_text("1 人举报 · 诈骗")
    look(studio, pictures, "order-reports")
    studio.locator(".report").get_by_role("button", name="删除").click()
    expect(ming.locator(".line.danmaku", has_text="advert")).to_have_count(0)
    studio.get_by_role("tab", name="敏感词").click()
    studio.get_by_label("敏感词", exact=True).fill("退款")
    studio.get_by_label("怎么处理").select_option("review")
    studio.get_by_role("button", name="添加").click()
    expect(studio.locator(".word")).to_contain_text("退款")
    look(studio, pictures, "order-words")
    say(bo, "我要退 款")
    expect(bo.get_by_text("需要房管看过")).to_be_visible()
    studio.get_by_role("tab", name="举报").click()
    studio.locator(".report").get_by_role("button", name="放行", exact=True).click()
    expect(ming.locator(".line.danmaku", has_text="我要退 款")).to_be_visible()
    studio.get_by_role("tab", name="规则").click()
    studio.get_by_label("慢速模式").select_option("30")
    look(studio, pictures, "order-rules")
    expect(bo.get_by_placeholder("慢速模式：每 30 秒一条")).to_be_visible()
    say(bo, "one")
    expect(bo.locator("input.input")).to_be_disabled()
    look(bo, pictures, "slow-mode")


def test_a_moderator_keeps_order_from_a_phone_in_english(
    shop: Shop, visits: Visits, pictures: Path
) -> None:
    room = shop.room("order3")
    bo = visits.viewer(room, "bo", locale="en")
    token = shop.server.token("mo", "moderator", room, name="Mo")
    studio = visits.open(f"/studio/{room}", token, locale="en")
    studio.locator(".online").wait_for()
    studio.get_by_role("tab", name="Chat").click()
    say(bo, "cheap pills")
    found = studio.locator(".list .line", has_text="cheap pills")
    expect(found.get_by_role("button", name="Mute for 10 min bo")).to_be_attached()
    expect(found.get_by_role("button", name="Remove and ban bo")).to_have_count(0)
    ming = visits.viewer(room, "ming", locale="en")
    ming.locator(".line.danmaku", has_text="cheap pills").click()
    ming.get_by_role("dialog").get_by_role("button", name="Report").click()
    studio.get_by_role("button", name="Order").click()
    expect(studio.locator(".report")).to_contain_text("1 report · Spam or advertising")
    studio.screenshot(path=pictures / "moderator-390.png")
    expect(studio.get_by_role("tab", name="Rules")).to_have_count(0)
    studio.locator(".report").get_by_role("button", name="Delete").click()
    expect(bo.locator(".line.danmaku", has_text="cheap pills")).to_have_count(0)
    kick = {"do": "kick", "user": "bo"}
    shop.server.call("POST", f"/v1/rooms/{room}/sanctions", json=kick)
    expect(bo.get_by_role("heading", name="You were removed from this room")).to_be_visible()
    bo.screenshot(path=pictures / "kicked-390.png")
