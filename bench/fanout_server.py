"""`python -m bench.fanout_server KIND`: one server of the fan-out measurement, told by stdin.

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
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from liveroom.app import new_id, now_ms
from liveroom.app.application import settle_memory
from liveroom.bus.local import LocalBus
from liveroom.bus.port import Publication
from liveroom.domain.actors import ANY_ROOM, Actor, Role
from liveroom.domain.events import DanmakuSaid, Event, GiftSent
from liveroom.domain.ids import EventId, RoomId, UserId
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
    bus, rate, gifts_per_s = HOUSE["bus"], order["rate"], order["gifts"]
    badge = "moderator" if order["every_text"] else None
    frames = GATEWAY_FRAMES._value.get()
    gifts = HOUSE["gifts"]

    async def step(passed: float, done: dict[str, int]) -> None:
        texts = int(passed * rate) - done["text"]
        sent = time.monotonic_ns()
        said = DanmakuSaid(user=UserId("x"), name=f"{sent}", text=TEXT, badge=badge)
        events = [_event(said) for _ in range(texts)]
        done["text"] += texts
        while done["money"] < int(passed * gifts_per_s):
            done["money"] += 1
            fact = GiftSent(user=UserId("x"), name=f"{sent}", gift="rose", count=1, combo=1)
            events.append(_event(fact, n=gifts + done["money"]))
        if events:
            await bus.publish(Publication(ROOM, tuple(events)))

    result = await _during(order["seconds"], PUBLISH_EVERY_S, step)
    HOUSE["gifts"] += result["money"]
    return result | {"frames": GATEWAY_FRAMES._value.get() - frames}


def _event(fact: Any, *, n: int | None = None) -> Event:
    return Event(id=EventId(new_id()), room=ROOM, at=now_ms(), fact=fact, n=n)


HOUSE: dict[str, Any] = {"gifts": 0}


async def open_liveroom(secret: str) -> int:
    """Open the gateway over services and a store of its own."""
    folder = tempfile.mkdtemp(prefix="liveroom-fanout-")
    url = f"sqlite:///{folder}/bench.db"
    await upgrade(url)
    bus = HOUSE["bus"] = LocalBus()
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
    done = {"text": 0, "money": 0}
    lags: list[float] = []
    measuring = loop.create_task(_lag(lags))
    before, started = _cpu_s(), loop.time()
    while (passed := loop.time() - started) < seconds:
        await step(passed, done)
        await asyncio.sleep(every_s)
    await asyncio.sleep(0.3)  # what waits for its tick
    spent = _cpu_s() - before
    measuring.cancel()
    late = float(np.percentile(lags, 99.9)) if lags else 0.0
    return {"cpu_s": spent, "took_s": loop.time() - started, "lag_ms": late * 1e3, **done}


async def _lag(lags: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        lags.append(loop.time() - due)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def idle(order: dict[str, Any]) -> dict[str, Any]:
    """Do nothing; what this costs is what being there costs."""

    async def step(_passed: float, _done: dict[str, int]) -> None:
        pass

    return await _during(order["seconds"], 0.1, step)


ORDERS = {"liveroom": liveroom, "bare": bare, "broadcast": library}


async def main(kind: str) -> None:
    """Serve until stdin ends."""
    configure_logs(level="warning", stream=sys.stderr)
    secret = secrets.token_hex(32) if kind == "liveroom" else ""
    port = await open_liveroom(secret) if secret else await open_plain()
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
    uvloop.run(main(sys.argv[1]))
