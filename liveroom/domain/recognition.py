"""Recognising a returning customer: the host's card, its worth, and the queue it waits in.

A flood of entries must not flood the host: the queue ranks by value, holds a bounded number
of cards, lets so many out per second, and forgets them when they are stale. Pure: time in.
"""

from collections import deque
from dataclasses import dataclass

from liveroom.domain.events import Event, LastPurchase, Recognised
from liveroom.domain.ids import ProductId, UserId
from liveroom.domain.tiers import Tier, rank

DAY_MS = 24 * 60 * 60 * 1000
SECOND_MS = 1000
ORDERS_COUNTED_MAX = 99
VISITS_COUNTED_MAX = 9
"""More visits do not make a card more urgent: buying does."""
PREFERS_MAX = 3
"""How many favourites a card names."""

TIER_NAMES = {
    "zh": {Tier.SILVER: "银牌", Tier.GOLD: "金牌", Tier.DIAMOND: "钻石"},
    "en": {Tier.SILVER: "silver", Tier.GOLD: "gold", Tier.DIAMOND: "diamond"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A bought product and when (UTC ms)."""

    product: ProductId
    title: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the store knows about somebody in a room: the projection recognition works on.

    `orders` counts the whole shop, `room_orders` and `visits` this room.
    """

    user: UserId
    name: str
    tier: Tier
    orders: int
    room_orders: int
    visits: int
    last: Purchase | None = None
    prefers: tuple[str, ...] = ()

    @property
    def returning(self) -> bool:
        """Whether this is an old customer (老用户): somebody who has bought before."""
        return self.orders > 0 or self.tier is not Tier.BASIC


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePolicy:
    """Bounds of the host's queue.

    Over `cards_max` the least valuable card is dropped; over `per_second` cards wait for
    their turn; after `expiry_ms` a card is forgotten.
    """

    cards_max: int = 50
    per_second: int = 5
    expiry_ms: int = 10 * 60 * 1000


def last_purchase(profile: Profile, *, at: int) -> LastPurchase | None:
    """Say what was bought last and how many whole days ago."""
    last = profile.last
    if last is None:
        return None
    days = max(0, at - last.at) // DAY_MS
    return LastPurchase(product=last.product, title=last.title, at=last.at, days=days)


def value_of(profile: Profile) -> int:
    """Rank a customer without telling what they spent: level, then orders, then visits."""
    orders = min(profile.orders, ORDERS_COUNTED_MAX)
    visits = min(profile.visits, VISITS_COUNTED_MAX)
    return rank(profile.tier) * 1_000 + orders * 10 + visits


def suggest(profile: Profile, *, at: int) -> dict[str, str]:
    """Write one sentence the host may say, in every language the pages speak."""
    name, last = profile.name, last_purchase(profile, at=at)
    tier_zh = TIER_NAMES["zh"].get(profile.tier, "")
    tier_en = TIER_NAMES["en"].get(profile.tier, "")
    hello_zh = f"欢迎{tier_zh}家人{name}回来" if tier_zh else f"欢迎{name}家人回来"
    hello_en = f"Welcome back {name}, our {tier_en} member" if tier_en else f"Welcome back {name}"
    if last is None:
        return {
            "zh": f"{hello_zh}！好久不见，今天想看点什么？",
            "en": f"{hello_en}! What shall I show?",
        }
    if last.days == 0:
        return {
            "zh": f"{hello_zh}！刚买的{last.title}马上给您安排。",
            "en": f"{hello_en}! Your {last.title} from today is on its way.",
        }
    ago_en = "yesterday" if last.days == 1 else f"{last.days} days ago"
    return {
        "zh": f"{hello_zh}！{last.days}天前带走的{last.title}用得还好吗？",
        "en": f"{hello_en}! How do you like the {last.title} you bought {ago_en}?",
    }


def card_of(profile: Profile, *, at: int, language: str) -> Recognised:
    """Make the card that only the host sees."""
    sentences = suggest(profile, at=at)
    return Recognised(
        user=profile.user,
        name=profile.name,
        tier=profile.tier,
        orders=profile.orders,
        visits=profile.visits,
        last=last_purchase(profile, at=at),
        prefers=profile.prefers[:PREFERS_MAX],
        suggest=sentences.get(language, sentences["en"]),
        suggests=sentences,
        value=value_of(profile),
    )


@dataclass(slots=True)
class _Waiting:
    event: Event
    value: int
    offered_at: int
    shown: bool = False


class RecognitionQueue:
    """The cards of one room: one per person, ranked, bounded, let out at a bounded rate."""

    def __init__(self, policy: QueuePolicy) -> None:
        self._policy = policy
        self._cards: dict[UserId, _Waiting] = {}
        self._released: deque[int] = deque(maxlen=policy.per_second)

    def __len__(self) -> int:
        return len(self._cards)

    def offer(self, event: Event, *, at: int) -> Event | None:
        """Take a card in, in place of the same person's older one; return what was dropped."""
        card = event.fact
        if not isinstance(card, Recognised):
            raise TypeError("the queue holds recognition cards")
        self._forget_stale(at)
        self._cards[card.user] = _Waiting(event, card.value, at)
        if len(self._cards) <= self._policy.cards_max:
            return None
        least = min(self._cards, key=lambda user: self._rank(self._cards[user]))
        return self._cards.pop(least).event

    def note(self, event: Event, *, at: int) -> None:
        """Keep a card that was let out already, by this queue or by another node's."""
        card = event.fact
        if not isinstance(card, Recognised):
            raise TypeError("the queue holds recognition cards")
        known = self._cards.get(card.user)
        if known is None or known.event.id != event.id:
            self.offer(event, at=at)
            if (noted := self._cards.get(card.user)) is not None:
                noted.shown = True

    def release(self, *, at: int) -> list[Event]:
        """Let the most valuable waiting cards out, as many as the rate allows now."""
        self._forget_stale(at)
        while self._released and at - self._released[0] >= SECOND_MS:
            self._released.popleft()
        room = self._policy.per_second - len(self._released)
        waiting = [card for card in self._cards.values() if not card.shown]
        waiting.sort(key=self._rank, reverse=True)
        for card in waiting[:room]:
            card.shown = True
            self._released.append(at)
        return [card.event for card in waiting[:room]]

    def waiting(self) -> int:
        """Count the cards the host has not been shown yet."""
        return sum(not card.shown for card in self._cards.values())

    def current(self, *, at: int) -> tuple[Event, ...]:
        """List the cards that are not stale, most valuable first."""
        self._forget_stale(at)
        cards = sorted(self._cards.values(), key=self._rank, reverse=True)
        return tuple(card.event for card in cards)

    def remove(self, user: UserId) -> bool:
        """Take somebody's card away; False when there was none."""
        return self._cards.pop(user, None) is not None

    @staticmethod
    def _rank(card: _Waiting) -> tuple[int, int]:
        return card.value, -card.offered_at

    def _forget_stale(self, at: int) -> None:
        stale = [
            user
            for user, card in self._cards.items()
            if at - card.offered_at >= self._policy.expiry_ms
        ]
        for user in stale:
            del self._cards[user]
