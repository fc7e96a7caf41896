"""One tick: durable events always, texts by budget and weight, nobody's own text lost."""

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.events import (
    DanmakuSaid,
    Delivery,
    Entered,
    Event,
    Fact,
    GiftSent,
    Recognised,
)
from liveroom.domain.ids import EventId, RoomId, UserId
from liveroom.protocol.batch import (
    ENTERS_ONLINE_MAX,
    TEXTS_BURST,
    TEXTS_PER_S,
    Budget,
    Sampler,
    Tick,
    is_urgent,
    sample,
)

ROOM = RoomId("r")


def event(id_: object, fact: Fact, n: int | None = None) -> Event:
    return Event(id=EventId(str(id_)), room=ROOM, at=1, fact=fact, n=n)


def text(id_: object, *, weight: float = 1.0, badge: str | None = None) -> Event:
    user = UserId(f"u{id_}")
    return event(f"t{id_}", DanmakuSaid(user=user, name="n", text="x", badge=badge, weight=weight))


def gift(n: int) -> Event:
    return event(f"g{n}", GiftSent(user=UserId("u"), name="n", gift="rose", count=1, combo=1), n)


def enter(id_: object, tier: str = "basic") -> Event:
    return event(f"e{id_}", Entered(user=UserId(f"u{id_}"), name="n", tier=tier))


def card(id_: object) -> Event:
    fact = Recognised(
        user=UserId("u"),
        name="n",
        tier="gold",
        orders=1,
        visits=1,
        last=None,
        prefers=(),
        suggest="",
    )
    return event(f"c{id_}", fact)


def compose(events: Sequence[Event], *, online: int = 10, seed: int = 1) -> Tick:
    sampler = Sampler(chance=random.Random(seed).random, now=0)
    return sampler.compose(events, online=online, now=0)


def test_durable_events_come_first_in_order_and_all_of_them() -> None:
    events = [text(0), gift(1), text(1), gift(2), enter(1), gift(3)]
    tick = compose(events)
    assert [e.n for e in tick.durable] == [1, 2, 3]
    assert tick.everyone[:3] == tick.durable
    assert [e.id for e in tick.everyone[3:]] == ["t0", "t1", "e1"]


@given(st.integers(0, 200), st.integers(0, 50), st.integers(0, 30), st.integers())
def test_money_loses_nothing_and_text_stays_within_its_budget(
    texts: int, gifts: int, enters: int, seed: int
) -> None:
    events = [*map(text, range(texts)), *map(gift, range(1, gifts + 1)), *map(enter, range(enters))]
    random.Random(seed).shuffle(events)
    tick = compose(events, seed=seed)
    assert [e for e in events if e.n] == list(tick.durable)
    shown = [e for e in tick.everyone if e.fact.DELIVERY is Delivery.TEXT]
    assert len(shown) == min(texts, TEXTS_BURST)
    hidden = {e.id for _, e in tick.own}
    assert {e.id for e in shown} | hidden == {f"t{index}" for index in range(texts)}
    assert not hidden & {e.id for e in shown}
    assert shown == [e for e in events if e in shown]
    counted = {(d, why): count for d, why, count in tick.left_out}
    assert counted.get((Delivery.TEXT, "sampled"), 0) == len(hidden)


def test_the_host_sees_every_text_and_the_cards_that_others_do_not() -> None:
    tick = compose([*map(text, range(100)), card(1)])
    assert len([e for e in tick.host if e.fact.DELIVERY is Delivery.TEXT]) == 100
    assert "c1" in {e.id for e in tick.host}
    assert "c1" not in {e.id for e in tick.everyone}


def test_the_hosts_and_moderators_texts_are_always_shown() -> None:
    events = [*map(text, range(100)), text("host", badge="host"), text("mod", badge="moderator")]
    for seed in range(20):
        assert {"thost", "tmod"} <= {e.id for e in compose(events, seed=seed).everyone}


def test_heavier_texts_are_shown_more_often() -> None:
    events = [*map(text, range(100)), *(text(f"buyer{index}", weight=6) for index in range(10))]
    buyers = others = 0
    for seed in range(100):
        for shown in compose(events, seed=seed).everyone:
            if shown.id.startswith("tbuyer"):
                buyers += 1
            else:
                others += 1
    assert buyers / 10 > 2.5 * others / 100


def test_whose_text_was_left_out_is_named() -> None:
    tick = compose(list(map(text, range(50))))
    assert all(user == e.fact.user for user, e in tick.own if isinstance(e.fact, DanmakuSaid))
    assert len(tick.own) == 50 - TEXTS_BURST


def test_a_crowd_is_greeted_only_above_the_basic_tier() -> None:
    events = [enter(1), enter(2, "gold")]
    assert len(compose(events, online=ENTERS_ONLINE_MAX).everyone) == 2
    assert [e.id for e in compose(events, online=ENTERS_ONLINE_MAX + 1).everyone] == ["e2"]


def test_texts_over_time_keep_to_the_rate() -> None:
    sampler = Sampler(chance=random.Random(1).random, now=0)
    shown = 0
    for step in range(100):
        texts = [text(f"{step}-{index}") for index in range(20)]
        shown += len(sampler.compose(texts, online=1, now=step / 10).everyone)
    assert TEXTS_PER_S * 9.9 <= shown <= TEXTS_PER_S * 9.9 + TEXTS_BURST


def test_what_is_urgent() -> None:
    assert is_urgent(gift(1))
    assert is_urgent(card(1))
    assert not is_urgent(text(1))
    assert not is_urgent(enter(1))


def test_a_sample_has_its_size_and_no_repetition() -> None:
    chosen = sample([1.0] * 50, 10, chance=random.Random(1).random)
    assert len(set(chosen)) == 10
    assert sample([0.0, 1.0], 1, chance=random.Random(1).random) == [1]
    assert sample([1.0], 5, chance=random.Random(1).random) == [0]


def test_a_budget_saves_up_to_its_burst_only() -> None:
    budget = Budget(10, 5, now=0)
    assert budget.take(9, now=0) == 5
    assert budget.take(9, now=0.3) == 3
    assert budget.take(9, now=100) == 5
