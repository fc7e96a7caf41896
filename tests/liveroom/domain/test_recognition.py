"""The host sees who matters most first, and never more than they can take in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.events import Entered, Event, LastPurchase, Recognised
from liveroom.domain.ids import EventId, ProductId, RoomId, UserId
from liveroom.domain.recognition import (
    DAY_MS,
    Profile,
    Purchase,
    QueuePolicy,
    RecognitionQueue,
    card_of,
    value_of,
)
from liveroom.domain.tiers import Tier

NOW = 100 * DAY_MS


def profile(user: str = "u1", **changes: object) -> Profile:
    fields: dict[str, object] = {
        "user": UserId(user),
        "name": "小明",
        "tier": Tier.GOLD,
        "orders": 3,
        "room_orders": 2,
        "visits": 4,
        "last": Purchase(product=ProductId("p1"), title="连衣裙", at=NOW - 12 * DAY_MS),
        "prefers": ("裙装", "包", "鞋", "帽"),
    }
    return Profile(**{**fields, **changes})


def bag(at: int) -> Purchase:
    return Purchase(product=ProductId("p"), title="包", at=at)


def card(user: str, value: int, at: int = NOW) -> Event:
    fact = Recognised(
        user=UserId(user), name=user, tier="basic", orders=1, visits=1, last=None, prefers=(),
        suggest="", value=value,
    )  # fmt: skip
    return Event(id=EventId(user), room=RoomId("r"), at=at, fact=fact)


def users(events: list[Event] | tuple[Event, ...]) -> list[str]:
    return [event.id for event in events]


def test_the_card_tells_what_the_host_needs() -> None:
    made = card_of(profile(), at=NOW, language="zh")
    assert made.last == LastPurchase(
        product=ProductId("p1"), title="连衣裙", at=NOW - 12 * DAY_MS, days=12
    )
    assert (made.tier, made.orders, made.visits) == ("gold", 3, 4)
    assert made.prefers == ("裙装", "包", "鞋")
    assert made.suggest == "欢迎金牌家人小明回来！12天前带走的连衣裙用得还好吗？"
    assert "12 days ago" in made.suggests["en"]


@pytest.mark.parametrize(
    ("changes", "zh", "en"),
    [
        ({"last": None}, "好久不见", "What shall I show"),
        ({"last": bag(NOW - 5)}, "刚买的包", "from today"),
        ({"last": bag(NOW - DAY_MS)}, "1天前", "yesterday"),
        ({"last": bag(NOW + 9)}, "刚买的包", "from today"),
        ({"tier": Tier.BASIC}, "欢迎小明家人回来", "Welcome back 小明!"),
    ],
)  # fmt: skip
def test_the_sentence_fits_the_person(changes: dict[str, object], zh: str, en: str) -> None:
    made = card_of(profile(**changes), at=NOW, language="en")
    assert zh in made.suggests["zh"]
    assert en in made.suggest


def test_an_old_customer_is_one_who_has_bought() -> None:
    assert profile(tier=Tier.BASIC, orders=1).returning
    assert profile(orders=0).returning
    assert not profile(tier=Tier.BASIC, orders=0, visits=9).returning


def test_value_goes_by_level_then_orders_then_visits_and_tells_no_amount() -> None:
    ranked = [
        profile(tier=Tier.DIAMOND, orders=1, visits=1),
        profile(tier=Tier.GOLD, orders=200, visits=99),
        profile(tier=Tier.GOLD, orders=2, visits=1),
        profile(tier=Tier.GOLD, orders=1, visits=8),
        profile(tier=Tier.BASIC, orders=1, visits=1),
    ]
    values = [value_of(one) for one in ranked]
    assert values == sorted(values, reverse=True)


def test_the_most_valuable_come_first_and_only_so_many_per_second() -> None:
    queue = RecognitionQueue(QueuePolicy(per_second=2))
    for user, value in (("a", 1), ("b", 3), ("c", 2)):
        assert queue.offer(card(user, value), at=NOW) is None
    assert users(queue.release(at=NOW)) == ["b", "c"]
    assert queue.waiting() == 1
    assert queue.release(at=NOW + 999) == []
    assert users(queue.release(at=NOW + 1_000)) == ["a"]
    assert queue.waiting() == 0


def test_over_the_bound_the_least_valuable_is_dropped() -> None:
    queue = RecognitionQueue(QueuePolicy(cards_max=2))
    queue.offer(card("a", 5), at=NOW)
    queue.offer(card("b", 1), at=NOW)
    dropped = queue.offer(card("c", 3), at=NOW)
    assert dropped is not None
    assert dropped.id == "b"
    assert users(queue.current(at=NOW)) == ["a", "c"]


def test_a_person_has_one_card_and_it_goes_stale() -> None:
    queue = RecognitionQueue(QueuePolicy(expiry_ms=1_000))
    queue.offer(card("a", 1), at=NOW)
    queue.release(at=NOW)
    queue.offer(card("a", 2), at=NOW + 500)
    assert len(queue) == 1
    assert users(queue.release(at=NOW + 500)) == ["a"]
    assert users(queue.current(at=NOW + 1_499)) == ["a"]
    assert queue.current(at=NOW + 1_500) == ()


def test_a_thanked_person_leaves_the_queue() -> None:
    queue = RecognitionQueue(QueuePolicy())
    queue.offer(card("a", 1), at=NOW)
    assert queue.remove(UserId("a"))
    assert not queue.remove(UserId("a"))
    assert queue.current(at=NOW) == ()


def test_only_cards_wait_in_the_queue() -> None:
    entered = Entered(user=UserId("a"), name="a", tier="basic")
    with pytest.raises(TypeError):
        RecognitionQueue(QueuePolicy()).offer(
            Event(id=EventId("e"), room=RoomId("r"), at=NOW, fact=entered), at=NOW
        )


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 99), st.integers(0, 400)), max_size=80)
)
def test_a_flood_never_exceeds_the_bounds(arrivals: list[tuple[int, int, int]]) -> None:
    policy = QueuePolicy(cards_max=10, per_second=3)
    queue, at, released = RecognitionQueue(policy), NOW, []
    for user, value, pause in arrivals:
        at += pause
        queue.offer(card(f"u{user}", value), at=at)
        released += [at] * len(queue.release(at=at))
        assert len(queue) <= policy.cards_max
    for moment in released:
        assert sum(moment <= other < moment + 1_000 for other in released) <= policy.per_second
