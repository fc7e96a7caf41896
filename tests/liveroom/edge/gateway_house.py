"""What the gateway tests share: a gateway with services in memory, and real websocket guests."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from liveroom.bus.local import LocalBus
from liveroom.bus.port import Publication
from liveroom.domain.actors import Actor, AgeBand, Role
from liveroom.domain.events import (
    DanmakuSaid,
    Entered,
    Event,
    Fact,
    GiftSent,
    Recognised,
)
from liveroom.domain.ids import EventId, OrderId, ProductId, RoomId, TenantId, UserId
from liveroom.domain.receipts import PaymentReceived
from liveroom.domain.refusals import Refused
from liveroom.domain.rooms import Counters, Room
from liveroom.domain.tiers import Tier
from liveroom.edge.callers import GatewayLimits
from liveroom.edge.gateway import Gateway
from liveroom.edge.tokens import Tokens
from liveroom.protocol.codec import JSON, MSGPACK, Codec
from liveroom.protocol.messages import Batch, Bye, Message, No, Ok, ServerMessage, ToYou, Welcome
from liveroom.service.entry import Card, Entry, Missed, Snapshot
from liveroom.service.gifting import GiftReceipt
from liveroom.service.services import Services
from liveroom.service.talking import Said

ROOM = RoomId("r1")
EPOCH = "epoch-1"
SECRET = "a secret of the tests, long enough for HS256"
WITHIN_S = 5.0

TOKENS = Tokens(secret=SECRET)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def token(user: str, *, role: Role = Role.VIEWER, room: str = ROOM, ttl_s: int = 3600) -> str:
    actor = Actor(user=UserId(user), role=role, room=RoomId(room), tenant=TenantId("shop"))
    return TOKENS.sign(actor, at=time.time(), ttl_s=ttl_s)


@dataclass
class FakeServices:
    """Services over lists: what is published goes through the real bus."""

    bus: LocalBus
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    history: list[Event] = field(default_factory=list)
    mine: dict[str, list[Event]] = field(default_factory=dict)
    texts: list[Event] = field(default_factory=list)
    receipts: dict[tuple[str, str], GiftReceipt] = field(default_factory=dict)
    arrived: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    likes: int = 0
    entering: asyncio.Event = field(default_factory=asyncio.Event)
    asked_in: asyncio.Event = field(default_factory=asyncio.Event)
    breaks: bool = False
    epoch: str = EPOCH
    missed_max: int = 500

    def __post_init__(self) -> None:
        self.entering.set()

    def services(self) -> Services:
        return cast(
            Services,
            SimpleNamespace(
                rooms=SimpleNamespace(enter=self.enter, missed=self.missed),
                talking=SimpleNamespace(say=self.say, like=self.like),
                gifting=SimpleNamespace(give=self.give),
                recognising=SimpleNamespace(arrived=self.arrive, left=self.leave),
                asking=SimpleNamespace(ask=self.ask),
            ),
        )

    def event(self, fact: Fact, **envelope: Any) -> Event:
        id_ = EventId(f"e{next(self.ids)}")
        return Event(id=id_, room=ROOM, at=now_ms(), fact=fact, **envelope)

    async def publish(self, *events: Event, likes: int = 0) -> None:
        await self.bus.publish(Publication(ROOM, events, likes=likes))

    def commit(self, fact: Fact, **envelope: Any) -> Event:
        event = self.event(fact, n=len(self.history) + 1, **envelope)
        self.history.append(event)
        return event

    async def gift_of(self, user: str, count: int = 1) -> Event:
        event = self.commit(gift_fact(user, count))
        await self.publish(event)
        return event

    async def pay(self, user: str) -> Event:
        own = self.mine.setdefault(user, [])
        fact = PaymentReceived(
            order=OrderId("o"), product=ProductId("p"), title="口红", amount=990, nth=1
        )
        event = self.event(fact, pn=len(own) + 1, to=UserId(user))
        own.append(event)
        await self.publish(event)
        return event

    # The seam.

    async def enter(self, actor: Actor, room: RoomId) -> Entry:
        if room != ROOM:
            raise Refused("no_such_room")
        texts, offset = tuple(self.texts[-20:]), len(self.history)
        personal = len(self.mine.get(actor.user, ()))
        self.asked_in.set()
        await self.entering.wait()
        return Entry(
            actor=replace(actor, tenant=TenantId("shop")),
            you=card(actor),
            room=a_room(),
            snapshot=Snapshot(
                stage=(), pin=None, rounds=(), texts=texts, counters=Counters(likes=self.likes)
            ),
            epoch=self.epoch,
            offset=offset,
            personal=personal,
        )

    async def missed(
        self, actor: Actor, _room: RoomId, epoch: str, offset: int, personal: int
    ) -> Missed | None:
        own = self.mine.get(actor.user, [])
        gaps = (len(self.history) - offset, len(own) - personal)
        if epoch != self.epoch or any(not 0 <= gap <= self.missed_max for gap in gaps):
            return None
        return Missed(
            events=tuple(self.history[offset:]),
            personal_events=tuple(own[personal:]),
            offset=len(self.history),
            personal=len(own),
        )

    async def say(self, actor: Actor, _room: RoomId, text: str, cid: str | None) -> Said:
        if self.breaks:
            raise RuntimeError("the services are broken")
        badge = "host" if actor.role is Role.HOST else None
        event = self.event(text_fact(actor.user, text, badge=badge), cid=cid)
        self.texts.append(event)
        await self.publish(event)
        return Said(id=event.id, text=text)

    async def like(self, _actor: Actor, _room: RoomId, count: int) -> int:
        self.likes += count
        await self.publish(likes=count)
        return self.likes

    async def give(
        self,
        actor: Actor,
        _room: RoomId,
        gift: str,
        count: int,
        key: str,
        _context: str | None = None,
    ) -> GiftReceipt:
        if gift != "rose":
            raise Refused("no_such_gift")
        known = self.receipts.get((actor.user, key))
        if known is not None:
            return known
        event = self.commit(gift_fact(actor.user, count), cid=key)
        receipt = GiftReceipt(id=event.id, n=cast(int, event.n), coins_left=99)
        self.receipts[actor.user, key] = receipt
        await self.publish(event)
        return receipt

    async def ask(
        self, _actor: Actor, _room: RoomId, do: str, arguments: bytes, _key: str
    ) -> dict[str, Any]:
        if do != "follow":
            raise Refused("unknown_command")
        self.asked.append((do, arguments))
        return {"following": True, "followers": 1}

    async def arrive(self, entry: Entry) -> None:
        self.arrived.append(entry.actor.user)
        if entry.actor.user.startswith("old-"):
            await self.publish(self.event(recognised_fact(entry.actor.user)))

    def leave(self, _room: RoomId, user: UserId) -> None:
        self.gone.append(user)


def a_room() -> Room:
    return Room(
        id=ROOM,
        tenant=TenantId("shop"),
        title="Room",
        host=UserId("anna"),
        cover=None,
        language="zh",
        planned_at=None,
        created_at=1,
    )


def card(actor: Actor) -> Card:
    return Card(
        user=actor.user,
        name=actor.name or actor.user,
        role=actor.role.value,
        tier=Tier.BASIC,
        to_next=None,
        orders=0,
        visits=0,
        coins=100,
        age_band=AgeBand.ADULT,
        anonymous=False,
        ritual=True,
        public_orders=False,
    )


def gift_fact(user: str, count: int = 1) -> GiftSent:
    return GiftSent(user=UserId(user), name=user, gift="rose", count=count, combo=count)


def text_fact(
    user: str, text: str, *, badge: str | None = None, weight: float = 1.0
) -> DanmakuSaid:
    return DanmakuSaid(user=UserId(user), name=user, text=text, badge=badge, weight=weight)


def enter_fact(user: str, tier: str = "basic") -> Entered:
    return Entered(user=UserId(user), name=user, tier=tier)


def recognised_fact(user: str) -> Recognised:
    return Recognised(
        user=UserId(user),
        name=user,
        tier="gold",
        orders=3,
        visits=2,
        last=None,
        prefers=(),
        suggest="Thank them",
        value=5,
    )


M = TypeVar("M", bound=Message)


class Guest:
    """A real client: sends maps, reads messages, remembers all it saw."""

    def __init__(self, websocket: ClientConnection, codec: Codec) -> None:
        self.websocket = websocket
        self.codec = codec
        self.seen: list[ServerMessage] = []
        self.raw: dict[str, Any] = {}
        self.welcome: Welcome

    async def send(self, **fields: Any) -> None:
        await self.send_map(fields)

    async def send_map(self, fields: Any) -> None:
        if self.codec is JSON:
            await self.websocket.send(msgspec.json.encode(fields).decode())
        else:
            await self.websocket.send(msgspec.msgpack.encode(fields))

    async def enter(self, user: str, role: Role = Role.VIEWER, **hello: Any) -> "Guest":
        await self.send_map({"t": "hello", "token": token(user, role=role), "room": ROOM} | hello)
        self.welcome = await self.expect(Welcome)
        return self

    async def read(self) -> ServerMessage:
        async with asyncio.timeout(WITHIN_S):
            data = await self.websocket.recv()
        module = msgspec.json if self.codec is JSON else msgspec.msgpack
        self.raw = module.decode(data)
        message = self.codec.decode_answer(data)
        self.seen.append(message)
        return message

    async def expect(self, kind: type[M], when: Callable[[M], bool] = lambda _: True) -> M:
        while True:
            message = await self.read()
            if isinstance(message, kind) and when(message):
                return message

    async def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Read until an event of a kind with these fields comes."""
        while True:
            for event in events_in([await self.read()]):
                if event["k"] == kind and fields.items() <= event.items():
                    return event

    async def answer(self, id_: str) -> Ok | No:
        while True:
            message = await self.read()
            if isinstance(message, Ok | No) and message.id == id_:
                return message

    async def closed(self, within_s: float = 10) -> tuple[Bye | None, int | None]:
        """Read to the end: the bye, if any, and the close code."""
        async with asyncio.timeout(within_s):
            with suppress(ConnectionClosed):
                while True:
                    self.seen.append(self.codec.decode_answer(await self.websocket.recv()))
            await self.websocket.wait_closed()
        last = self.seen[-1] if self.seen else None
        return (last if isinstance(last, Bye) else None), self.websocket.close_code

    @property
    def events(self) -> list[dict[str, Any]]:
        return events_in(self.seen)


