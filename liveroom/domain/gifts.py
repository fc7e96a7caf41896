"""The gift catalogue, its bounds, and the combo: how often in a row within three seconds."""

from dataclasses import dataclass, field

from liveroom.domain.orders import check_amount
from liveroom.domain.refusals import Refused

GIFT_COUNT_MAX = 9_999
"""Units of one gift command; more are refused as invalid."""
COMBO_WINDOW_MS = 3_000
"""The same gift by the same person within this time continues the combo."""
COMBO_MAX = 10**9
"""A combo stops counting here (it cannot be reached at the permitted rates)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gift:
    """One gift: `price` in coins, `effect` small, banner or full (how big it is drawn)."""

    id: str
    price: int
    effect: str
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Combo:
    """A sender's running count of one gift, and when it was last raised (UTC ms)."""

    count: int
    at: int


CATALOGUE: tuple[Gift, ...] = (
    Gift(id="rose", price=1, effect="small", names={"zh": "玫瑰", "en": "Rose"}),
    Gift(id="heart", price=5, effect="small", names={"zh": "比心", "en": "Heart"}),
    Gift(id="tea", price=10, effect="small", names={"zh": "奶茶", "en": "Milk tea"}),
    Gift(id="cheer", price=30, effect="banner", names={"zh": "打call", "en": "Cheer"}),
    Gift(id="lantern", price=66, effect="banner", names={"zh": "孔明灯", "en": "Sky lantern"}),
    Gift(id="fireworks", price=188, effect="full", names={"zh": "烟花", "en": "Fireworks"}),
    Gift(id="rocket", price=500, effect="full", names={"zh": "火箭", "en": "Rocket"}),
    Gift(id="carnival", price=3_000, effect="full", names={"zh": "嘉年华", "en": "Carnival"}),
)

_BY_ID = {gift.id: gift for gift in CATALOGUE}


def find_gift(gift: str) -> Gift:
    """Look a gift up; an unknown one is refused."""
    found = _BY_ID.get(gift)
    if found is None:
        raise Refused("no_such_gift")
    return found


def price_of(gift: Gift, count: int) -> int:
    """Price a gift command after checking its count."""
    return gift.price * check_amount("count", count, least=1, most=GIFT_COUNT_MAX)


def next_combo(previous: Combo | None, *, count: int, at: int) -> Combo:
    """Continue the combo if the last one is at most three seconds old, else start anew."""
    running = previous.count if previous and at - previous.at <= COMBO_WINDOW_MS else 0
    return Combo(count=min(running + count, COMBO_MAX), at=at)
