"""The gateway over the real services on SQLite: one evening, end to end."""

import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest_asyncio

from liveroom.bus.local import LocalBus
from liveroom.bus.port import Unsubscribe
from liveroom.domain.actors import Actor, AgeBand, Role
from liveroom.domain.ids import OrderId, ProductId, RoomId, TenantId, UserId
from liveroom.domain.members import MemberDraft
from liveroom.domain.orders import OrderDraft, OrderLine, Product
from liveroom.domain.rooms import RoomDraft
from liveroom.edge.callers import GatewayLimits
from liveroom.edge.gateway import Gateway
from liveroom.edge.revoking import Revoking
from liveroom.protocol.messages import No, Ok
from liveroom.service.ports import Ports
from liveroom.service.services import Services, build_services
from liveroom.store.database import open_store, upgrade
from tests.liveroom.edge.gateway_house import ROOM, TOKENS, FakeServices, House, now_ms

SHOP = TenantId("shop")
MERCHANT = Actor(user=UserId("boss"), role=Role.MERCHANT, room=RoomId("*"), tenant=SHOP)


class RealHouse(House):
    """A gateway over services and a store of its own."""

    def __init__(self, gateway: Gateway, services: Services) -> None:
        super().__init__(gateway, FakeServices(LocalBus()))
        self.services = services
        self.opened_at = now_ms()
        self.media_ended: list[tuple[str, bool, str]] = []
        self.at = self.opened_at
        self.revoking: Revoking
        self.unhear: Unsubscribe

    def end_media(self, _room: RoomId, user: UserId, roles: frozenset[str], why: str) -> int:
        self.media_ended.append((user, "viewer" in roles, why))
        return 1

    async def member(self, user: str, *, coins: int = 0) -> None:
        draft = MemberDraft(id=UserId(user), name=user.title(), age_band=AgeBand.ADULT, coins=coins)
        await self.services.members.import_one(MERCHANT, draft, f"import-{user}")

    async def order(self, user: str, id_: str) -> None:
        line = OrderLine(product=ProductId("lip"), quantity=1, unit_price=990)
        draft = OrderDraft(
            id=OrderId(id_), user=UserId(user), room=ROOM, lines=(line,), paid_at=self.opened_at
        )
        await self.services.shopping.place_order(MERCHANT, draft, f"order-{id_}")


@asynccontextmanager
async def real_house(folder: Path) -> AsyncIterator[RealHouse]:
    url = f"sqlite:///{folder}/room.db"
    await upgrade(url)
    store = await open_store(url)
    bus = LocalBus()
    numbers = itertools.count(time.time_ns())
    ports = Ports(
        store=store,
        bus=bus,
        now_ms=now_ms,
        new_id=lambda: f"i{next(numbers)}",
        new_secret=lambda: f"s{next(numbers)}",
        online=lambda room: gateway.online(room),
    )
    services = build_services(ports)
    gateway = Gateway(services, TOKENS, bus, GatewayLimits(), now_ms)
    await services.start()
    await gateway.start("127.0.0.1", 0)
    house = RealHouse(gateway, services)
    house.revoking = Revoking(
        gateway.disconnect, house.end_media, services.moderating.fresh, lambda: house.at
    )
    house.unhear = bus.subscribe_all(house.revoking.hear)
    try:
        await services.rooms.create(MERCHANT, RoomDraft(id=ROOM, title="Room", host=UserId("anna")))
        product = Product(id=ProductId("lip"), title="口红", price=990)
        await services.shopping.put_product(MERCHANT, product)
        yield house
    finally:
        await house.leave()
        await gateway.close()
        await services.stop()
        await store.close()


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[RealHouse]:
    async with real_house(tmp_path) as opened:
        yield opened


async def test_a_gift_moves_coins_and_everybody_sees_it_once(house: RealHouse) -> None:
    await house.member("ming", coins=10)
    host, ming = await house.guest("anna", Role.HOST), await house.guest("ming")
    assert ming.welcome.you["coins"] == 10
    for _ in range(2):
        await ming.send(t="gift", id="g1", gift="rose", count=3)
        answer = await ming.answer("g1")
        assert isinstance(answer, Ok)
        assert (answer.n, answer.coins_left) == (1, 7)
    await ming.send(t="gift", id="g2", gift="rose", count=99)
    refused = await ming.answer("g2")
    assert isinstance(refused, No)
    assert refused.code == "not_enough_coins"
    await ming.send(t="gift", id="g3", gift="rose", count=1)
    for guest in (host, ming):
        await guest.event("gift", n=2)
        gifts = [(e["n"], e["count"]) for e in guest.events if e["k"] == "gift"]
        assert gifts == [(1, 3), (2, 1)]


