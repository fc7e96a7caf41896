"""What a simulated shopper does next: a pure draw from their temper. No clock, no network.

Flows in: a random source and a guest. Flows out: acts, each after a pause.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from liveroom.demo.shop import Guest


class Deed(StrEnum):
    """The kinds of things a shopper does."""

    SAY = "say"
    LIKE = "like"
    GIFT = "gift"
    FOLLOW = "follow"
    BUY = "buy"


@dataclass(frozen=True, slots=True)
class Act:
    """One deed after a pause; `text` is what is said or the gift's name, `count` how many."""

    pause_s: float
    deed: Deed
    text: str = ""
    count: int = 1


PAUSE_S: Final = (4.0, 14.0)
"""Between a shopper's acts: eighteen of them make about two acts a second."""
ACTS_PER_VISIT: Final = (6, 14)
REGULAR_ORDERS: Final = 2
"""From so many past orders on somebody is a regular."""
AWAY_S: Final = (5.0, 25.0)
"""Before a shopper who left comes back."""

_WEIGHTS: Final = {Deed.SAY: 45, Deed.LIKE: 30, Deed.GIFT: 14, Deed.BUY: 5}
_GIFTS: Final = {"rose": 60, "heart": 25, "tea": 15, "cheer": 5, "fireworks": 2}
_ROSES_MAX: Final = 5

_LINES: Final = {
    "zh": (
        "主播晚上好！",
        "这个汤色好漂亮",
        "龙井是今年的新茶吗？",
        "上次买的普洱很好喝，再来一饼",
        "可以看下盖碗的细节吗",
        "已拍，坐等发货",
        "送爸妈合适吗？",
        "666",
        "价格好良心",
        "冷泡可以吗",
        "泡几分钟比较好？",
        "哈哈哈哈主播好可爱",
        "来了来了",
        "礼盒还有货吗",
        "第一次来，求推荐",
    ),
    "en": (
        "Good evening from Berlin!",
        "Which one is least bitter?",
        "That kettle looks amazing",
        "Just ordered the oolong",
        "How hot should the water be?",
        "Love this room ❤",
        "Does it ship abroad?",
        "Back again!",
        "What a colour",
        "Is the gift box still there?",
    ),
}


def visit(random: Random, guest: Guest) -> Iterator[Act]:
    """Draw all acts of one visit, the first of them soon after coming in."""
    if random.random() < 0.35:
        yield Act(random.uniform(1, 4), Deed.FOLLOW)
    if len(guest.history) >= REGULAR_ORDERS:
        # Regulars know what they want, so that the room soon sees somebody thanked.
        yield Act(random.uniform(*PAUSE_S), Deed.BUY)
        yield Act(random.uniform(*PAUSE_S), Deed.BUY)
    for _ in range(random.randint(*ACTS_PER_VISIT)):
        yield act(random, guest)


def act(random: Random, guest: Guest) -> Act:
    """Draw one act."""
    pause_s = random.uniform(*PAUSE_S)
    deed = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    if deed is Deed.SAY:
        return Act(pause_s, deed, random.choice(_LINES[guest.language]))
    if deed is Deed.LIKE:
        return Act(pause_s, deed, count=random.randint(1, 12))
    if deed is Deed.GIFT:
        gift = random.choices(list(_GIFTS), list(_GIFTS.values()))[0]
        return Act(pause_s, deed, gift, random.randint(1, _ROSES_MAX) if gift == "rose" else 1)
    return Act(pause_s, deed)


def away_s(random: Random) -> float:
    """Draw how long somebody stays away before coming back."""
    return random.uniform(*AWAY_S)
