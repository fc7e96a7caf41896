"""An order's amounts are bounded integers; the total is checked as well."""

import pytest

from liveroom.domain.ids import ProductId
from liveroom.domain.orders import (
    AMOUNT_MAX,
    LINES_MAX,
    PRICE_MAX,
    QUANTITY_MAX,
    STOCK_MAX,
    OrderLine,
    Product,
    check_product,
    total_of,
)
from liveroom.domain.refusals import Refused

BAD = [0, -1, 2**63, 10**30, True, False, 1.0, 0.5, float("nan"), float("inf"), "1", None]


def line(quantity: object = 1, unit_price: object = 100) -> OrderLine:
    return OrderLine(product=ProductId("p"), quantity=quantity, unit_price=unit_price)


def test_a_total_is_the_sum_of_its_lines() -> None:
    assert total_of([line(2, 100), line(1, 55)]) == 255


@pytest.mark.parametrize("bad", BAD)
def test_bad_amounts_are_refused_wherever_they_stand(bad: object) -> None:
    for lines in ([line(quantity=bad)], [line(unit_price=bad)], [line(), line(quantity=bad)]):
        with pytest.raises(Refused) as refused:
            total_of(lines)
        assert refused.value.code == "invalid"


@pytest.mark.parametrize("bad", BAD)
def test_a_price_is_a_positive_bounded_integer(bad: object) -> None:
    with pytest.raises(Refused, match="price"):
        check_product(Product(id=ProductId("p"), title="t", price=bad))


@pytest.mark.parametrize("bad", [-1, STOCK_MAX + 1, True, 1.5])
def test_stock_is_a_bounded_integer_or_unlimited(bad: object) -> None:
    check_product(Product(id=ProductId("p"), title="t", price=1, stock=0))
    check_product(Product(id=ProductId("p"), title="t", price=1, stock=None))
    with pytest.raises(Refused, match="stock"):
        check_product(Product(id=ProductId("p"), title="t", price=1, stock=bad))


def test_an_order_has_lines_but_not_too_many() -> None:
    for count in (0, LINES_MAX + 1):
        with pytest.raises(Refused, match="lines"):
            total_of([line()] * count)


def test_the_largest_order_is_bounded_by_its_total() -> None:
    dearest = line(QUANTITY_MAX, PRICE_MAX)
    assert total_of([dearest]) < AMOUNT_MAX
    with pytest.raises(Refused, match="total"):
        total_of([dearest] * LINES_MAX)