async def test_a_returning_customer_is_recognised_by_the_host_alone(house: RealHouse) -> None:
    await house.member("ming")
    await house.order("ming", "o1")
    host, other = await house.guest("anna", Role.HOST), await house.guest("li")
    ming = await house.guest("ming")
    assert (await ming.event("welcome_back"))["orders"] == 1
    card = await host.event("recognised")
    assert (card["user"], card["orders"]) == ("ming", 1)
    await ming.send(t="say", id="c", text="我又来了")
    assert (await other.event("danmaku"))["text"] == "我又来了"
    kinds = {event["k"] for event in other.events}
    assert not kinds & {"recognised", "welcome_back"}
    late = await house.guest("anna", Role.HOST)
    assert [e["user"] for e in late.welcome.snapshot["recognised"]] == ["ming"]
    assert "recognised" not in (await house.guest("wu")).welcome.snapshot


async def test_the_second_order_in_the_room_is_thanked_in_public_once(house: RealHouse) -> None:
    await house.member("ming")
    guest = await house.guest("li")
    await house.order("ming", "o1")
    await house.order("ming", "o2")
    await house.order("ming", "o2")
    ritual = await guest.event("ritual")
    assert (ritual["nth"], ritual["user"]) == (2, "ming")
    await house.order("ming", "o3")
    assert (await guest.event("ritual"))["nth"] == 3
    numbers = [event["n"] for event in guest.events if "n" in event]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_reconnect_resumes_exactly_over_the_real_store(house: RealHouse) -> None:
    await house.member("ming", coins=100)
    ming = await house.guest("ming")
    await ming.send(t="gift", id="g1", gift="rose", count=1)
    await ming.event("gift", n=1)
    epoch = ming.welcome.epoch
    await ming.websocket.close()
    other = await house.guest("li")
    await house.member("wu", coins=9)
    wu = await house.guest("wu")
    for index in range(4):
        await wu.send(t="gift", id=f"w{index}", gift="rose", count=1)
    await other.event("gift", n=5)
    back = await house.guest("ming", resume={"epoch": epoch, "offset": 1, "personal": 0})
    assert back.welcome.resumed is True
    await wu.send(t="gift", id="last", gift="rose", count=1)
    await back.event("gift", n=6)
    assert [e["n"] for e in back.events if "n" in e] == [2, 3, 4, 5, 6]


async def test_asks_reach_the_commands_of_the_services(house: RealHouse) -> None:
    await house.member("ming")
    ming = await house.guest("ming")

    async def ask(do: str, **arguments: Any) -> dict[str, Any]:
        await ming.send_map({"t": "ask", "id": do, "do": do, "with": arguments})
        await ming.answer(do)
        return ming.raw

    assert (await ask("follow"))["following"] is True
    assert {row["id"] for row in (await ask("gifts"))["gifts"]} >= {"rose", "rocket"}
    assert (await ask("pin", product="lip"))["code"] == "forbidden"
    assert (await ask("checkout", product="lip", quantity=-1))["code"] == "invalid"
    assert (await ask("fly"))["code"] == "unknown_command"


async def test_likes_are_counted_once(house: RealHouse) -> None:
    ming, li = await house.guest("ming"), await house.guest("li")
    await ming.send(t="like", n=5)
    await li.send(t="like", n=2)
    while not any(getattr(m, "counters", None) and m.counters.likes == 7 for m in li.seen):  # type: ignore[union-attr]
        await li.read()
    assert (await house.guest("wu")).welcome.snapshot["counters"]["likes"] == 7


async def test_a_renewed_token_that_calls_its_bearer_a_minor_ends_their_paying(
    house: RealHouse,
) -> None:
    await house.member("ming", coins=10)
    ming = await house.guest("ming")
    minor = Actor(user=UserId("ming"), role=Role.VIEWER, room=ROOM, age_band=AgeBand.MINOR)
    await ming.send(t="token", id="t", token=TOKENS.sign(minor, at=time.time(), ttl_s=60))
    assert isinstance(await ming.answer("t"), Ok)
    await ming.send(t="gift", id="g", gift="rose", count=1)
    refused = await ming.answer("g")
    assert isinstance(refused, No)
    assert refused.code == "age_unconfirmed"
