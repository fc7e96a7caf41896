"""Who comes in sees everything current; who returns gets what they missed, or a snapshot."""

from dataclasses import replace
from typing import Any

import pytest

from liveroom.domain.actors import ANY_ROOM, Actor, AgeBand, Role
from liveroom.domain.events import OrderPaid
from liveroom.domain.ids import DEFAULT_TENANT, ProductId, RoomId, TenantId, UserId
from liveroom.domain.rooms import RoomDraft
from liveroom.service.paying import PaymentNotice
from liveroom.service.rooms import MISSED_MAX
from liveroom.store import journal
from liveroom.store.journal import Place
from tests.house import MONDAY, ROOM, House, host, merchant_actor, refusal, viewer


async def enter(house: House, actor: Actor | None = None) -> Any:
    return await house.services.rooms.enter(actor or viewer(), ROOM)


async def missed(house: House, offset: int, personal: int = 0, **more: Any) -> Any:
    actor = more.pop("actor", viewer())
    epoch = more.pop("epoch", None) or (await enter(house, actor)).epoch
    return await house.services.rooms.missed(actor, ROOM, epoch, offset, personal)


async def test_a_room_is_created_once_and_found_by_anyone(house: House) -> None:
    draft = RoomDraft(id=RoomId("r2"), title="晚场", merchant=TenantId("m1"), language="en")
    made = await house.services.rooms.create(merchant_actor(), draft)
    assert (made.tenant, made.title, made.created_at) == ("m1", "晚场", MONDAY)
    assert await house.services.rooms.create(merchant_actor(), draft) == made
    assert await house.services.rooms.get(RoomId("r2")) == made
    assert {room.id for room in await house.services.rooms.list()} == {"r1", "r2"}


@pytest.mark.parametrize(
    ("actor", "draft", "code"),
    [
        (viewer(), {}, "forbidden"),
        (host(), {}, "forbidden"),
        (merchant_actor("m1"), {"merchant": TenantId("m2")}, "forbidden"),
        (merchant_actor(), {"id": ROOM, "title": "other"}, "exists"),
        (merchant_actor("m1"), {"id": ROOM}, "exists"),
    ],
)
async def test_who_may_not_create_which_room(
    house: House, actor: Actor, draft: dict[str, Any], code: str
) -> None:
    wanted = RoomDraft(**{"title": "T", **draft})
    assert await refusal(house.services.rooms.create(actor, wanted)) == code
    assert len(await house.services.rooms.list()) == 1


async def test_a_room_without_an_id_gets_one_and_belongs_to_the_tokens_merchant(
    house: House,
) -> None:
    made = await house.services.rooms.create(merchant_actor("m1"), RoomDraft(title="x"))
    assert made.tenant == "m1"
    assert made.id


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        (viewer(tenant=TenantId("other")), "no_such_room"),
        (viewer(room="r2"), "other_room"),
        (viewer(room="r2", tenant=TenantId("default")), "other_room"),
        (viewer(room="r2", tenant=TenantId("other")), "no_such_room"),
    ],
)
async def test_strangers_to_the_shop_or_the_room_stay_out(
    house: House, actor: Actor, code: str
) -> None:
    assert await refusal(enter(house, actor)) == code
    assert await refusal(missed(house, 0, actor=actor, epoch="e")) == code


async def test_a_token_without_a_merchant_means_the_rooms(house: House) -> None:
    assert (await enter(house)).actor.tenant == "default"
    assert (await enter(house, replace(viewer(), room=ANY_ROOM))).actor.tenant == "default"


async def test_an_anonymous_visitor_enters_where_the_room_allows_it(house: House) -> None:
    entry = await enter(house, viewer("anon-1", anonymous=True))
    assert (entry.you.anonymous, entry.you.coins, entry.personal) == (True, None, 0)
    await house.make_room("r2", anonymous=False)
    visitor = viewer("anon-1", "r2", anonymous=True)
    assert await refusal(house.services.rooms.enter(visitor, RoomId("r2"))) == "anonymous"


async def test_the_card_shows_what_the_shop_knows(house: House) -> None:
    await house.make_product()
    await house.make_member("u1", coins=30, name="小明")
    await house.order("o1", "u1", unit_price=60_000)
    await house.services.members.follow(viewer(), ROOM)
    card = (await enter(house)).you
    assert (card.name, card.tier, card.orders, card.coins) == ("小明", "silver", 1, 30)
    assert (card.age_band, card.following) == (AgeBand.ADULT, True)
    assert card.to_next is not None
    assert (card.to_next.tier, card.to_next.missing) == ("gold", 140_000)


