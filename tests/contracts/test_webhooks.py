"""No event is skipped on its way to a shop's endpoint: on SQLite and on PostgreSQL."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.webhooks import ATTEMPTS_MAX, BREAKER_FAILURES, ENDPOINTS_MAX, Endpoint
from liveroom.service.announcing import Announcement
from liveroom.service.delivering import LEASE_MS, Delivering
from liveroom.service.hooks import Outcome
from liveroom.service.ports import Ports
from tests.house import ROOM, House, host, merchant_actor, open_house, refusal, until, viewer

URL = "https://shop.example/hook"
HOUR_MS = 3_600_000


@dataclass
class Target:
    """A receiver that answers as it is told, and remembers what it took."""

    status: int | None = 200
    pages: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def send(self, endpoint: Endpoint, *, id: str, body: bytes) -> Outcome:
        self.asked += 1
        await self.gate.wait()
        page = msgspec.json.decode(body)
        assert page["id"] == id
        assert page["merchant"] == endpoint.tenant
        if self.status is None or self.status >= 300:
            return Outcome(self.status, "" if self.status else "no answer")
        self.pages.append(page)
        return Outcome(self.status)

    @property
    def numbers(self) -> list[int]:
        return [event["n"] for page in self.pages for event in page["events"] if "n" in event]


@dataclass
class Shop:
    house: House
    target: Target
    delivering: Delivering
    keys: Iterator[int] = field(default_factory=itertools.count)

    async def deliver(self) -> None:
        await self.delivering.look()
        await self.delivering.settle()

    async def endpoint(self, *kinds: str, room: str | None = None) -> Endpoint:
        return await self.house.services.webhooks.create(
            merchant_actor(), URL, kinds, None if room is None else RoomId(room)
        )

    async def state(self, endpoint: Endpoint) -> Any:
        return await self.house.services.webhooks.show(merchant_actor(), endpoint.id)

    async def gifts(self, count: int) -> None:
        for _ in range(count):
            key = f"g{next(self.keys)}"
            await self.house.services.gifting.give(viewer(), ROOM, "rose", 1, key)


@asynccontextmanager
async def shop_at(url: str) -> AsyncIterator[Shop]:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        await house.make_member("u1", coins=10_000)
        target = Target()
        yield Shop(house, target, Delivering(ports_of(house, target)))


def ports_of(house: House, target: Target) -> Ports:
    ports: Ports = house.services.delivering._ports
    return replace(ports, webhooks=target)


async def test_events_come_in_order_from_the_moment_of_asking(url: str) -> None:
    async with shop_at(url) as shop:
        await shop.gifts(2)
        everything, orders = await shop.endpoint(), await shop.endpoint("order", "level")
        await shop.gifts(150)
        await shop.house.make_product()
        await shop.house.order("o1", "u1", unit_price=60_000)
        await shop.deliver()
        by_kind: dict[str, int] = {}
        for page in shop.target.pages:
            for event in page["events"]:
                by_kind[event["k"]] = by_kind.get(event["k"], 0) + 1
        assert by_kind == {"gift": 150, "order": 2, "level": 2}
        assert sorted(shop.target.numbers) == sorted([*range(3, 154), 153])
        assert max(len(page["events"]) for page in shop.target.pages) == 100
        (level,) = {
            (event["tier"], event["before"])
            for page in shop.target.pages
            for event in page["events"]
            if event["k"] == "level"
        }
        assert level == ("silver", "basic")
        await shop.deliver()
        assert (await shop.state(everything)).waiting == 0
        assert (await shop.state(orders)).waiting == 0
        asked = shop.target.asked
        await shop.deliver()
        assert shop.target.asked == asked, "nothing new, nothing sent"


async def test_rooms_of_others_and_new_rooms(url: str) -> None:
    async with shop_at(url) as shop:
        await shop.house.make_room("r9", merchant="m9")
        await shop.endpoint("stage")
        only = await shop.endpoint("stage", room="r1")
        await shop.house.make_room("r2", host="h2")
        for room, user in (("r1", "h1"), ("r2", "h2"), ("r9", "h9")):
            await shop.house.services.rooms.host_live(RoomId(room), UserId(user), f"s-{room}")
        await shop.deliver()
        rooms = sorted(page["room"] for page in shop.target.pages)
        assert rooms == ["r1", "r1", "r2"], "the shop's own rooms, the new one too"
        assert only.room == "r1"
        stranger = shop.house.services.webhooks.show(merchant_actor("m9"), only.id)
        assert await refusal(stranger) == "no_such_webhook"


async def test_a_target_that_is_down_gets_everything_when_it_is_back(url: str) -> None:
    async with shop_at(url) as shop:
        endpoint = await shop.endpoint("gift")
        shop.target.status = 500
        await shop.gifts(1)
        await shop.deliver()
        state = await shop.state(endpoint)
        assert (state.waiting, state.endpoint.failures) == (1, 1)
        await shop.deliver()
        assert shop.target.asked == 1, "not before its time"
        for _ in range(BREAKER_FAILURES):
            shop.house.clock.pass_ms(HOUR_MS)
            await shop.gifts(1)
            await shop.deliver()
        state = await shop.state(endpoint)
        assert state.endpoint.open_until > shop.house.clock()
        asked = shop.target.asked
        await shop.gifts(1)
        await shop.deliver()
        assert shop.target.asked == asked, "the breaker is open: the target is left alone"
        shop.target.status = 204
        shop.house.clock.pass_ms(HOUR_MS)
        await shop.deliver()
        assert sorted(shop.target.numbers) == list(range(1, BREAKER_FAILURES + 3))
        state = await shop.state(endpoint)
        assert (state.waiting, state.endpoint.failures, state.endpoint.open_until) == (0, 0, 0)


async def test_a_page_given_up_is_listed_and_can_be_sent_again(url: str) -> None:
    async with shop_at(url) as shop:
        endpoint = await shop.endpoint("gift")
        shop.target.status = None
        await shop.gifts(1)
        for _ in range(ATTEMPTS_MAX + 3):
            await shop.deliver()
            shop.house.clock.pass_ms(2 * HOUR_MS)
        assert shop.target.asked == ATTEMPTS_MAX
        state = await shop.state(endpoint)
        assert state.waiting == 0
        assert [(page.attempts, page.why) for page in state.dead] == [(ATTEMPTS_MAX, "no answer")]
        shop.target.status = 200
        webhooks = shop.house.services.webhooks
        assert await webhooks.redeliver(merchant_actor(), endpoint.id) == 1
        await shop.deliver()
        assert shop.target.numbers == [1]
        assert (await shop.state(endpoint)).dead == []


async def test_gone_pauses_and_going_on_loses_nothing(url: str) -> None:
    async with shop_at(url) as shop:
        endpoint = await shop.endpoint("gift")
        shop.target.status = 410
        await shop.gifts(1)
        await shop.deliver()
        assert (await shop.state(endpoint)).endpoint.paused
        shop.target.status = 200
        shop.house.clock.pass_ms(HOUR_MS)
        await shop.gifts(2)
        await shop.deliver()
        assert shop.target.pages == []
        await shop.house.services.webhooks.pause(merchant_actor(), endpoint.id, paused=False)
        await shop.deliver()
        assert sorted(shop.target.numbers) == [1, 2, 3]
        await shop.house.services.webhooks.remove(merchant_actor(), endpoint.id)
        await shop.gifts(1)
        await shop.deliver()
        assert shop.target.numbers == [1, 2, 3]
        gone = shop.house.services.webhooks.remove(merchant_actor(), endpoint.id)
        assert await refusal(gone) == "no_such_webhook"


async def test_two_nodes_send_each_page_once_and_a_dead_one_s_pages_come_later(url: str) -> None:
    async with shop_at(url) as shop:
        await shop.endpoint("gift")
        await shop.gifts(3)
        other = Delivering(ports_of(shop.house, shop.target))
        await asyncio.gather(shop.delivering.look(), other.look())
        await asyncio.gather(shop.delivering.settle(), other.settle())
        assert shop.target.numbers == [1, 2, 3]
        shop.target.gate.clear()
        await shop.gifts(1)
        await other.look()
        await until(lambda: shop.target.asked == 2)
        for task in other._working.values():
            task.cancel()  # the node dies while it sends
        await asyncio.gather(*other._working.values(), return_exceptions=True)
        shop.target.gate.set()
        await shop.deliver()
        assert shop.target.numbers == [1, 2, 3], "the lease still holds"
        shop.house.clock.pass_ms(LEASE_MS)
        await shop.deliver()
        assert shop.target.numbers == [1, 2, 3, 4]


async def test_who_may_and_how_many(url: str) -> None:
    async with shop_at(url) as shop:
        webhooks = shop.house.services.webhooks
        assert await refusal(webhooks.create(host(), URL, (), None)) == "forbidden"
        assert await refusal(webhooks.list(viewer())) == "forbidden"
        nowhere = webhooks.create(merchant_actor(), URL, (), RoomId("nowhere"))
        assert await refusal(nowhere) == "no_such_room"
        inside = webhooks.create(merchant_actor(), "http://127.0.0.1/", (), None)
        assert await refusal(inside) == "invalid"
        for _ in range(ENDPOINTS_MAX):
            await shop.endpoint()
        assert await refusal(webhooks.create(merchant_actor(), URL, (), None)) == "invalid"
        assert len(await webhooks.list(merchant_actor())) == ENDPOINTS_MAX


async def announce(house: House, key: str = "k1", **fields: Any) -> Any:
    given = {"name": "notice", "text": "", "data": {}, "to": None, "durable": True} | fields
    return await house.services.announcing.announce(
        merchant_actor(), ROOM, Announcement(**given), key
    )


async def test_a_backend_says_something_once(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1")
        first = await announce(house, text="秒杀开始", data={"sku": 7, "deep": [{"x": 1.5}]})
        assert (
            await announce(house, text="秒杀开始", data={"sku": 7, "deep": [{"x": 1.5}]}) == first
        )
        assert await refusal(announce(house, text="other")) == "idempotency_mismatch"
        mine = await announce(house, "k2", to=UserId("u1"), text="for you")
        signal = await announce(house, "k3", durable=False)
        assert await announce(house, "k3", durable=False) == signal
        await house.settle()
        assert (first.n, first.pn, mine.n, mine.pn, signal.n) == (1, None, None, 1, None)
        assert [fact.text for fact in house.facts("notice")] == ["秒杀开始"]
        assert [event.to for event in house.heard if event.fact.KIND == "message"] == ["u1"]
        assert len(house.facts("signal")) == 1
        missed = await house.services.rooms.missed(
            viewer(), ROOM, (await house.services.rooms.enter(viewer(), ROOM)).epoch, 0, 0
        )
        assert missed is not None
        assert [event.id for event in (*missed.events, *missed.personal_events)] == [
            first.id,
            mine.id,
        ]
        for bad in (
            {"data": {"x": "y" * 5_000}},
            {"data": {"x": 2**53}},
            {"data": {"x": 1e300}},
            {"data": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}},
            {"to": UserId("u1"), "durable": False},
        ):
            assert await refusal(announce(house, "bad", **bad)) == "invalid"
        said = Announcement(name="n", text="", data={}, to=None, durable=True)
        by_host = house.services.announcing.announce(host(), ROOM, said, "k")
        assert await refusal(by_host) == "forbidden"
