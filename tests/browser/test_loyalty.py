"""Coupons, points and levels in the player: taken, seen in one's hand, used where one pays."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Shop, Visits

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def open_card(page: Page, more: str = "更多", card: str = "我的") -> None:
    page.get_by_role("button", name=more).click()
    page.get_by_role("dialog").get_by_role("button", name=card).click()
    expect(page.locator(".points .sum")).to_be_visible()


def close(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("button", name="关闭").click()
    expect(page.locator(".sheet")).to_have_count(0)


def look(page: Page, folder: Path, name: str) -> None:
    """Take a picture at both sizes, to be looked at."""
    page.wait_for_timeout(400)  # the sheet comes to rest before its picture is taken
    for width, height in (DESKTOP, PHONE):
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=folder / f"{name}-{width}.png")


def coupon(shop: Shop, id: str, title: str, off: int, **more: object) -> None:
    body = {"id": id, "title": title, "off_fen": off, **more}
    shop.server.call("POST", "/v1/coupons", json=body)


def test_an_open_coupon_is_taken_and_lowers_what_is_paid(
    shop: Shop, visits: Visits, pictures: Path
) -> None:
    room = shop.room("loyal-coupon")
    shop.server.member("cai", name="小菜")
    shop.product("loyal-tea", "大红袍", 20_000, stock=9)
    scope = {"products": ["loyal-tea"]}
    coupon(shop, "loyal50", "满200减50", 5_000, from_fen=20_000, **scope)
    coupon(shop, "loyal-one", "手慢无", 100, cap=1, **scope)
    page = visits.viewer(room, "cai")
    open_card(page)
    expect(page.locator(".card .next")).to_have_text("再买 ¥500 到银牌")
    look(page, pictures, "loyalty-open")
    rush = {"user": "somebody-else"}
    shop.server.call(
        "POST", "/v1/coupons/loyal-one/give", json=rush, headers={"Idempotency-Key": "rush"}
    )
    page.locator(".open .ticket", has_text="手慢无").get_by_role("button", name="领取").click()
    expect(page.locator(".notice.bad")).to_have_text("已经用完了")
    page.locator(".open .ticket", has_text="满200减50").get_by_role("button", name="领取").click()
    held = page.locator(".held .ticket", has_text="满200减50")
    expect(held).to_contain_text("¥50")
    expect(held).to_contain_text("满 ¥200 可用")
    expect(page.locator(".open .ticket", has_text="满200减50")).to_have_count(0)
    expect(page.locator(".notice", has_text="优惠券「满200减50」已到手")).to_be_visible()
    look(page, pictures, "loyalty-held")
    close(page)
    shop.pin(room, "loyal-tea")
    page.locator(".card .buy").click()
    expect(page.locator(".saving")).to_contain_text("满200减50")
    expect(page.locator(".saving")).to_contain_text("−¥50")
    look(page, pictures, "loyalty-quote")
    with page.expect_response("**/checkouts") as asked:
        page.get_by_role("button", name="确认支付 ¥150").click()
    assert asked.value.json()["amount"] == 15_000
    expect(page.locator(".done")).to_contain_text("¥150")
    page.get_by_role("button", name="继续看直播").click()
    open_card(page)
    expect(page.locator(".points")).to_contain_text("150 分待到账")
    expect(page.locator(".held .ticket", has_text="满200减50")).to_have_count(0)


def test_check_in_gives_points_once_and_they_pay_if_one_likes(
    shop: Shop, visits: Visits, pictures: Path
) -> None:
    room = shop.room("loyal-points")
    shop.server.member("dian", name="小点")
    shop.product("loyal-cup", "茶杯", 3_900, stock=9)
    page = visits.viewer(room, "dian")
    open_card(page)
    page.get_by_role("button", name="签到").click()
    expect(page.locator(".points .sum")).to_have_text("5")
    expect(page.locator(".points")).to_contain_text("5 分将于")
    expect(page.locator(".streak")).to_have_text("连续 1 天")
    expect(page.get_by_role("button", name="已签到")).to_be_disabled()
    expect(page.locator(".notice", has_text="签到 +5 积分")).to_be_visible()
    look(page, pictures, "loyalty-check-in")
    page.reload()
    page.locator(".dot.good").wait_for()
    open_card(page)
    page.get_by_role("button", name="签到").click()
    expect(page.locator(".notice")).to_contain_text("今天已经签到过了")
    expect(page.locator(".points .sum")).to_have_text("5")
    close(page)
    shop.pin(room, "loyal-cup")
    page.locator(".card .buy").click()
    expect(page.get_by_role("button", name="确认支付 ¥39")).to_be_enabled()
    page.get_by_role("switch", name="用 5 分抵 ¥0.05").check()
    look(page, pictures, "loyalty-points")
    with page.expect_response("**/checkouts") as asked:
        page.get_by_role("button", name="确认支付 ¥38.95").click()
    assert asked.value.json()["amount"] == 3_895
    expect(page.locator(".done")).to_contain_text("¥38.95")
    page.get_by_role("button", name="继续看直播").click()
    open_card(page)
    expect(page.locator(".points .sum")).to_have_text("0")


def test_a_price_that_changed_meanwhile_is_shown_before_it_is_paid(
    shop: Shop, visits: Visits
) -> None:
    room = shop.room("loyal-price")
    shop.server.member("jia", name="小价")
    shop.product("loyal-pot", "茶壶", 9_900, stock=9)
    page = visits.viewer(room, "jia")
    shop.pin(room, "loyal-pot")
    page.locator(".card .buy").click()
    expect(page.get_by_role("button", name="确认支付 ¥99")).to_be_enabled()
    shop.product("loyal-pot", "茶壶", 10_900, stock=9)
    page.get_by_role("button", name="确认支付 ¥99").click()
    expect(page.get_by_role("alert")).to_contain_text("价格刚刚有变")
    page.get_by_role("button", name="确认支付 ¥109").click()
    expect(page.locator(".done")).to_contain_text("¥109")


def test_a_purchase_that_raises_the_level_is_celebrated(
    shop: Shop, visits: Visits, pictures: Path
) -> None:
    room = shop.room("loyal-level")
    shop.server.member("sheng", name="Sheng")
    shop.product("loyal-set", "Tea set", 60_000, stock=9)
    page = visits.viewer(room, "sheng", locale="en-US")
    shop.pin(room, "loyal-set")
    page.locator(".card .buy").click()
    page.get_by_role("button", name="Pay ¥600").click()
    expect(page.locator(".notice.festive")).to_have_text("Level up! You are a Silver member now")
    page.screenshot(path=pictures / "loyalty-raised-390.png")
    page.get_by_role("button", name="Keep watching").click()
    open_card(page, "More", "My card")
    expect(page.locator(".card.silver .badge")).to_have_text("Silver")
    expect(page.locator(".card .next")).to_contain_text("to Gold")
    look(page, pictures, "loyalty-silver")
