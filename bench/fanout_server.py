"""`python -m bench.fanout_server KIND [BUS]`: one server of the fan-out measurement, told by stdin.

Kinds: `liveroom` (the gateway with its real services and store; what is shown comes over its
bus), `bare` (one `write(2)` per socket and frame), `broadcast` (`websockets.broadcast`). It says
its port on a line of JSON, takes one JSON order per line, and answers with one line each.
"""

import asyncio
import json
import os
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from liveroom.app import new_id, now_ms
from liveroom.app.application import settle_memory
from liveroom.bus.address import parse
from liveroom.bus.local import LocalBus
from liveroom.bus.port import Bus, Position, Publication
from liveroom.bus.redis import RedisBus
from liveroom.domain.actors import ANY_ROOM, Actor, Role
from liveroom.domain.events import (
    DanmakuSaid,
    Entered,
    Event,
    GiftSent,
    ProductCard,
    ProductPinned,
    WelcomedBack,
)
from liveroom.domain.ids import EventId, ProductId, RoomId, UserId
from liveroom.domain.rooms import RoomDraft
from liveroom.edge.callers import GatewayLimits
from liveroom.edge.gateway import Gateway
from liveroom.edge.tokens import Tokens
from liveroom.observe import GATEWAY_FRAMES, configure_logs
from liveroom.protocol.codec import write_frame
from liveroom.service.ports import Ports
from liveroom.service.services import build_services
from liveroom.store.database import open_store, upgrade

ROOM = RoomId("bench")
UNBOUNDED = 10**6
LAG_EVERY_S = 0.01
PUBLISH_EVERY_S = 0.02
"""How often what is due is published; each server looks as often."""
TEXT = "这个颜色真好看，还有货吗？"

Send = Callable[[bytes], int]
"""Sends one payload to everybody; tells how many frames that made."""


async def liveroom(order: dict[str, Any]) -> dict[str, Any]:
    """Publish what the order says on the bus, as the services and the relay do."""
    bus, said = HOUSE["bus"], "moderator" if order["every_text"] else None
    rates = {
        "text": order["rate"],
        "money": order["gifts"],
        **(OTHERS_PER_S if order.get("others") else {}),
    }
    frames = GATEWAY_FRAMES._value.get()

    async def step(passed: float, done: dict[str, int]) -> None:
        events: list[Event] = []
        for kind, per_s in rates.items():
            due = int(passed * per_s + 0.5) - done[kind]
            done[kind] += due
            sent = str(time.monotonic_ns())
            events += [MAKERS[kind](sent, said) for _ in range(due)]
        if events:
            await bus.publish(Publication(ROOM, tuple(events)))

    result = await _during(order["seconds"], PUBLISH_EVERY_S, step)
    return result | {"frames": GATEWAY_FRAMES._value.get() - frames}


OTHERS_PER_S = {"state": 1, "cue": 1, "ambient": 5}
"""What happens in a room beside texts and gifts, so that each class has its delivery times."""


def _text(sent: str, badge: str | None) -> Event:
    return _event(DanmakuSaid(user=UserId("x"), name=sent, text=TEXT, badge=badge))


def _gift(sent: str, _: object) -> Event:
    return _durable(GiftSent(user=UserId("x"), name=sent, gift="rose", count=1, combo=1))


def _pin(sent: str, _: object) -> Event:
    return _durable(ProductPinned(product=ProductCard(id=ProductId("p"), title=sent, price=990)))


def _cue(sent: str, _: object) -> Event:
    fact = WelcomedBack(tier="gold", orders=3, visits=9, name=sent)
    return replace(_event(fact), to=UserId("bench-0"))


def _entry(sent: str, _: object) -> Event:
    return _event(Entered(user=UserId("x"), name=sent, tier="gold", recognised=True))


MAKERS: dict[str, Callable[[str, str | None], Event]] = {
    "text": _text,
    "money": _gift,
    "state": _pin,
    "cue": _cue,
    "ambient": _entry,
}


def _event(fact: Any) -> Event:
    # An id as long as real ones; making those belongs to the services, which are not measured.
    HOUSE["made"] += 1
    return Event(id=EventId(f"{HOUSE['made']:032x}"), room=ROOM, at=now_ms(), fact=fact)


def _durable(fact: Any) -> Event:
    HOUSE["n"] += 1
    return replace(_event(fact), n=HOUSE["n"])


HOUSE: dict[str, Any] = {"n": 0, "made": 0}


class Unwritten:
    """The history behind a bus whose events no store has."""

    async def positions(self, _rooms: Collection[RoomId]) -> Mapping[RoomId, Position]:
        return {}

    async def since(self, _room: RoomId, _offset: int) -> Sequence[Event]:
        return []

    async def personal_since(self, _rooms: Collection[RoomId], _at: int) -> Sequence[Event]:
        return []


async def open_bus(address: str | None) -> Bus:
    """Open the bus of one node alone, or one end of a shared one."""
    bus: Bus = LocalBus()
    if address is not None:
        bus = RedisBus(parse(address), node="bench", history=Unwritten(), now_ms=now_ms)
    await bus.start()
    return bus


