"""A hold ends exactly once, hands over at most what it holds, and gives back the rest."""

from typing import Any

import pytest

from liveroom.domain.ids import UserId
from liveroom.domain.ledger import (
    Account,
    Book,
    Bundle,
    Hold,
    HoldDraft,
    HoldState,
    Transfer,
    chart,
    holds,
)
from liveroom.domain.refusals import Refused

WALLET = chart.wallet_of(UserId("u"))
SHOP = Account("shop", "coins", "sales")
TIP = Account("host:h", "coins", "tips")
DRAFT = HoldDraft(id="h1", account=WALLET, amount=30, expires_at=100, cause="checkout", ref="r")


@pytest.fixture
def book() -> Book:
    made = Book()
    opening = Transfer(chart.ISSUER, WALLET, 50)
    made.post(Bundle(id="o", cause="c", ref="r", transfers=(opening,)), at=0)
    made.post(holds.opening(DRAFT), at=1)
    return made


def held(book: Book, account: Account) -> int:
    return book.balances[account.id].amount


def capture(hold: Hold, *to: tuple[Account, int], at: int = 99) -> tuple[Hold, Bundle]:
    return holds.capture(hold, to, cause="sold", ref="r", at=at)


def test_what_is_held_can_be_spent_by_nobody(book: Book) -> None:
    assert held(book, WALLET) == 20
    assert held(book, holds.reserved_of(WALLET)) == 30
    with pytest.raises(Refused, match="not_enough_coins"):
        book.post(holds.opening(HoldDraft(**{**as_fields(DRAFT), "id": "h2"})), at=1)


def as_fields(draft: HoldDraft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in draft.__dataclass_fields__}


def test_capturing_a_part_returns_the_rest(book: Book) -> None:
    ended, bundle = capture(Hold(draft=DRAFT), (SHOP, 15), (TIP, 5))
    book.post(bundle, at=99)
    assert (ended.state, ended.captured) == (HoldState.CAPTURED, 20)
    assert [held(book, one) for one in (WALLET, SHOP, TIP)] == [30, 15, 5]
    assert held(book, holds.reserved_of(WALLET)) == 0


@pytest.mark.parametrize("state", [HoldState.RELEASED, HoldState.EXPIRED])
def test_letting_go_returns_everything(book: Book, state: HoldState) -> None:
    ended, bundle = holds.let_go(Hold(draft=DRAFT), state=state, ref="r")
    book.post(bundle, at=100)
    assert (ended.state, held(book, WALLET)) == (state, 50)


@pytest.mark.parametrize("state", [state for state in HoldState if state is not HoldState.HELD])
def test_what_has_ended_does_not_end_again(state: HoldState) -> None:
    hold = Hold(draft=DRAFT, state=state)
    with pytest.raises(Refused, match="hold_ended"):
        capture(hold, (SHOP, 1))
    with pytest.raises(Refused, match="hold_ended"):
        holds.let_go(hold, state=HoldState.RELEASED, ref="r")


def test_after_its_time_nothing_is_captured() -> None:
    capture(Hold(draft=DRAFT), (SHOP, 1), at=99)
    with pytest.raises(Refused, match="hold_ended"):
        capture(Hold(draft=DRAFT), (SHOP, 1), at=100)


@pytest.mark.parametrize("amount", [0, 31])
def test_no_more_than_what_is_held_is_captured(amount: int) -> None:
    with pytest.raises(Refused, match="invalid"):
        capture(Hold(draft=DRAFT), (SHOP, amount))


def test_the_books_take_one_end_only(book: Book) -> None:
    book.post(capture(Hold(draft=DRAFT), (SHOP, 30))[1], at=1)
    with pytest.raises(Refused, match="idempotency_mismatch"):
        book.post(holds.let_go(Hold(draft=DRAFT), state=HoldState.RELEASED, ref="r")[1], at=1)
