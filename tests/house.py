"""All services over a real store, with a clock and ids that the test holds in its hand."""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from liveroom.bus.local import LocalBus
from liveroom.bus.port import Publication
from liveroom.domain.actors import ANY_ROOM, Actor, AgeBand, Role
from liveroom.domain.basket import Wanted
from liveroom.domain.events import Event
from liveroom.domain.ids import OrderId, ProductId, RoomId, TenantId, UserId
from liveroom.domain.ledger import Account
from liveroom.domain.members import MemberDraft
from liveroom.domain.orders import Checkout, OrderDraft, OrderLine, OrderReceipt, Product
from liveroom.domain.refusals import Refused
from liveroom.domain.rooms import RoomDraft
from liveroom.service.paying import Payment, PaymentNotice
from liveroom.service.ports import Policy, Ports
from liveroom.service.services import Services, build_services
from liveroom.store import posting, shop, sqlite
from liveroom.store.database import open_store
from liveroom.store.migrating import migrate
from liveroom.store.port import Store

ROOM = RoomId("r1")
MONDAY = 1_795_420_800_000
"""The 23rd of November 2026, 08:00 UTC, 16:00 in Shanghai."""


@dataclass
class Clock:
    """Time that passes when the test says so."""

    now: int = MONDAY

    def __call__(self) -> int:
        return self.now

    def pass_ms(self, ms: int) -> None:
        self.now += ms


@dataclass
class Cashier:
    """A payment provider: idempotent by order, and it can be down."""

    asked: list[tuple[str, int, str]] = field(default_factory=list)
    refunds: dict[str, tuple[str, int]] = field(default_factory=dict)
    down: bool = False

    async def create(self, order: OrderId, amount: int, title: str) -> Payment:
        if self.down:
            raise Refused("unavailable")
        self.asked.append((order, amount, title))
        return Payment(id=f"pay-{order}", pay_url=f"https://pay.test/{order}")

    async def refund(self, refund: str, payment: str, amount: int) -> None:
        if self.down:
            raise Refused("unavailable")
        assert self.refunds.setdefault(refund, (payment, amount)) == (payment, amount)


@dataclass
class House:
    """The services and everything around them."""

    services: Services
    store: Store
    clock: Clock
    bus: LocalBus
    cashier: Cashier
    online: dict[RoomId, int]
    heard: list[Event] = field(default_factory=list)
    likes: int = 0

    def hear(self, publication: Publication) -> None:
        self.heard += publication.events
        self.likes += publication.likes

    def facts(self, kind: str) -> list[Any]:
        return [event.fact for event in self.heard if kind == event.fact.KIND]

    async def settle(self) -> None:
        """Publish everything that is committed."""
        await self.services.relay.drain()

    async def make_room(self, id: str = "r1", merchant: str | None = None, **fields: Any) -> None:
        await self.services.rooms.create(
            merchant_actor(merchant), RoomDraft(id=RoomId(id), title="T", **fields)
        )

    async def make_member(self, id: str, coins: int = 0, **fields: Any) -> None:
        fields.setdefault("age_band", AgeBand.ADULT)
        draft = MemberDraft(id=UserId(id), coins=coins, **fields)
        await self.services.members.import_one(merchant_actor(), draft, f"import-{id}")

    async def make_product(self, id: str = "p1", **fields: Any) -> None:
        fields = {"title": "连衣裙", "price": 19_900, **fields}
        await self.services.shopping.put_product(
            merchant_actor(), Product(id=ProductId(id), **fields)
        )

    async def check_out(
        self,
        user: str = "u1",
        *wanted: tuple[str, int],
        key: str = "k",
        room: str = "r1",
        actor: Actor | None = None,
    ) -> Checkout:
        lines = [Wanted(product=ProductId(id), quantity=many) for id, many in wanted or [("p1", 1)]]
        return await self.services.shopping.checkout(
            actor or viewer(user, room), RoomId(room), lines, key
        )

    async def pay(self, checkout: Checkout, **changes: Any) -> OrderReceipt | None:
        fields = {"payment": checkout.payment, "order": checkout.order, "amount": checkout.amount}
        return await self.services.shopping.payment_settled(PaymentNotice(**{**fields, **changes}))

    async def buy_coins(
        self, user: str = "u1", pack: str = "coins-60", key: str = "k", **changes: Any
    ) -> Checkout:
        """Buy a pack and have the provider say that it is paid."""
        opened = await self.services.coins.buy(viewer(user), ROOM, pack, key)
        await self.tell(opened, **changes)
        return opened

    async def tell(self, opened: Checkout, **changes: Any) -> OrderId | None:
        fields = {"payment": opened.payment, "order": opened.order, "amount": opened.amount}
        return await self.services.settling.settled(PaymentNotice(**{**fields, **changes}))

    async def balance(self, account: Account) -> int:
        """What is in an account, guarded or not."""
        return await self.store.run(lambda tx: posting.total_of(tx, TenantId("default"), account))

    async def stock(self, product: str = "p1") -> int | None:
        found = await self.store.run(lambda tx: shop.find_product(tx, "default", product))
        assert found is not None
        return found.stock

    async def order(
        self, id: str, user: str, key: str | None = None, **fields: Any
    ) -> OrderReceipt:
        return await self.services.shopping.place_order(
            merchant_actor(), order_draft(id, user, **fields), key or f"key-{id}"
        )


