"""The shop of the demo: products, members with their history, the host's evening. Only data.

Flows out: plain values and the bodies that the shop's backend would import over REST.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

ROOM: Final = "demo"
ROOM_TITLE: Final = "小满茶铺 · 秋冬上新夜 | Autumn tea night"
HOST: Final = "host-xiaoman"
HOST_NAME: Final = "小满"
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Item:
    """A product of the shop; `price` in fen."""

    id: str
    zh: str
    en: str
    price: int
    stock: int
    category: str

    def body(self) -> dict[str, Any]:
        """Write it for POST /v1/products."""
        return {
            "id": self.id,
            "title": f"{self.zh} {self.en}",
            "price": self.price,
            "stock": self.stock,
            "category": self.category,
        }


ITEMS: Final = (
    Item("longjing", "明前龙井", "Longjing", 12_800, 300, "绿茶"),
    Item("dahongpao", "武夷大红袍", "Da Hong Pao", 19_900, 200, "乌龙"),
    Item("puer", "古树普洱茶饼", "Pu'er cake", 26_800, 120, "普洱"),
    Item("baicha", "五年陈白茶", "Aged white tea", 16_800, 150, "白茶"),
    Item("gaiwan", "青花盖碗", "Gaiwan", 8_900, 80, "茶具"),
    Item("kettle", "铸铁提梁壶", "Iron kettle", 35_900, 40, "茶具"),
    Item("osmanthus", "桂花乌龙茶包", "Osmanthus oolong", 4_900, 800, "茶包"),
    Item("giftbox", "岁末礼盒", "Gift box", 29_900, 60, "礼盒"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody of the demo: `history` = how often they bought what, `days` since the last."""

    id: str
    name: str
    language: str = "zh"
    coins: int = 2_000
    history: tuple[tuple[str, int], ...] = ()
    days: int = 12
    open_about_orders: bool = True

    def member(self) -> dict[str, Any]:
        """Write them for POST /v1/members."""
        return {
            "id": self.id,
            "name": self.name,
            "age_band": "adult",
            "coins": self.coins,
            "public_orders": self.open_about_orders,
        }

    def orders(self, now_ms: int) -> Iterator[dict[str, Any]]:
        """Write their past orders for POST /v1/orders, oldest first; none of them is live."""
        prices = {item.id: item.price for item in ITEMS}
        for number, (product, quantity) in enumerate(self.history):
            age_days = self.days + (len(self.history) - 1 - number) * 17
            yield {
                "id": f"old-{self.id}-{number + 1}",
                "user": self.id,
                "paid_at": now_ms - age_days * DAY_MS,
                "lines": [
                    {"product": product, "quantity": quantity, "unit_price": prices[product]}
                ],
            }


RETURNING: Final = Guest(
    id="vip-linxia",
    name="林夏",
    coins=8_888,
    history=(("longjing", 2), ("dahongpao", 4), ("gaiwan", 1), ("puer", 4)),
    days=12,
)
"""The returning gold member behind the first viewer link."""

NEWCOMER: Final = Guest(id="new-alex", name="Alex", language="en", coins=1_200)
"""The newcomer behind the second viewer link."""

CROWD: Final = (
    Guest(id="s-chenmo", name="陈默", history=(("kettle", 4), ("puer", 14)), days=5),
    Guest(id="s-awen", name="阿雯", history=(("longjing", 6), ("giftbox", 6)), days=20),
    Guest(id="s-laozhou", name="老周爱喝茶", history=(("dahongpao", 3), ("baicha", 1)), days=9),
    Guest(id="s-tangtang", name="糖糖", history=(("osmanthus", 12),), days=33),
    Guest(id="s-mike", name="Mike W", language="en", history=(("puer", 2), ("gaiwan", 1)), days=41),
    Guest(id="s-xiaoyu", name="小雨", history=(("osmanthus", 2),), days=7),
    Guest(id="s-jojo", name="Jojo", language="en", history=(("longjing", 1),), days=60),
    Guest(id="s-amao", name="阿猫", history=(("baicha", 4),), days=15),
    Guest(id="s-sunny", name="Sunny", language="en"),
    Guest(id="s-dabai", name="大白"),
    Guest(id="s-nana", name="娜娜", open_about_orders=False),
    Guest(id="s-ben", name="Ben", language="en", open_about_orders=False),
    Guest(id="s-yezi", name="叶子"),
    Guest(id="s-kai", name="阿凯"),
    Guest(id="s-luna", name="Luna", language="en"),
    Guest(id="s-guoguo", name="果果"),
    Guest(id="s-zhang", name="张师傅", history=(("puer", 1),), days=90),
    Guest(id="s-emma", name="Emma", language="en"),
)
"""The simulated shoppers."""

EVERYBODY: Final = (RETURNING, NEWCOMER, *CROWD)

COUPONS: Final[tuple[dict[str, Any], ...]] = (
    {"id": "autumn10", "title": "满100减10 | ¥10 off ¥100", "off_fen": 1_000, "from_fen": 10_000},
    {
        "id": "gold25",
        "title": "金牌专享 满200减25 | Gold: ¥25 off ¥200",
        "off_fen": 2_500,
        "from_fen": 20_000,
        "tier": "gold",
    },
)
"""What a visitor may take from their card; bodies for POST /v1/coupons."""

HOST_LINES: Final = (
    "欢迎新进来的家人们，点点关注不迷路～",
    "Welcome everyone! Ask me anything about tea.",
    "这一款是今天的主推，喜欢的直接点商品卡",
    "老朋友又来啦，谢谢你们一直在",
    "Free shipping tonight, two days within China.",
    "喝茶先闻香，镜头前给大家看看汤色",
)
