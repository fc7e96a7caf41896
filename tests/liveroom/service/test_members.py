"""Members are imported once with their coins, confirm their age, follow, and see their ledger."""

from typing import Any

import pytest

from liveroom.domain.actors import ANY_ROOM, Actor, AgeBand, Role
from liveroom.domain.ids import UserId
from liveroom.domain.members import COINS_MAX, MemberDraft
from liveroom.store.posting import PAGE
from tests.house import ROOM, House, host, merchant_actor, refusal, viewer


async def bring(
    house: House, key: str | None = "k", actor: Actor | None = None, **fields: Any
) -> Any:
    draft = MemberDraft(**{"id": UserId("u1"), **fields})
    return await house.services.members.import_one(actor or merchant_actor(), draft, key)


async def coins(house: House, user: str = "u1") -> int | None:
    return (await house.services.members.me(viewer(user), ROOM)).card.coins


async def test_coins_are_an_opening_balance_given_once(house: House) -> None:
    first = await bring(house, coins=100, name="小明", age_band=AgeBand.ADULT)
    assert await bring(house, coins=100, name="小明", age_band=AgeBand.ADULT) == first
    assert await coins(house) == 100
    assert await refusal(bring(house, key="k2", coins=100)) == "exists"
    assert await refusal(bring(house, key="k2", coins=100)) == "exists"
    assert await refusal(bring(house, coins=5)) == "idempotency_mismatch"
    assert await coins(house) == 100


async def test_coins_need_a_key_and_a_rename_does_not(house: House) -> None:
    assert await refusal(bring(house, key=None, coins=1)) == "key_required"
    await bring(house, key=None, name="a")
    renamed = await bring(house, key=None, age_band=AgeBand.ADULT)
    assert (renamed.name, renamed.age_band) == ("a", AgeBand.ADULT)


@pytest.mark.parametrize("bad", [-1, COINS_MAX + 1, 10**30, True, 1.5, float("nan"), "1"])
async def test_bad_coins_are_refused_and_nobody_is_made(house: House, bad: Any) -> None:
    assert await refusal(bring(house, coins=bad)) == "invalid"
    assert (await house.services.members.me(viewer(), ROOM)).card.coins == 0


@pytest.mark.parametrize("actor", [viewer(), host()])
async def test_only_the_shop_imports(house: House, actor: Actor) -> None:
    assert await refusal(bring(house, actor=actor)) == "forbidden"


async def test_one_tap_confirms_an_age_unless_the_shop_knows_better(house: House) -> None:
    confirm = house.services.members.confirm_age
    assert (await confirm(viewer("new"))).card.age_band is AgeBand.ADULT
    assert (await confirm(viewer("new"))).card.age_band is AgeBand.ADULT
    await bring(house, age_band=AgeBand.MINOR)
    assert await refusal(confirm(viewer("u1"))) == "age_unconfirmed"
    assert await refusal(confirm(viewer("u2", age_band=AgeBand.MINOR))) == "age_unconfirmed"
    assert await refusal(confirm(viewer(anonymous=True))) == "anonymous"


async def test_following_is_counted_once_a_person(house: House) -> None:
    members = house.services.members
    assert (await members.follow(viewer(), ROOM)).followers == 1
    assert (await members.follow(viewer(), ROOM)).followers == 1
    state = await members.follow(viewer("u2"), ROOM)
    assert (state.following, state.followers) == (True, 2)
    state = await members.unfollow(viewer(), ROOM)
    assert (state.following, state.followers) == (False, 1)
    assert (await members.unfollow(viewer(), ROOM)).followers == 1
    assert await refusal(members.follow(viewer(anonymous=True), ROOM)) == "anonymous"
    me = await members.me(viewer("u2"), ROOM)
    assert me.follow is not None
    assert (me.follow.following, me.follow.followers) == (True, 1)


async def test_the_own_ledger_lists_newest_first_page_by_page(house: House) -> None:
    await bring(house, coins=1_000, age_band=AgeBand.ADULT)
    for i in range(PAGE):
        await house.services.gifting.give(viewer(), ROOM, "rose", 1, f"g{i}")
    first = await house.services.members.ledger(viewer(), None)
    assert len(first.lines) == PAGE
    newest = first.lines[0]
    assert (newest.amount, newest.balance, newest.unit) == (-1, 1_000 - PAGE, "coins")
    assert (newest.cause, newest.ref) == ("gift:rose", f"g{PAGE - 1}")
    last = await house.services.members.ledger(viewer(), first.next)
    assert [(line.amount, line.cause, line.ref) for line in last.lines] == [(1_000, "opening", "k")]
    assert last.next is None


async def test_ledgers_are_private_to_person_and_shop(house: House) -> None:
    await bring(house, coins=10)
    ledger = house.services.members.ledger
    assert (await ledger(viewer("u2"), None)).lines == ()
    assert (await ledger(viewer("u1", tenant="other"), None)).lines == ()
    assert await refusal(ledger(viewer(anonymous=True), None)) == "anonymous"


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "９", "9" * 19])
async def test_a_cursor_is_one_of_ours(house: House, cursor: str) -> None:
    assert await refusal(house.services.members.ledger(viewer(), cursor)) == "invalid"


async def test_me_without_a_room_is_the_tokens_shop(house: House) -> None:
    await bring(house, coins=7)
    everywhere = Actor(user=UserId("u1"), role=Role.VIEWER, room=ANY_ROOM)
    me = await house.services.members.me(everywhere, None)
    assert (me.card.coins, me.follow) == (7, None)
    assert (await house.services.members.me(viewer(), None)).card.coins == 7


async def test_settings_are_ones_own_to_change(house: House) -> None:
    members = house.services.members
    assert not (await members.set_ritual(viewer(), on=False)).card.ritual
    assert (await members.set_public_orders(viewer(), on=True)).card.public_orders
    assert await refusal(members.set_ritual(viewer(anonymous=True), on=True)) == "anonymous"
