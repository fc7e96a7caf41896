"""Links and contact details are seen in the spellings people try, and prices are not."""

import pytest

from liveroom.domain.contacts import contacts_in, links_in

LINKS = [
    "看 https://shop.example/x?y=1",
    "www.taobao.com",
    "去 shop.xyz 看",
    "a-b.com.cn/p",
    "shop。com",
    "ＳＨＯＰ.ＣＯＭ",
    "shop . com",
    "weixin://dl/chat",
]
CONTACTS = [
    "13800138000",
    "打138 0013 8000",
    "１３８００１３８０００",
    "一三八零零一三八零零零",
    "+86 138-0013-8000",
    "call +44 20 7946 0958",
    "400-800-8820",
    "加V：shop_2020",
    "薇信 abcde1",
    "vx abc12345",
    "微信号是shop-88888",
    "QQ:1234567",
    "mail me@shop.example",
]
HARMLESS = [
    "这件199.00元",
    "身高165体重100",
    "第13次来",
    "3.5折",
    "我要2件M码1件L码",
    "wow...ok",
    "微信支付可以吗",
    "order 1380013",
    "comme ci comme ca",
    "20260101 开播",
    "哈哈哈哈",
    "version 1.2.3",
]


@pytest.mark.parametrize("text", LINKS)
def test_links(text: str) -> None:
    assert links_in(text)


@pytest.mark.parametrize("text", CONTACTS)
def test_contacts(text: str) -> None:
    assert contacts_in(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_lines_are_neither(text: str) -> None:
    assert links_in(text) == ()
    assert contacts_in(text) == ()


def test_only_the_number_is_pointed_at() -> None:
    text = "我的电话13800138000，晚上打"
    ((start, end),) = contacts_in(text)
    assert text[start:end] == "13800138000"
