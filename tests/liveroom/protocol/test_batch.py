"""One tick: durable events always, texts by budget and weight, nobody's own text lost."""

import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.delivery import Delivery
from liveroom.domain.events import DanmakuSaid, Entered, Event, Fact, GiftSent, Recognised
from liveroom.domain.ids import EventId, RoomId, UserId
from liveroom.protocol.batch import (
    ENTERS_ONLINE_MAX,
    HIGH_PER_S,
    TEXTS_PER_S,
    Budget,
    Budgets,
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


def enter(id_: object, tier: str = "basic", *, recognised: bool = False) -> Event:
    fact = Entered(user=UserId(f"u{id_}"), name="n", tier=tier, recognised=recognised)
    return event(f"e{id_}", fact)


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
    assert len(shown) == min(texts, TEXTS_PER_S)
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


def weight_of(id_: str) -> float:
    return float(id_.rpartition("/")[2])


WEIGHTS = st.sampled_from([0.0, 0.5, 1.0, 1.0, 1.0, 2.0, 5.0])


@given(
    st.lists(st.lists(WEIGHTS, max_size=60), min_size=1, max_size=12),
    st.lists(st.integers(1, 24).map(lambda eighths: eighths / 8), min_size=12, max_size=12),
    st.integers(),
)
def test_over_any_evening_the_sample_keeps_its_promises(
    ticks: list[list[float]], gaps: list[float], seed: int
) -> None:
    sampler = Sampler(chance=random.Random(seed).random, now=0)
    now = 0.0
    high_saved, texts_saved = float(HIGH_PER_S), float(TEXTS_PER_S)
    for number, (weights, gap) in enumerate(zip(ticks, gaps, strict=False)):
        if number:
            high_saved = min(HIGH_PER_S, high_saved + gap * HIGH_PER_S)
            texts_saved = min(TEXTS_PER_S, texts_saved + gap * TEXTS_PER_S)
            now += gap
        offered = [
            text(f"{number}.{at}/{weight}", weight=weight) for at, weight in enumerate(weights)
        ]
        tick = sampler.compose(offered, online=1, now=now)
        shown = list(tick.everyone)
        # In order, nobody's twice, and who is not shown sees their own; the host sees all.
        assert shown == [event for event in offered if event in shown]
        assert {event.id for _, event in tick.own} == {e.id for e in offered} - {
            e.id for e in shown
        }
        assert list(tick.host) == offered
        # Within both budgets; high ones use theirs up before an ordinary one could matter.
        high = [e for e in offered if weight_of(e.id) > 1]
        high_shown = [e for e in shown if weight_of(e.id) > 1]
        assert all(weight_of(e.id) > 0 for e in shown)
        assert len(shown) <= high_saved + texts_saved
        assert len(high_shown) >= min(len(high), int(high_saved))
        ordinary = [e for e in offered if 0 < weight_of(e.id) <= 1]
        shown_before = min(len(high), int(high_saved))
        rest = len(high) - shown_before + len(ordinary)
        # Nothing is left out while there is room for it.
        assert len(shown) >= shown_before + min(rest, int(texts_saved))
        high_saved -= shown_before
        texts_saved -= len(shown) - shown_before


def test_answers_buyers_and_levels_come_before_others() -> None:
    events = [*map(text, range(300)), *(text(f"buyer{n}", weight=6) for n in range(HIGH_PER_S))]
    for seed in range(50):
        shown = [e.id for e in compose(events, seed=seed).everyone]
        assert sum(id_.startswith("tbuyer") for id_ in shown) == HIGH_PER_S
        assert len(shown) == HIGH_PER_S + TEXTS_PER_S


def test_more_of_them_than_their_budget_holds_are_still_likelier_than_others() -> None:
    events = [*map(text, range(100)), *(text(f"buyer{n}", weight=6) for n in range(40))]
    buyers = others = 0
    for seed in range(100):
        shown = [e.id for e in compose(events, seed=seed).everyone]
        buyers += sum(id_.startswith("tbuyer") for id_ in shown) - HIGH_PER_S
        others += sum(not id_.startswith("tbuyer") for id_ in shown)
    assert buyers / 30 > 2.5 * others / 100


def test_a_damped_text_is_for_its_writer_and_the_host_alone() -> None:
    tick = compose([text(1), text(2, weight=0)])
    assert [e.id for e in tick.everyone] == ["t1"]
    assert [e.id for _, e in tick.own] == ["t2"]
    assert [e.id for e in tick.host] == ["t1", "t2"]


def test_a_room_may_have_other_budgets() -> None:
    budgets = Budgets(texts_per_s=3, high_per_s=2, enters_per_s=1)
    sampler = Sampler(chance=random.Random(1).random, now=0, budgets=budgets)
    events = [
        *map(text, range(9)),
        *(text(f"b{n}", weight=2) for n in range(9)),
        enter(1),
        enter(2),
    ]
    shown = sampler.compose(events, online=1, now=0).everyone
    assert len([e for e in shown if e.fact.DELIVERY is Delivery.TEXT]) == 5
    assert len([e for e in shown if e.fact.DELIVERY is Delivery.AMBIENT]) == 1


def test_whose_text_was_left_out_is_named() -> None:
    tick = compose(list(map(text, range(50))))
    assert all(user == e.fact.user for user, e in tick.own if isinstance(e.fact, DanmakuSaid))
    assert len(tick.own) == 50 - TEXTS_PER_S


def test_in_a_crowd_only_recognised_members_are_greeted() -> None:
    events = [enter(1), enter(2, "gold"), enter(3, recognised=True)]
    assert len(compose(events, online=ENTERS_ONLINE_MAX).everyone) == 3
    assert [e.id for e in compose(events, online=ENTERS_ONLINE_MAX + 1).everyone] == ["e2", "e3"]


def test_texts_over_time_keep_to_the_rate() -> None:
    sampler = Sampler(chance=random.Random(1).random, now=0)
    shown = 0
    for step in range(100):
        texts = [text(f"{step}-{index}") for index in range(20)]
        shown += len(sampler.compose(texts, online=1, now=step / 10).everyone)
    assert TEXTS_PER_S * 9.9 <= shown <= TEXTS_PER_S * 9.9 + TEXTS_PER_S


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
