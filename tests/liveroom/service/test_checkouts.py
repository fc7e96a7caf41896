"""A reservation becomes an order once, or goes back on the shelf; the price is the server's."""

from dataclasses import replace
from typing import Any

import pytest

from liveroom.domain.actors import Actor, AgeBand, Role
from liveroom.domain.basket import Wanted
from liveroom.domain.ids import OrderId, ProductId
from liveroom.domain.orders import CHECKOUT_TTL_MS, Checkout, OrderReceipt
from liveroom.service.paying import NoPayments, PaymentNotice, PaymentOutcome
from liveroom.store import shop
from tests.house import ROOM, House, host, merchant_actor, refusal, viewer

P1 = ProductId("p1")


async def buy(house: House, actor: Actor | None = None, key: str = "k1", **asked: Any) -> Checkout:
    product, quantity = asked.get("product", P1), asked.get("quantity", 1)
    actor, room = actor or viewer(), asked.get("room", ROOM)
    return await house.services.shopping.checkout(
        actor, room, [Wanted(product=product, quantity=quantity)], key
    )


async def pay(house: House, checkout: Checkout, **changes: Any) -> OrderReceipt | None:
    fields = {"payment": checkout.payment, "order": checkout.order, "amount": checkout.amount}
    return await house.services.shopping.payment_settled(PaymentNotice(**{**fields, **changes}))


async def stock(house: House) -> int | None:
    found = await house.store.run(lambda tx: shop.find_product(tx, "default", P1))
    assert found is not None
    return found.stock


async def prepare(house: House, stock: int = 3) -> None:
    await house.make_product(stock=stock)
    await house.make_member("u1", name="小明")


async def test_paying_makes_an_order_with_receipt_event_and_ritual(house: House) -> None:
    await prepare(house)
    for key, nth in (("k1", 1), ("k2", 2)):
        checkout = await buy(house, key=key)
        receipt = await pay(house, checkout)
        assert receipt == OrderReceipt(id=checkout.order, total=19_900, nth=nth, tier="basic")
    await house.settle()
    assert [event.fact.KIND for event in house.heard] == [
        "receipt", "order", "receipt", "order", "ritual",
    ]  # fmt: skip
    receipts = [event for event in house.heard if event.fact.KIND == "receipt"]
    assert [(event.to, event.pn, event.n) for event in receipts] == [
        ("u1", 1, None),
        ("u1", 2, None),
    ]
    assert (receipts[1].fact.amount, receipts[1].fact.nth) == (19_900, 2)
    assert house.cashier.asked[0][1:] == (19_900, "连衣裙")
    assert await stock(house) == 1


async def test_the_price_is_that_of_the_reservation(house: House) -> None:
    await prepare(house)
    checkout = await buy(house, quantity=2)
    await house.make_product(stock=1, price=5)
    assert checkout.amount == 39_800
    receipt = await pay(house, checkout)
    assert receipt is not None
    assert receipt.total == 39_800


async def test_the_same_key_is_the_same_checkout(house: House) -> None:
    await prepare(house)
    assert await buy(house) == await buy(house)
    assert await refusal(buy(house, quantity=2)) == "idempotency_mismatch"
    assert (await stock(house), len(house.cashier.asked)) == (2, 1)


async def test_a_payment_told_twice_is_one_order(house: House) -> None:
    await prepare(house)
    checkout = await buy(house)
    assert await pay(house, checkout) == await pay(house, checkout)
    failed = await pay(house, checkout, outcome=PaymentOutcome.FAILED)
    assert failed is not None
    assert await stock(house) == 2
    await house.settle()
    assert len(house.facts("order")) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"order": OrderId("unknown")}, "no_such_order"),
        ({"payment": "forged"}, "no_such_order"),
        ({"amount": 1}, "invalid"),
        ({"amount": 19_901}, "invalid"),
    ],
)
async def test_a_notice_that_does_not_fit_changes_nothing(
    house: House, changes: dict[str, Any], code: str
) -> None:
    await prepare(house)
    checkout = await buy(house)
    assert await refusal(pay(house, checkout, **changes)) == code
    await house.settle()
    assert house.heard == []
    assert await pay(house, checkout) is not None


async def test_what_is_not_paid_in_time_goes_back_on_the_shelf(house: House) -> None:
    await prepare(house)
    await buy(house)
    house.clock.pass_ms(CHECKOUT_TTL_MS - 1)
    await house.services.tick()
    assert await stock(house) == 2
    house.clock.pass_ms(5_000)
    await house.services.tick()
    await house.services.tick()
    assert await stock(house) == 3


async def test_a_late_payment_is_honoured_while_there_is_stock(house: House) -> None:
    await prepare(house)
    checkout = await buy(house)
    house.clock.pass_ms(CHECKOUT_TTL_MS)
    await house.services.tick()
    receipt = await pay(house, checkout)
    assert receipt is not None
    assert await stock(house) == 2


async def test_a_late_payment_without_stock_is_no_order(house: House) -> None:
    await prepare(house, stock=1)
    checkout = await buy(house)
    house.clock.pass_ms(CHECKOUT_TTL_MS)
    await house.services.tick()
    await house.make_member("u2")
    await buy(house, viewer("u2"))
    assert await pay(house, checkout) is None
    assert await pay(house, checkout) is None
    assert await stock(house) == 0
    await house.settle()
    assert house.heard == []


