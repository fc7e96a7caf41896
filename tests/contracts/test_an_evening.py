"""One whole evening in a room reads the same from SQLite and from PostgreSQL."""

from liveroom.domain.actors import Role
from liveroom.domain.ids import ProductId, UserId
from liveroom.service.paying import PaymentNotice
from liveroom.service.tickets import TicketDraft
from liveroom.store import auditing
from tests.house import ROOM, House, host, merchant_actor, open_house, viewer


async def prepare(house: House) -> None:
    await house.make_room(host="h1")
    await house.make_product(stock=10, category="裙装")
    await house.make_member("u1", coins=1_000, name="小明")
    await house.order("o1", "u1", room=None, unit_price=60_000)
    await house.services.rooms.host_live(ROOM, UserId("h1"), "s1")
    await house.services.shopping.pin(host(), ROOM, ProductId("p1"))


async def test_an_evening(url: str) -> None:
    async with open_house(url) as house:
        await prepare(house)
        services = house.services
        entry = await services.rooms.enter(viewer(name="阿明"), ROOM)
        await services.recognising.arrived(entry)
        (card,) = house.facts("recognised")
        assert (card.tier, card.orders, card.prefers) == ("silver", 1, ("裙装",))
        await services.talking.like(viewer(), ROOM, 5)
        await services.gifting.give(viewer(), ROOM, "rocket", 1, "g1")
        for key in ("c1", "c2"):
            checkout = await house.check_out(key=key)
            notice = PaymentNotice(
                payment=checkout.payment, order=checkout.order, amount=checkout.amount
            )
            await services.shopping.payment_settled(notice)
        await services.members.follow(viewer(), ROOM)
        draft = TicketDraft(user=UserId("u2"), role=Role.VIEWER, room=ROOM)
        ticket = await services.tickets.issue(merchant_actor(), draft)
        assert (await services.tickets.trade(ticket)).user == "u2"
        ended = await services.rooms.end(host(), ROOM)
        assert ended is not None
        assert ended.report is not None
        report = ended.report
        assert (report.orders, report.gifts, report.likes, report.new_followers) == (2, 1, 5, 1)
        await house.settle()
        assert [ritual.nth for ritual in house.facts("ritual")] == [2]
        missed = await services.rooms.missed(viewer(), ROOM, entry.epoch, 0, 0)
        assert missed is not None
        public = [event for event in house.heard if event.n is not None]
        assert list(missed.events) == public
        assert [event.pn for event in missed.personal_events] == [1, 2]
        me = await services.members.me(viewer(), ROOM)
        assert (me.card.coins, me.card.orders, me.card.visits) == (500, 3, 1)
        page = await services.members.ledger(viewer(), None)
        assert [line.amount for line in page.lines] == [-500, 1_000]
        assert [room.id for room in await services.rooms.list()] == ["r1"]
        numbers = await services.numbers.of(host(), ROOM)
        assert (numbers["orders"], numbers["likes"], numbers["visits"]) == (2, 5, 1)
        await services.tick()
        assert await house.store.run(auditing.audit) == []