async def open_liveroom(secret: str, address: str | None) -> int:
    """Open the gateway over services and a store of its own."""
    folder = tempfile.mkdtemp(prefix="liveroom-fanout-")
    url = f"sqlite:///{folder}/bench.db"
    await upgrade(url)
    bus = HOUSE["bus"] = await open_bus(address)
    store = await open_store(url)
    services = build_services(
        Ports(store=store, bus=bus, now_ms=now_ms, new_id=new_id, new_secret=secrets.token_hex)
    )
    await services.start()
    admin = Actor(user=UserId("admin"), role=Role.ADMIN, room=ANY_ROOM)
    await services.rooms.create(admin, RoomDraft(id=ROOM, title="Bench", host=UserId("host")))
    limits = GatewayLimits(sockets_per_address=UNBOUNDED, accepts_per_s=UNBOUNDED)
    gateway = HOUSE["gateway"] = Gateway(services, Tokens(secret=secret), bus, limits, now_ms)
    await gateway.start("127.0.0.1", 0)
    settle_memory()
    return gateway.port


async def open_plain() -> int:
    """Open a websocket server that only keeps its connections."""
    connections: set[ServerConnection] = HOUSE.setdefault("connections", set())

    async def keep(connection: ServerConnection) -> None:
        connections.add(connection)
        try:
            async for _ in connection:
                pass
        finally:
            connections.discard(connection)

    server = await serve(keep, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4_096)
    HOUSE["server"] = server
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


async def bare(order: dict[str, Any]) -> dict[str, Any]:
    """Write the same bytes to every socket, and nothing else."""
    files = [c.transport.get_extra_info("socket").fileno() for c in HOUSE["connections"]]

    def send(payload: bytes) -> int:
        frame = write_frame(payload, is_text=False)
        for file in files:
            os.write(file, frame)
        return len(files)

    return await _repeat(order, send)


async def library(order: dict[str, Any]) -> dict[str, Any]:
    """Let the library broadcast."""

    def send(payload: bytes) -> int:
        broadcast(HOUSE["connections"], payload)
        return len(HOUSE["connections"])

    return await _repeat(order, send)


async def _repeat(order: dict[str, Any], send: Send) -> dict[str, Any]:
    frames = 0

    async def step(passed: float, done: dict[str, int]) -> None:
        nonlocal frames
        while done["text"] < int(passed * order["rate"]):
            done["text"] += 1
            head = str(time.monotonic_ns()).encode()
            frames += send(head.ljust(order["bytes"], b" "))

    every_s = max(0.001, min(PUBLISH_EVERY_S, 0.5 / order["rate"]))
    result = await _during(order["seconds"], every_s, step)
    return result | {"frames": frames}


async def _during(
    seconds: float, every_s: float, step: Callable[[float, dict[str, int]], Awaitable[None]]
) -> dict[str, Any]:
    """Call `step` for a while; count this process's CPU and how late the loop was."""
    loop = asyncio.get_running_loop()
    done = dict.fromkeys(MAKERS, 0)
    lags: list[float] = []
    measuring = Lag(lags)
    before, started = _cpu_s(), loop.time()
    while (passed := loop.time() - started) < seconds:
        await step(passed, done)
        await asyncio.sleep(every_s)
    await asyncio.sleep(0.3)  # what waits for its tick
    spent = _cpu_s() - before
    measuring.stop()
    late = float(np.percentile(lags, 99.9)) if lags else 0.0
    return {"cpu_s": spent, "took_s": loop.time() - started, "lag_ms": late * 1e3, **done}


class Lag:
    """Notes how late the loop runs a timer; a task that sleeps would cost three times as much."""

    def __init__(self, lags: list[float]) -> None:
        self._lags = lags
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + LAG_EVERY_S
        self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        self._lags.append(now - self._due)
        self._due = now + LAG_EVERY_S
        self._timer = self._loop.call_at(self._due, self._look)

    def stop(self) -> None:
        """Note no more."""
        self._timer.cancel()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def idle(order: dict[str, Any]) -> dict[str, Any]:
    """Do nothing; what this costs is what being there costs."""

    async def step(_passed: float, _done: dict[str, int]) -> None:
        pass

    return await _during(order["seconds"], 0.1, step)


ORDERS = {"liveroom": liveroom, "bare": bare, "broadcast": library}


async def main(kind: str, address: str | None = None) -> None:
    """Serve until stdin ends; `address` is that of a bus shared with others."""
    configure_logs(level="warning", stream=sys.stderr)
    secret = secrets.token_hex(32) if kind == "liveroom" else ""
    port = await open_liveroom(secret, address) if secret else await open_plain()
    _say({"port": port, "secret": secret})
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        order = json.loads(line)
        carry_out = idle if order["do"] == "idle" else ORDERS[kind]
        _say(await carry_out(order))


def _say(fields: dict[str, Any]) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:3]))
