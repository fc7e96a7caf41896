"""`python -m bench.viewers`: many viewers in one process, told by stdin.

Takes one JSON plan, connects everybody, says so; an empty line ends it, and it says what came.
Every viewer counts frames and bytes; a sample of them decodes and measures delivery times by
the monotonic clock that both processes share. Nothing here keeps frames.
"""

import asyncio
import json
import socket
import sys
import time
from collections import defaultdict
from typing import Any, cast

import msgspec
import uvloop

SAMPLE = 20
DEAF_BUFFER_BYTES = 4_096
VALUES_MAX = 20_000
AT_ONCE = 64
ALL_IN_WITHIN_S = 60.0
SOURCES = 4
"""Loopback addresses that viewers come from: each has some 28,000 ports."""
_CLASSES = {
    "gift": "money",
    "pin": "state",
    "welcome_back": "cue",
    "danmaku": "text",
    "enter": "ambient",
}
MEMO_MAX = 256
"""Frames whose numbers are remembered: all get the same bytes, so all can check them."""

REQUEST = (
    "GET /v1/ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{protocol}\r\n"
)


class Seen:
    """What all viewers of this process saw."""

    def __init__(self) -> None:
        self.frames = self.bytes = self.lost = 0
        self.broken = self.complete = self.incomplete = 0
        self._memo: dict[bytes, tuple[int, ...]] = {}
        self.sampled_frames = self.sampled_messages = 0
        self.delays_ms: dict[str, list[float]] = defaultdict(list)
        self.steps_ms: dict[str, list[float]] = defaultdict(list)

    def delay(self, kind: str, sent_ns: str) -> None:
        """Note how long something took, from its publication to here."""
        if sent_ns != "0" and len(self.delays_ms[kind]) < VALUES_MAX:
            self.delays_ms[kind].append((time.monotonic_ns() - int(sent_ns)) / 1e6)

    def numbers(self, payload: bytes) -> tuple[int, ...]:
        """Read the numbers of the durable events in a frame."""
        found = self._memo.get(payload)
        if found is None:
            if len(self._memo) >= MEMO_MAX:
                self._memo.clear()
            events = msgspec.msgpack.decode(payload).get("events", ())
            found = tuple(event["n"] for event in events if "n" in event)
            self._memo[payload] = found
        return found

    def told(self) -> dict[str, Any]:
        """Say what was seen."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


class Viewer(asyncio.Protocol):
    """One viewer: handshake, hello, then frames."""

    def __init__(self, seen: Seen, token: str | None, *, decodes: bool) -> None:
        self._seen = seen
        self._token = token
        self._decodes = decodes
        self._buffer = bytearray()
        self._is_open = False
        self._is_in = False
        self._started = time.monotonic()
        self.last = 0
        self.entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        protocol = ""
        if self._token is not None:
            protocol = "Sec-WebSocket-Protocol: liveroom.msgpack.v1\r\n"
        self._transport.write(REQUEST.format(protocol=protocol).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        self._seen.lost += 1
        if not self.entered.done():
            self.entered.set_exception(exc or ConnectionError("closed before the welcome"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 101"):
                self._transport.abort()
                return
            del self._buffer[: end + 4]
            self._opened()
        while (frame := self._cut()) is not None:
            self._take(*frame)

    def stop_reading(self) -> None:
        """Take nothing more, as a phone does that lost its network."""
        self._transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, DEAF_BUFFER_BYTES
        )
        self._transport.pause_reading()

    def _opened(self) -> None:
        self._is_open = True
        self._step("handshake")
        if self._token is None:
            self._enter()
            return
        hello = {"t": "hello", "token": self._token, "room": "bench"}
        self._transport.write(_masked(0x82, msgspec.msgpack.encode(hello)))

    def _enter(self) -> None:
        self._is_in = True
        if not self.entered.done():
            self.entered.set_result(None)

    def _step(self, name: str) -> None:
        now = time.monotonic()
        self._seen.steps_ms[name].append((now - self._started) * 1e3)
        self._started = now

    def _cut(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            if len(buffer) < start:
                return None
            size = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + size:
            return None
        payload = bytes(buffer[start : start + size])
        opcode = buffer[0] & 0x0F
        del buffer[: start + size]
        return opcode, payload

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == 0x9:
            self._transport.write(_masked(0x8A, payload))
            return
        if opcode not in (0x1, 0x2):
            return
        if not self._is_in:
            self._step("welcome")
            self._enter()
            return
        seen = self._seen
        seen.frames += 1
        seen.bytes += len(payload)
        if self._token is not None:
            self._count(payload)
        if self._decodes:
            seen.sampled_frames += 1
            self._decode(payload)

    def _count(self, payload: bytes) -> None:
        """See that each durable event comes once and in its order."""
        for number in self._seen.numbers(payload):
            if number != self.last + 1:
                self._seen.broken += 1
            self.last = number

    def _decode(self, payload: bytes) -> None:
        if self._token is None:
            self._seen.sampled_messages += 1
            self._seen.delay("text", payload.split(b" ", 1)[0].decode())
            return
        message: dict[str, Any] = msgspec.msgpack.decode(payload)
        for event in message.get("events", ()):
            kind = _CLASSES.get(event["k"])
            if kind is None:
                continue
            sent = event["product"]["title"] if kind == "state" else event["name"]
            if not sent.isdigit():
                continue  # the real services say who came in: that carries a name, no time
            self._seen.sampled_messages += 1
            self._seen.delay(kind, sent)


def _masked(first: int, payload: bytes) -> bytes:
    size = bytes([0x80 | len(payload)])
    if len(payload) > 125:
        size = bytes([0x80 | 126]) + len(payload).to_bytes(2, "big")
    return bytes([first]) + size + bytes(4) + payload


async def main() -> None:
    """Follow the plan."""
    plan = json.loads(sys.stdin.readline())
    loop = asyncio.get_running_loop()
    seen, gate = Seen(), asyncio.Semaphore(AT_ONCE)
    tokens: list[str | None] = plan["tokens"] or [None] * plan["viewers"]
    every = max(1, len(tokens) // SAMPLE)

    viewers: list[Viewer] = []

    deaf = plan.get("deaf", 0)

    async def come(number: int, token: str | None) -> None:
        async with gate:
            _, viewer = await loop.create_connection(
                lambda: Viewer(seen, token, decodes=number % every == 0),
                "127.0.0.1",
                plan["port"],
                local_addr=(f"127.0.0.{1 + number % SOURCES}", 0),
            )
            await viewer.entered
            if number >= len(tokens) - deaf:
                viewer.stop_reading()
            else:
                viewers.append(viewer)

    started = time.monotonic()
    async with asyncio.timeout(ALL_IN_WITHIN_S), asyncio.TaskGroup() as coming:
        for number, token in enumerate(tokens):
            coming.create_task(come(number, token))
    print(json.dumps({"viewers": len(tokens), "took_s": time.monotonic() - started}), flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline) == "clear\n":
        seen.frames = seen.bytes = seen.sampled_frames = seen.sampled_messages = 0
        seen.delays_ms.clear()
        print(json.dumps({}), flush=True)
    last = max((viewer.last for viewer in viewers), default=0)
    seen.complete = sum(viewer.last == last for viewer in viewers)
    seen.incomplete = len(viewers) - seen.complete
    print(json.dumps(seen.told()), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
