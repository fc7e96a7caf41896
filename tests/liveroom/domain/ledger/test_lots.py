"""Lots: the earliest end is spent first, what has ended is not, and refunds go back home."""

import pytest

from liveroom.domain.ids import UserId
from liveroom.domain.ledger import Account, Book, Bundle, Terms, Transfer, chart
from liveroom.domain.refusals import Refused

WALLET = chart.wallet_of(UserId("u"), "points")
ISSUER = chart.issuer_of("points")
SHOP = Account("shop", "points", "redeemed")


def give(book: Book, id: str, amount: int, *, ends: int | None = None, cost: int = 0) -> None:
    terms = Terms(expires_at=ends, funder="shop", cost=cost)
    transfer = Transfer(ISSUER, WALLET, amount, terms)
    book.post(Bundle(id=id, cause="c", ref="r", transfers=(transfer,)), at=0)


def spend(book: Book, id: str, amount: int, *, at: int = 1, **fields: object) -> None:
    transfer = Transfer(WALLET, SHOP, amount)
    book.post(Bundle(id=id, cause="c", ref="r", transfers=(transfer,), **fields), at=at)


def refund(book: Book, id: str, amount: int, of: str, *, at: int = 1, grace_ms: int = 0) -> None:
    transfer = Transfer(SHOP, WALLET, amount)
    book.post(
        Bundle(id=id, cause="c", ref="r", transfers=(transfer,), returns=of, grace_ms=grace_ms),
        at=at,
    )


def left(book: Book) -> dict[str, int]:
    return {lot.id.partition("/")[0]: lot.left for lot in book.lots.values()}


def laid_out() -> Book:
    book = Book()
    give(book, "never", 10)
    give(book, "late", 10, ends=200)
    give(book, "soon", 10, ends=100)
    return book


def test_the_earliest_end_is_spent_first() -> None:
    book = laid_out()
    spend(book, "s1", 12)
    assert left(book) == {"never": 10, "late": 8, "soon": 0}
    spend(book, "s2", 10)
    assert left(book) == {"never": 8, "late": 0, "soon": 0}


@pytest.mark.parametrize(("at", "can"), [(99, 30), (100, 20), (199, 20), (200, 10)])
def test_what_has_ended_cannot_be_spent(at: int, can: int) -> None:
    book = laid_out()
    assert book.spendable(WALLET.id, at=at) == can
    with pytest.raises(Refused, match="not_enough_points"):
        spend(book, "s1", can + 1, at=at)
    assert sum(left(book).values()) == 30
    spend(book, "s2", can, at=at)


def test_what_lies_beside_the_lots_goes_before_those_that_never_end() -> None:
    book = Book()
    give(book, "bought", 10, cost=100)
    book.post(Bundle(id="o", cause="c", ref="r", transfers=(Transfer(ISSUER, WALLET, 5),)), at=0)
    spend(book, "s1", 7)
    assert left(book) == {"bought": 8}


def test_a_refund_returns_to_the_lots_it_came_from_the_latest_end_first() -> None:
    book = laid_out()
    spend(book, "s1", 15)
    refund(book, "b1", 3, "s1")
    assert left(book) == {"never": 10, "late": 8, "soon": 0}
    refund(book, "b2", 12, "s1")
    assert left(book) == {"never": 10, "late": 10, "soon": 10}
    refund(book, "b3", 5, "s1")
    assert left(book) == {"never": 10, "late": 10, "soon": 10}
    assert book.balances[WALLET.id].amount == 35


def test_a_refund_never_lengthens_what_has_ended_but_by_the_grace_agreed() -> None:
    book = laid_out()
    spend(book, "s1", 10)
    refund(book, "b1", 4, "s1", at=150)
    assert book.spendable(WALLET.id, at=150) == 20
    refund(book, "b2", 6, "s1", at=150, grace_ms=30)
    assert book.spendable(WALLET.id, at=179) == 26
    assert book.spendable(WALLET.id, at=180) == 20


def test_a_lot_is_drawn_on_by_name_even_when_it_has_ended() -> None:
    book = laid_out()
    soon = next(id for id in book.lots if id.startswith("soon"))
    spend(book, "s1", 12, at=150, draws=(soon,))
    assert left(book) == {"never": 10, "late": 8, "soon": 0}


def test_a_bundle_that_opens_lots_takes_nothing_from_the_same_account() -> None:
    book = laid_out()
    transfers = (Transfer(ISSUER, WALLET, 5, Terms()), Transfer(WALLET, SHOP, 3))
    with pytest.raises(ValueError, match="takes nothing"):
        book.post(Bundle(id="b", cause="c", ref="r", transfers=transfers), at=1)


def test_one_bundle_may_open_several_lots_in_one_account() -> None:
    book = Book()
    transfers = (
        Transfer(ISSUER, WALLET, 60, Terms(cost=600)),
        Transfer(ISSUER, WALLET, 6, Terms(expires_at=50)),
        Transfer(ISSUER, WALLET, 4),
    )
    book.post(Bundle(id="b", cause="c", ref="r", transfers=transfers), at=1)
    assert sorted(lot.left for lot in book.lots.values()) == [6, 60]
    assert book.balances[WALLET.id].amount == 70
    bought = next(lot for lot in book.lots.values() if lot.amount == 60)
    assert [bought.worth(part) for part in (0, 1, 59, 60)] == [0, 10, 590, 600]
