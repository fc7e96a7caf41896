"""The shoppers' plan: bounded, paced, in their language, and repeatable from its seed."""

from random import Random

import pytest

from liveroom.demo.script import ACTS_PER_VISIT, AWAY_S, PAUSE_S, Act, Deed, away_s, visit
from liveroom.demo.shop import CROWD, EVERYBODY, HOST, ITEMS, NEWCOMER, RETURNING
from liveroom.demo.shoppers import SHOPPERS_MAX
from liveroom.domain.gifts import find_gift
from liveroom.domain.tiers import Tier, tier_of

NOW_MS = 1_790_000_000_000


def _acts(seed: int, number: int = 0) -> list[Act]:
    return list(visit(Random(seed), CROWD[number]))


def test_the_same_seed_plays_the_same_visit() -> None:
    assert _acts(7) == _acts(7)
    assert _acts(7) != _acts(8)


@pytest.mark.parametrize("seed", range(30))
def test_a_visit_is_bounded_and_paced(seed: int) -> None:
    acts = _acts(seed)

    assert ACTS_PER_VISIT[0] <= len(acts) <= ACTS_PER_VISIT[1] + 3
    for act in acts[1:]:
        assert PAUSE_S[0] <= act.pause_s <= PAUSE_S[1]
    assert AWAY_S[0] <= away_s(Random(seed)) <= AWAY_S[1]


def test_a_regular_buys_twice_in_a_visit_and_so_is_thanked() -> None:
    regular = next(guest for guest in CROWD if len(guest.history) >= 2)

    deeds = [act.deed for act in visit(Random(1), regular)][:3]
    assert deeds.count(Deed.BUY) >= 2


def test_over_an_evening_every_deed_is_done() -> None:
    deeds = {act.deed for seed in range(60) for act in _acts(seed)}

    assert deeds == set(Deed)


def test_gifts_exist_and_cost_little() -> None:
    for seed in range(60):
        for act in _acts(seed):
            if act.deed is Deed.GIFT:
                assert find_gift(act.text).price * act.count <= 200


def test_people_speak_their_language() -> None:
    for guest in CROWD:
        for act in visit(Random(3), guest):
            if act.deed is Deed.SAY and guest.language == "en":
                assert not any("\u4e00" <= sign <= "\u9fff" for sign in act.text)


def test_the_crowd_is_small_and_everybody_is_somebody_else() -> None:
    ids = [guest.id for guest in EVERYBODY]

    assert len(CROWD) <= SHOPPERS_MAX
    assert len(set(ids)) == len(ids)
    assert HOST not in ids


def _spent(orders: list[dict[str, object]]) -> int:
    total = 0
    for order in orders:
        lines = order["lines"]
        assert isinstance(lines, list)
        total += sum(line["quantity"] * line["unit_price"] for line in lines)
    return total


def test_history_makes_the_levels_that_the_links_promise() -> None:
    levels = {guest.id: tier_of(_spent(list(guest.orders(NOW_MS)))) for guest in EVERYBODY}

    assert levels[RETURNING.id] is Tier.GOLD
    assert levels[NEWCOMER.id] is Tier.BASIC
    assert set(levels.values()) == set(Tier)


def test_history_lies_in_the_past_and_fires_nothing() -> None:
    for guest in EVERYBODY:
        orders = list(guest.orders(NOW_MS))
        assert all("room" not in order for order in orders)
        assert [order["paid_at"] for order in orders] == sorted(o["paid_at"] for o in orders)
        assert all(order["paid_at"] < NOW_MS for order in orders)


def test_every_product_has_a_name_in_both_languages_and_a_price() -> None:
    assert len(ITEMS) == 8
    for item in ITEMS:
        body = item.body()
        assert item.zh in body["title"]
        assert item.en in body["title"]
        assert body["price"] > 0
        assert len(body["title"]) <= 100