async def test_giving_up_and_failing_return_the_stock_once(house: House) -> None:
    await prepare(house)
    first, second = await buy(house, key="k1"), await buy(house, key="k2")
    cancel = house.services.shopping.cancel
    assert await cancel(viewer(), first.order)
    assert not await cancel(viewer(), first.order)
    assert await pay(house, second, outcome=PaymentOutcome.FAILED) is None
    assert await stock(house) == 3


@pytest.mark.parametrize("actor", [viewer("u2"), viewer(tenant="other"), merchant_actor()])
async def test_nobody_cancels_for_others(house: House, actor: Actor) -> None:
    await prepare(house)
    checkout = await buy(house)
    assert await refusal(house.services.shopping.cancel(actor, checkout.order)) == "no_such_order"
    assert await stock(house) == 2


async def test_a_provider_that_is_down_leaves_nothing_reserved(house: House) -> None:
    await prepare(house)
    house.cashier.down = True
    assert await refusal(buy(house)) == "unavailable"
    assert await stock(house) == 3
    house.cashier.down = False
    assert await refusal(buy(house)) == "unavailable"
    assert (await buy(house, key="k2")).amount == 19_900


async def test_a_crash_before_the_payment_was_opened_is_made_good_by_asking_again(
    house: House,
) -> None:
    await prepare(house)
    working = house.cashier.create

    async def crash(*_: object) -> None:
        raise ConnectionError("the process ends here")

    house.cashier.create = crash
    with pytest.raises(ConnectionError):
        await buy(house)
    house.cashier.create = working
    assert (await buy(house)).payment
    assert await stock(house) == 2


@pytest.mark.parametrize(
    ("actor", "asked", "code"),
    [
        (viewer(anonymous=True), {}, "anonymous"),
        (viewer("minor"), {}, "age_unconfirmed"),
        (viewer("stranger"), {}, "age_unconfirmed"),
        (viewer(age_band=AgeBand.MINOR), {}, "age_unconfirmed"),
        (viewer(tenant="other"), {}, "no_such_room"),
        (viewer(), {"product": ProductId("p9")}, "no_such_product"),
        (viewer(), {"quantity": 4}, "out_of_stock"),
        (viewer(), {"quantity": 0}, "invalid"),
        (viewer(), {"quantity": -1}, "invalid"),
        (viewer(), {"quantity": 10**30}, "invalid"),
        (viewer(), {"quantity": True}, "invalid"),
        (viewer(), {"quantity": 1.0}, "invalid"),
    ],
)
async def test_refused_checkouts_reserve_nothing(
    house: House, actor: Actor, asked: dict[str, Any], code: str
) -> None:
    await prepare(house)
    await house.make_member("minor", age_band=AgeBand.MINOR)
    assert await refusal(buy(house, actor, **asked)) == code
    assert (await stock(house), house.cashier.asked) == (3, [])


async def test_without_a_provider_buying_says_so() -> None:
    assert await refusal(NoPayments().create(OrderId("o"), 1, "t")) == "unavailable"


async def test_the_host_pins_and_takes_down(house: House) -> None:
    await prepare(house)
    shopping = house.services.shopping
    card = await shopping.pin(host(), ROOM, P1)
    assert card is not None
    assert (card.id, card.stock) == ("p1", 3)
    assert await shopping.pin(host(), ROOM, None) is None
    await house.settle()
    assert [fact.product and fact.product.id for fact in house.facts("pin")] == ["p1", None]
    assert await refusal(shopping.pin(host(), ROOM, ProductId("p9"))) == "no_such_product"
    for actor in (viewer(), merchant_actor()):
        assert await refusal(shopping.pin(actor, ROOM, P1)) == "forbidden"


async def test_products_are_the_shops_own(house: House) -> None:
    await prepare(house)
    await house.make_product(title="新裙")
    shopping = house.services.shopping
    assert [product.title for product in await shopping.products_of(viewer(), ROOM)] == ["新裙"]
    assert await shopping.products("other") == []
    assert await refusal(shopping.products_of(viewer(tenant="other"), ROOM)) == "no_such_room"
    assert await refusal(house.make_product(price=0)) == "invalid"


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.VIEWER, Role.GUEST}))
async def test_who_runs_the_room_buys_nothing_in_it(house: House, role: Role) -> None:
    await prepare(house)
    assert await refusal(buy(house, replace(viewer(), role=role))) == "forbidden"
    assert await stock(house) == 3
    assert house.cashier.asked == []


async def test_a_payment_whose_refund_is_due_is_no_order_when_it_is_told_again(
    house: House,
) -> None:
    await prepare(house, stock=1)
    checkout = await buy(house)
    house.clock.pass_ms(CHECKOUT_TTL_MS)
    await house.services.tick()
    await house.make_member("u2")
    other = await buy(house, viewer("u2"))
    assert await pay(house, checkout) is None
    await house.services.shopping.cancel(viewer("u2"), other.order)
    assert await stock(house) == 1
    assert await pay(house, checkout) is None
    assert await stock(house) == 1
