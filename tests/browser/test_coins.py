"""Topping up in the player: balance → pack → paid, while the video goes on."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP, Shop, Visits

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("zh-CN", ("充值金币", "确认支付 ¥30", "310 金币已到账", "继续送礼物")),
        (
            "en-US",
            ("Top up coins", "Pay ¥30", "310 coins are in your wallet", "Back to the gifts"),
        ),
    ],
)
def test_coins_are_bought_and_given_without_leaving_the_room(
    shop: Shop, visits: Visits, pictures: Path, locale: str, words: tuple[str, ...]
) -> None:
    title, pay, paid, back = words
    user = f"topper-{locale}"
    room = shop.room(user.lower())
    shop.server.member(user)
    size = {"size": DESKTOP} if locale == "en-US" else {}
    page = visits.viewer(room, user, locale=locale, **size)
    page.locator(".round.gift").click()
    page.locator(".send").click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator(".pack")).to_have_count(6)
    expect(page.locator(".sheet")).to_have_count(1)
    page.wait_for_timeout(400)  # the sheet comes to rest before its picture is taken
    page.screenshot(path=pictures / f"coins-packs-{locale}.png")
    page.locator(".pack").nth(1).click()
    page.get_by_role("button", name=pay).click()
    expect(page.locator(".done")).to_contain_text(paid)
    page.screenshot(path=pictures / f"coins-paid-{locale}.png")
    page.get_by_role("button", name=back).click()
    expect(page.locator("button.balance")).to_contain_text("310")
    page.locator(".send").click()
    expect(page.locator("button.balance")).to_contain_text("309")


def test_who_has_not_confirmed_their_age_does_so_with_one_tap(
    shop: Shop, visits: Visits, pictures: Path
) -> None:
    room = shop.room("coins-age")
    page = visits.viewer(room, "of-unknown-age")
    page.locator(".round.gift").click()
    page.locator("button.balance").click()
    page.get_by_role("button", name="确认支付").click()
    page.screenshot(path=pictures / "coins-age.png")
    page.get_by_role("button", name="我已满 18 周岁").click()
    expect(page.locator(".done")).to_contain_text("金币已到账")