def events_in(messages: list[ServerMessage]) -> list[dict[str, Any]]:
    return [
        event
        for message in messages
        if isinstance(message, Batch | ToYou)
        for event in message.events
    ]


class House:
    """A gateway on a port of its own, its fake services, and a way in."""

    def __init__(self, gateway: Gateway, fake: FakeServices) -> None:
        self.gateway = gateway
        self.fake = fake
        self._guests: list[ClientConnection] = []

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.gateway.port}/v1/ws"

    async def connect(self, codec: Codec = MSGPACK, **options: Any) -> Guest:
        subprotocols = None if codec is JSON else [cast(Any, codec.name)]
        options = {
            "subprotocols": subprotocols,
            "compression": None,
            "ping_interval": None,
        } | options
        websocket = await connect(self.url, **options)
        self._guests.append(websocket)
        return Guest(websocket, codec)

    async def guest(self, user: str, role: Role = Role.VIEWER, **options: Any) -> Guest:
        hello = {key: options.pop(key) for key in ("resume",) if key in options}
        return await (await self.connect(**options)).enter(user, role, **hello)

    def address_of(self, guest: int) -> Any:
        """Where a guest (by order of coming) comes from."""
        return self._guests[guest].local_address

    async def leave(self) -> None:
        for websocket in self._guests:
            await websocket.close()


async def wait_until(holds: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def open_house(limits: GatewayLimits | None = None, **options: Any) -> AsyncIterator[House]:
    bus = LocalBus()
    fake = FakeServices(bus)
    gateway = Gateway(fake.services(), TOKENS, bus, limits or GatewayLimits(), now_ms, **options)
    await gateway.start("127.0.0.1", 0)
    house = House(gateway, fake)
    try:
        yield house
    finally:
        await house.leave()
        await gateway.close()