async def test_the_snapshot_holds_everything_current(house: House) -> None:
    await house.make_product()
    await house.services.rooms.host_live(ROOM, UserId("h1"), "s1")
    await house.services.shopping.pin(host(), ROOM, "p1")
    await house.services.talking.say(viewer(), ROOM, "你好", "c1")
    await house.services.talking.like(viewer(), ROOM, 7)
    entry = await enter(house)
    shown = entry.snapshot
    assert [(slot.user, slot.live) for slot in shown.stage] == [("h1", True)]
    assert shown.pin is not None
    assert (shown.pin.id, shown.pin.price) == ("p1", 19_900)
    assert [event.fact.text for event in shown.texts] == ["你好"]
    assert shown.counters.likes == 7
    assert entry.room.live
    assert entry.offset == 3


async def test_cards_are_in_the_hosts_snapshot_only(house: House) -> None:
    await house.make_product()
    await house.order("o1", "u1")
    await house.services.recognising.arrived(await enter(house))
    assert len((await enter(house, host())).snapshot.recognised) == 1
    for role in (Role.VIEWER, Role.GUEST, Role.MODERATOR, Role.MERCHANT):
        actor = Actor(user=UserId("x"), role=role, room=ROOM)
        assert (await enter(house, actor)).snapshot.recognised == ()


async def test_who_returns_gets_each_missed_event_once(house: House) -> None:
    await house.make_product()
    for i in range(3):
        await house.order(f"o{i}", f"u{i}")
    got = await missed(house, 1)
    assert ([event.n for event in got.events], got.offset) == ([2, 3], 3)
    assert (await missed(house, 3)).events == ()


@pytest.mark.parametrize(
    ("offset", "personal", "epoch"),
    [(0, 0, "other"), (4, 0, None), (0, 1, None), (10**12, 0, None)],
)
async def test_a_position_from_another_history_gets_a_snapshot(
    house: House, offset: int, personal: int, epoch: str | None
) -> None:
    await house.make_product()
    for i in range(3):
        await house.order(f"o{i}", f"u{i}")
    assert await missed(house, 0) is not None
    assert await missed(house, offset, personal, epoch=epoch) is None


async def test_who_missed_too_much_gets_a_snapshot(house: House) -> None:
    paid = [OrderPaid(product=ProductId("p1"), title="t")] * (MISSED_MAX + 1)
    place = Place(tenant=DEFAULT_TENANT, room=ROOM, at=1)
    ids = (f"x{i}" for i in range(MISSED_MAX + 1))
    await house.store.run(lambda tx: journal.append(tx, place, paid, new_id=lambda: next(ids)))
    assert await missed(house, 0) is None
    assert len((await missed(house, 1)).events) == MISSED_MAX


async def test_personal_events_are_missed_by_their_person_only(house: House) -> None:
    await house.make_product()
    await house.make_member("u1")
    checkout = await house.check_out()
    notice = PaymentNotice(payment=checkout.payment, order=checkout.order, amount=19_900)
    await house.services.shopping.payment_settled(notice)
    mine = await missed(house, 0)
    assert ([event.pn for event in mine.personal_events], mine.personal) == ([1], 1)
    theirs = await missed(house, 0, actor=viewer("u2"))
    assert (theirs.personal_events, theirs.personal) == ((), 0)
    visitor = await missed(house, 0, actor=viewer("u1", anonymous=True))
    assert visitor.personal_events == ()


async def test_an_unknown_room_is_not_found(house: House) -> None:
    nowhere = RoomId("nowhere")
    actor = viewer(room="nowhere")
    assert await refusal(house.services.rooms.get(nowhere)) == "no_such_room"
    assert await refusal(house.services.rooms.enter(actor, nowhere)) == "no_such_room"


async def test_a_room_shows_its_hosts_name_and_how_many_follow(house: House) -> None:
    await house.services.rooms.introduce(host(name="小美"), ROOM)
    await house.services.members.follow(viewer(), ROOM)
    found = await house.services.rooms.get(ROOM)
    assert (found.host_name, found.followers) == ("小美", 1)
    assert [room.host_name for room in await house.services.rooms.list()] == ["小美"]


async def test_the_host_ends_their_own_evening_by_command(house: House) -> None:
    await house.services.rooms.host_live(ROOM, UserId("h1"), "s1")
    await house.services.asking.ask(host(), ROOM, "end_broadcast", b"{}", "k1")
    assert (await house.services.rooms.get(ROOM)).broadcast is None
    refused = house.services.asking.ask(viewer(), ROOM, "end_broadcast", b"{}", "k2")
    assert await refusal(refused) == "forbidden"
