"""The viewer's page, with real servers behind it: what people see and do."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import DESKTOP, PHONE, Shop, Visits, wait_true

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def _say(page: Page, text: str) -> None:
    page.locator(".bar .input").fill(text)
    page.keyboard.press("Enter")


def test_two_viewers_see_each_other_s_words_and_their_own_stand_out(
    shop: Shop, visits: Visits
) -> None:
    room = shop.room("words")
    mei, bo = visits.viewer(room, "mei"), visits.viewer(room, "bo")
    _say(mei, "这个颜色真好看 <b>1</b>")
    expect(bo.locator(".line.danmaku")).to_have_text(re.compile("这个颜色真好看 <b>1</b>"))
    expect(bo.locator(".layer .danmaku")).to_have_count(1)
    expect(mei.locator(".layer .danmaku.own")).to_have_text("这个颜色真好看 <b>1</b>")
    expect(mei.locator(".bar .input")).to_have_value("")
    _say(bo, "hello")
    expect(mei.locator(".line.danmaku").last).to_contain_text("hello")


def test_an_anonymous_visitor_watches_but_is_told_to_sign_in(shop: Shop, visits: Visits) -> None:
    page = visits.open(f"/r/{shop.room('anonymous')}")
    field = page.locator(".bar .input")
    expect(field).to_be_disabled()
    expect(field).to_have_attribute("placeholder", "登录后互动")
    page.locator(".follow").click()
    expect(page.locator(".notice")).to_contain_text("游客只能观看")


def test_a_follow_is_counted_and_still_there_after_a_reload(shop: Shop, visits: Visits) -> None:
    page = visits.viewer(shop.room("followed"), "fan")
    page.locator(".follow").click()
    expect(page.locator(".follow")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".host .sub")).to_have_text("1 粉丝")
    assert "#" not in page.url, "the token stays out of the address"
    page.reload()
    expect(page.locator(".follow")).to_have_attribute("aria-pressed", "true")


def test_a_rocket_fills_everybody_s_screen_and_costs_its_price(shop: Shop, visits: Visits) -> None:
    room = shop.room("rocket")
    shop.server.member("rich", coins=600)
    giver, watcher = visits.viewer(room, "rich", name="阿富"), visits.viewer(room, "watcher")
    giver.locator(".round.gift").click()
    giver.get_by_role("radio", name="火箭").click()
    giver.locator(".foot .send").click()
    banner = watcher.locator(".banner[data-effect=rocket]")
    expect(banner).to_contain_text("阿富")
    drawn = "document.querySelector('canvas.canvas').getContext('2d').getImageData(0,0,390,844)"
    wait_true(watcher, f"{drawn}.data.some((value) => value > 0)")
    expect(watcher.locator(".combo")).to_contain_text("×1")
    expect(giver.locator(".balance")).to_contain_text("100")


def test_likes_travel_to_the_other_screens(shop: Shop, visits: Visits) -> None:
    room = shop.room("likes")
    one, other = visits.viewer(room, "one"), visits.viewer(room, "other")
    for _ in range(5):
        one.locator(".round.like").click()
    expect(other.locator(".like .count")).to_have_text("5")
    expect(one.locator(".like .count")).to_have_text("5")


def test_the_pinned_product_is_bought_in_two_taps_and_the_third_order_is_thanked_in_public(
    shop: Shop, visits: Visits
) -> None:
    room = shop.room("buying")
    shop.server.member("buyer", name="林夏")
    shop.product("tea", "大红袍", 9_900, stock=5)
    for number in range(2):
        shop.order(f"buying-{number}", "buyer", room, "tea", 9_900)
    buyer, other = visits.viewer(room, "buyer", name="林夏"), visits.viewer(room, "other")
    shop.pin(room, "tea")
    expect(other.locator(".card .title")).to_have_text("大红袍")
    buyer.locator(".card .buy").click()
    buyer.get_by_role("button", name="确认支付 ¥99").click()
    expect(buyer.locator(".done")).to_contain_text("购买成功")
    expect(buyer.locator(".done")).to_contain_text("第 3 单")
    expect(other.locator(".layer .danmaku.ritual")).to_contain_text("第三次支持")
    buyer.get_by_role("button", name="继续看直播").click()
    expect(buyer.locator(".sheet")).to_have_count(0)


def test_a_product_that_is_not_pinned_is_bought_from_the_drawer(shop: Shop, visits: Visits) -> None:
    room = shop.room("drawer")
    shop.server.member("browser", name="小叶")
    shop.product("lamp", "纸灯", 3_900, stock=3)
    shop.product("gone", "绝版茶则", 5_900, stock=0)
    page = visits.viewer(room, "browser")
    page.get_by_role("button", name="全部商品").click()
    lamp = page.locator(".item", has_text="纸灯")
    expect(lamp).to_contain_text("仅剩 3 件")
    expect(page.locator(".item", has_text="绝版茶则").get_by_role("button")).to_be_disabled()
    lamp.get_by_role("button", name="去购买").click()
    page.get_by_role("button", name="确认支付 ¥39").click()
    expect(page.locator(".done")).to_contain_text("购买成功")
    page.get_by_role("button", name="继续看直播").click()
    page.get_by_role("button", name="全部商品").click()
    expect(lamp).to_contain_text("仅剩 2 件")


def test_a_guest_is_told_to_sign_in_where_gifts_are_sent(shop: Shop, visits: Visits) -> None:
    page = visits.open(f"/r/{shop.room('guest-gift')}")
    page.locator(".round.gift").click()
    expect(page.locator(".foot .send")).to_have_text("登录后送礼")
    expect(page.locator(".foot .send")).to_be_disabled()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="更多").click()
    page.get_by_role("button", name="我的").click()
    expect(page.get_by_role("dialog", name="我的")).to_contain_text("登录后在这里查看等级")
    expect(page.locator(".progress")).to_have_count(0)


def test_the_talk_is_still_followed_when_a_keyboard_takes_half_the_screen(
    shop: Shop, visits: Visits
) -> None:
    room = shop.room("keyboard")
    page, other = visits.viewer(room, "typist"), visits.viewer(room, "talker")
    for number in range(9):
        _say(other, f"第 {number} 句话，说得长一点，好让它换行占地方")
        expect(page.locator(".line.danmaku")).to_have_count(number + 1)
        page.wait_for_timeout(400)  # slower than the room's limit
    page.set_viewport_size({"width": 390, "height": 420})
    _say(other, "最后一句")
    expect(page.locator(".line.danmaku").last).to_have_text(re.compile("最后一句"))
    expect(page.locator(".line.danmaku").last).to_be_in_viewport()
    expect(page.locator(".fresh")).to_have_count(0)


def test_who_has_not_confirmed_their_age_does_so_with_one_tap(shop: Shop, visits: Visits) -> None:
    room = shop.room("age")
    shop.server.call("POST", "/v1/members", json={"id": "ageless"})
    shop.product("cup", "白瓷杯", 4_500)
    page = visits.viewer(room, "ageless")
    shop.pin(room, "cup")
    page.locator(".card .buy").click()
    page.get_by_role("button", name="确认支付").click()
    page.get_by_role("button", name="我已满 18 周岁").click()
    expect(page.locator(".done")).to_contain_text("购买成功")


def test_a_returning_customer_is_greeted_clear_of_product_and_input(
    shop: Shop, visits: Visits
) -> None:
    room = shop.room("greeting")
    shop.server.member("old-friend", name="周周")
    shop.product("pot", "紫砂壶", 29_900)
    shop.order("greeting-1", "old-friend", room, "pot", 29_900)
    shop.pin(room, "pot")
    page = visits.viewer(room, "old-friend", name="周周")
    welcome = page.locator(".welcome")
    expect(welcome).to_contain_text("欢迎回来，周周")
    page.wait_for_timeout(500)  # it slides in
    lower = welcome.bounding_box()
    card = page.locator("article.card").bounding_box()
    assert lower is not None
    assert card is not None
    assert lower["y"] + lower["height"] <= card["y"]
    expect(welcome).to_have_count(0)


def test_my_card_shows_level_and_ledger(shop: Shop, visits: Visits) -> None:
    room = shop.room("card")
    shop.server.member("saver", coins=50)
    page = visits.viewer(room, "saver", locale="en-US")
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="My card").click()
    expect(page.get_by_role("dialog", name="My card")).to_contain_text("more to Silver")
    expect(page.locator(".line .amount")).to_have_text("+50 coins")
    page.keyboard.press("Escape")
    page.locator(".round.gift").click()
    page.locator(".foot .send").click()
    expect(page.locator(".balance")).to_contain_text("49")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="My card").click()
    expect(page.locator("li.line").first).to_contain_text("Rose sent")
    expect(page.locator("li.line").first).to_contain_text(re.compile("[-−]1 coins"))


def test_the_language_can_be_switched_in_the_room(shop: Shop, visits: Visits) -> None:
    page = visits.viewer(shop.room("language"), "polyglot")
    page.get_by_role("button", name="更多").click()
    page.get_by_role("button", name="语言: English").click()
    expect(page.get_by_role("dialog", name="More")).to_be_visible()
    assert page.locator("html").get_attribute("lang") == "en"


def test_what_a_visit_cannot_be_is_said_in_words(shop: Shop, visits: Visits) -> None:
    missing = visits.open("/r/no-such-room")
    expect(missing.get_by_role("alert")).to_contain_text("直播间不存在")
    room = shop.room("refusing")
    refused = visits.open(f"/r/{room}", "a.b.c")
    expect(refused.get_by_role("alert")).to_contain_text("链接无法使用")
    waiting = visits.open(f"/r/{room}", locale="en-US")
    expect(waiting.locator(".slate")).to_contain_text("Not live yet")


@pytest.mark.parametrize(
    ("code", "words"),
    [(4103, "你已被请出直播间"), (4104, "你无法进入这个直播间"), (4105, "本场直播已结束")],
)
def test_a_final_close_ends_the_visit(shop: Shop, visits: Visits, code: int, words: str) -> None:
    room = shop.room(f"final-{code}")
    sockets: list[WebSocketRoute] = []
    page = visits.open(
        f"/r/{room}", shop.server.token("guest", room=room), before=_through(sockets)
    )
    page.locator(".dot.good").wait_for()
    sockets[0].close(code=code)
    expect(page.get_by_role("alert")).to_contain_text(words)
    assert len(sockets) == 1


def test_a_lost_connection_counts_down_and_comes_back_with_what_was_missed(
    shop: Shop, visits: Visits
) -> None:
    room = shop.room("resume")
    shop.server.member("giver", coins=10)
    sockets: list[WebSocketRoute] = []
    page = visits.open(
        f"/r/{room}", shop.server.token("loser", room=room), before=_through(sockets)
    )
    page.locator(".dot.good").wait_for()
    bye = {"t": "bye", "code": 4002, "why": "restart", "after_ms": 4_000}
    sockets[0].send(msgspec.msgpack.encode(bye))
    sockets[0].close(code=4002)
    expect(page.locator(".pill")).to_contain_text(re.compile("连接断开，[1-5] 秒后重试"))
    body = {"gift": "rose", "count": 3}
    token, headers = shop.server.token("giver", room=room), {"Idempotency-Key": "missed"}
    path = f"/v1/rooms/{room}/gifts"
    shop.server.call("POST", path, token=token, json=body, headers=headers)
    expect(page.locator(".dot.good")).to_be_visible()
    expect(page.locator(".line.gift")).to_have_count(1)
    expect(page.locator(".line.gift")).to_contain_text("×3")
    assert len(sockets) == 2


@pytest.mark.parametrize(("size", "name"), [(PHONE, "phone"), (DESKTOP, "desktop")])
def test_a_weak_network_is_told_while_the_room_goes_on(
    shop: Shop, visits: Visits, size: tuple[int, int], name: str, pictures: Path
) -> None:
    room = shop.room(f"weak-{name}")
    line = HeldLine()
    page = visits.open(
        f"/r/{room}", shop.server.token("far", room=room), size=size, before=line.between
    )
    page.locator(".dot.good").wait_for()
    line.hold()
    expect(page.locator(".pill")).to_contain_text("网络较弱")
    expect(page.locator(".dot.weak")).to_be_visible()
    page.screenshot(path=pictures / f"weak-{name}.png")
    line.release()
    expect(page.locator(".dot.good")).to_be_visible()
    expect(page.locator(".pill")).to_have_count(0)


class HeldLine:
    """A line whose frames to the page can be held up, and released in their order."""

    def __init__(self) -> None:
        self._held: list[str | bytes] | None = None
        self._page_side: WebSocketRoute

    def between(self, page: Page) -> None:
        page.route_web_socket(re.compile(r"/v1/ws$"), self._route)

    def hold(self) -> None:
        self._held = []

    def release(self) -> None:
        held, self._held = self._held or [], None
        for message in held:
            self._page_side.send(message)

    def _route(self, socket: WebSocketRoute) -> None:
        self._page_side = socket
        socket.connect_to_server().on_message(self._pass_on)

    def _pass_on(self, message: str | bytes) -> None:
        if self._held is None:
            self._page_side.send(message)
        else:
            self._held.append(message)


def _through(sockets: list[WebSocketRoute]) -> Callable[[Page], None]:
    """Put ourselves between page and gateway, so that a test can cut the line."""

    def route(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    return lambda page: page.route_web_socket(re.compile(r"/v1/ws$"), route)
