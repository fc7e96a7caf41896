"""A basket has the room's prices of this moment, and its gifts while there are some."""

from typing import Any

import pytest

from liveroom.domain.basket import Wanted, basket_of, card_of, reservations
from liveroom.domain.ids import ProductId, UserId
from liveroom.domain.ledger import chart
from liveroom.domain.orders import Flash, GiftOffer, OrderLine, Product, check_product, total_of
from liveroom.domain.refusals import Refused

TEA, CUP = ProductId("tea"), ProductId("cup")
SALE = Flash(price=50, starts_at=100, ends_at=200, per_user=2)


def tea(**fields: Any) -> Product:
    return Product(**{"id": TEA, "title": "Tea", "price": 100, **fields})


def cup(**fields: Any) -> Product:
    return Product(**{"id": CUP, "title": "Cup", "price": 30, **fields})


def lines(product: Product, quantity: int = 1, *others: Product, at: int = 150) -> list[Any]:
    known = {one.id: one for one in (product, *others)}
    return basket_of([Wanted(product=product.id, quantity=quantity)], known, at=at)


@pytest.mark.parametrize(
    ("fields", "at", "price"),
    [
        ({}, 150, 100),
        ({"room_price": 80}, 150, 80),
        ({"room_price": 80, "flash": SALE}, 99, 80),
        ({"room_price": 80, "flash": SALE}, 100, 50),
        ({"room_price": 80, "flash": SALE}, 199, 50),
        ({"room_price": 80, "flash": SALE}, 200, 80),
    ],
)
def test_the_room_s_price_holds_and_the_sale_s_while_it_runs(
    fields: dict[str, Any], at: int, price: int
) -> None:
    product = tea(**fields)
    assert lines(product, at=at)[0].unit_price == price
    card = card_of(product, at=at)
    assert (card.price, card.was) == (price, 100 if price < 100 else None)
    assert card.ends_at == (200 if price == 50 else None)


@pytest.mark.parametrize(
    ("bought", "stock", "given"), [(1, 9, 0), (2, 9, 1), (5, 9, 2), (5, 1, 1), (5, 0, 0)]
)
def test_gifts_come_along_as_long_as_there_are_some(bought: int, stock: int, given: int) -> None:
    offered = tea(gift=GiftOffer(product=CUP, buy=2, get=1))
    found = lines(offered, bought, cup(stock=stock))
    gifts = [line for line in found if line.gift_of is not None]
    assert sum(line.quantity for line in gifts) == given
    assert all((line.unit_price, line.gift_of, line.worth) == (0, 0, 30) for line in gifts)
    assert total_of([line.ordered for line in found]) == bought * 100


def test_the_same_product_as_a_gift_never_takes_more_than_there_is() -> None:
    offered = tea(stock=3, gift=GiftOffer(product=TEA, buy=2, get=1))
    found = lines(offered, 2)
    assert [line.quantity for line in found] == [2, 1]
    (hold,) = reservations(found, {TEA: offered}, order="o", user=UserId("u"), at=150)
    assert (hold.account, hold.amount) == (chart.shelf_of(TEA), 3)


def test_of_a_sale_the_buyer_s_allowance_is_held_too() -> None:
    offered = tea(stock=9, flash=SALE)
    held = reservations(lines(offered, 2), {TEA: offered}, order="o", user=UserId("u"), at=150)
    assert [(hold.id, hold.account.floor, hold.amount) for hold in held] == [
        ("o/tea", 0, 2),
        ("o/flash/tea", -2, 2),
    ]
    assert (
        reservations(lines(offered, 2, at=10), {TEA: tea()}, order="o", user=UserId("u"), at=10)
        == []
    )


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ([("none", 1)], "no_such_product"),
        ([("tea", 0)], "invalid"),
        ([("tea", -1)], "invalid"),
        ([("tea", 1.0)], "invalid"),
        ([("tea", True)], "invalid"),
        ([("tea", 10**30)], "invalid"),
        ([("tea", 1), ("tea", 1)], "invalid"),
    ],
)
def test_a_basket_of_nonsense_is_refused(wanted: list[tuple[str, Any]], code: str) -> None:
    asked = [Wanted(product=ProductId(id), quantity=quantity) for id, quantity in wanted]
    with pytest.raises(Refused, match=code):
        basket_of(asked, {TEA: tea()}, at=1)


@pytest.mark.parametrize(
    "fields",
    [
        {"room_price": 101},
        {"room_price": 0},
        {"flash": Flash(price=101, starts_at=1, ends_at=2)},
        {"flash": Flash(price=1, starts_at=2, ends_at=2)},
        {"flash": Flash(price=1, starts_at=-1, ends_at=2)},
        {"flash": Flash(price=1, starts_at=1, ends_at=2, per_user=0)},
        {"gift": GiftOffer(product=CUP, buy=0)},
        {"gift": GiftOffer(product=CUP, get=0)},
        {"gift": GiftOffer(product=TEA, buy=1, get=2)},
    ],
)
def test_a_product_whose_prices_make_no_sense_is_refused(fields: dict[str, Any]) -> None:
    check_product(tea(room_price=80, flash=SALE, gift=GiftOffer(product=CUP)))
    with pytest.raises(Refused, match="invalid"):
        check_product(tea(**fields))


@pytest.mark.parametrize(
    "changes",
    [{"unit_price": 1}, {"gift_of": 1}, {"gift_of": 2}, {"gift_of": -1}, {"gift_of": None}],
)
def test_a_gift_costs_nothing_and_names_what_was_bought(changes: dict[str, Any]) -> None:
    bought = OrderLine(product=TEA, quantity=1, unit_price=100)
    gift = {"product": CUP, "quantity": 1, "unit_price": 0, "gift_of": 0}
    assert total_of([bought, OrderLine(**gift)]) == 100
    with pytest.raises(Refused, match="invalid"):
        total_of([bought, OrderLine(**{**gift, **changes})])
