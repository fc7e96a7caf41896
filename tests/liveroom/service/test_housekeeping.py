"""What time demands is done at its pace, and one piece that fails does not stop the others."""

from sqlalchemy import func, select

from liveroom.domain.orders import CHECKOUT_TTL_MS
from liveroom.domain.refusals import Refused
from liveroom.service.housekeeping import PURGE_EVERY_MS
from liveroom.store import keys, shop
from liveroom.store.port import Transaction
from liveroom.store.tables import idempotency
from tests.house import House


def keys_kept(tx: Transaction) -> int:
    return tx.execute(select(func.count()).select_from(idempotency)).scalar_one()


async def test_answers_are_forgotten_after_two_days(house: House) -> None:
    await house.make_product()
    await house.order("o1", "u1")
    await house.services.tick()
    house.clock.pass_ms(keys.KEPT_MS)
    await house.services.tick()
    assert await house.store.run(keys_kept) == 1
    house.clock.pass_ms(PURGE_EVERY_MS)
    await house.services.tick()
    assert await house.store.run(keys_kept) == 0


async def test_a_piece_that_is_refused_leaves_the_others_their_turn(house: House) -> None:
    await house.make_product(stock=1)
    await house.make_member("u1")
    await house.check_out()
    house.clock.pass_ms(CHECKOUT_TTL_MS)

    async def refused() -> None:
        raise Refused("unavailable")

    house.services.housekeeping._always = (refused, *house.services.housekeeping._always)
    await house.services.tick()
    product = await house.store.run(lambda tx: shop.find_product(tx, "default", "p1"))
    assert product is not None
    assert product.stock == 1