def order_draft(
    id: str,
    user: str,
    room: str | None = "r1",
    product: str = "p1",
    quantity: Any = 1,
    unit_price: Any = 19_900,
    **fields: Any,
) -> OrderDraft:
    line = OrderLine(product=ProductId(product), quantity=quantity, unit_price=unit_price)
    fields = {"paid_at": MONDAY, "lines": (line,), **fields}
    return OrderDraft(
        id=OrderId(id), user=UserId(user), room=RoomId(room) if room else None, **fields
    )


def viewer(user: str = "u1", room: str = "r1", **fields: Any) -> Actor:
    return Actor(user=UserId(user), role=Role.VIEWER, room=RoomId(room), **fields)


def host(user: str = "h1", room: str = "r1", **fields: Any) -> Actor:
    return Actor(user=UserId(user), role=Role.HOST, room=RoomId(room), **fields)


def merchant_actor(tenant: str | None = None, **fields: Any) -> Actor:
    return Actor(user=UserId("shop"), role=Role.MERCHANT, room=ANY_ROOM, tenant=tenant, **fields)


async def refusal(awaitable: Any) -> str:
    """Return the code of the refusal that a call comes to."""
    try:
        await awaitable
    except Refused as refused:
        return refused.code
    raise AssertionError("not refused")


async def until(condition: Any, *, within_s: float = 5.0) -> None:
    """Wait for a condition, but not forever."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.002)


@cache
def migrated_file() -> bytes:
    """Migrate once for all tests of this process: a copy is a hundred times faster."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        engine = sqlite.engine_for(str(path))
        with engine.begin() as connection:
            migrate(connection)
        engine.dispose()
        return path.read_bytes()


def lay_store(url: str) -> str:
    """Put a migrated file where a SQLite store is to be opened, unless one is there."""
    path = make_url(url).database
    if url.startswith("sqlite") and path and not Path(path).exists():
        Path(path).write_bytes(migrated_file())
    return url


@asynccontextmanager
async def open_house(
    url: str, *, policy: Policy | None = None, clock: Clock | None = None, name: str = "a"
) -> AsyncIterator[House]:
    """Build everything over a store; ids begin with `name`, so that two lives never share one."""
    store = await open_store(lay_store(url))
    clock, bus, cashier = clock or Clock(), LocalBus(), Cashier()
    online: dict[RoomId, int] = {}
    ids, secrets = itertools.count(1), itertools.count(1)
    services = build_services(
        Ports(
            store=store,
            bus=bus,
            now_ms=clock,
            new_id=lambda: f"{name}{next(ids):09d}",
            new_secret=lambda: f"{name}-secret-{next(secrets)}",
            payments=cashier,
            policy=policy or Policy(),
            online=lambda room: online.get(room, 0),
        )
    )
    house = House(services, store, clock, bus, cashier, online)
    bus.subscribe_all(house.hear)
    await services.start()
    try:
        yield house
    finally:
        await services.stop()
        await store.close()
