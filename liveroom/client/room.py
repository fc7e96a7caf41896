"""A person in a room over the websocket gateway: join, talk, give, and see what happens.

Flows in: an HTTP address, a room, a token. Flows out: an asynchronous stream of `RoomEvent`,
each durable one exactly once across reconnects, and answers to commands by id. It must not
know the server's types: frames are decoded here into client-side values, unknown keys and
kinds are passed on or ignored, never an error.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from random import Random, SystemRandom
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from liveroom.client.backoff import EXPIRED, Backoff, may_come_back
from liveroom.client.events import EventSocket, open_events
from liveroom.client.visit import (
    CommandRefused,
    Joined,
    RoomClosed,
    RoomEvent,
    Welcome,
    join,
    read_event,
)

EVENTS_MAX = 10_000
"""Events kept for a reader who does not read; the oldest are dropped and counted."""
SEEN_MAX = 4_096
"""Ids remembered to drop an event that comes twice."""
PENDING_MAX = 1_000
"""Commands without an answer; one more is refused with `busy`."""
OPEN_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 10.0
FRAME_BYTES_MAX = 4 * 1024 * 1024
FALL_BACK_AFTER = 2
"""So many connections in a row that brought no welcome: try the other way in."""

SUBPROTOCOLS = {"msgpack": "liveroom.msgpack.v1", "json": "liveroom.json.v1"}


@dataclass(slots=True)
class Timings:
    """How long the steps of entering took, in seconds."""

    join_s: float = 0.0
    hello_s: float = 0.0
    welcome_s: float = 0.0


@dataclass(slots=True)
class _Command:
    frame: dict[str, Any]
    answer: asyncio.Future[Mapping[str, Any]]


@dataclass(slots=True)
class _Place:
    """How far this client has read: where a resume continues."""

    epoch: str
    offset: int
    personal: int
    seen: OrderedDict[str, None] = field(default_factory=OrderedDict)


class RoomClient:
    """One visit to a room, kept alive over reconnects until closed.

    Use as an asynchronous context manager; iterate it for events. Commands await their
    answer; those still unanswered when the connection breaks are sent again with the same
    id after it is back, which the server's idempotency makes safe.
    """

    def __init__(
        self,
        base_url: str,
        room: str,
        token: str | None,
        *,
        encoding: str = "msgpack",
        transport: str = "auto",
        http: httpx.AsyncClient | None = None,
        joined: Joined | None = None,
        random: Random | None = None,
        renew: Callable[[], str] | None = None,
        on_state: Callable[[str], None] | None = None,
    ) -> None:
        self._base_url = base_url
        self._room = room
        self._token = token
        self._encoding = encoding
        self._wanted_transport = transport
        self._unwelcomed = 0
        self._http = http
        self._renew = renew
        self._on_state = on_state or (lambda state: None)
        self._backoff = Backoff(random or SystemRandom())
        self._events: deque[RoomEvent] = deque()
        self._arrived = asyncio.Event()
        self._pending: dict[str, _Command] = {}
        self._place: _Place | None = None
        self._socket: ClientConnection | EventSocket | None = None
        self._entered: asyncio.Future[Welcome] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed: RoomClosed | None = None
        self._after_ms: int | None = None
        self.joined = joined
        self.welcome: Welcome | None = None
        self.counters: dict[str, Any] = {}
        self.timings = Timings()
        self.dropped = 0
        self.duplicates = 0
        self.connects = 0
        self.transport = "events" if transport == "events" else "websocket"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> Welcome:
        """Join and connect; return when the first welcome has come."""
        self._entered = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._visit(), name=f"room-{self._room}")
        return await self._entered

    async def close(self) -> None:
        """Leave the room and end the iteration."""
        has_ended = self._closed is not None
        self._end(RoomClosed(1000, "left"))
        if self._task is not None:
            if not has_ended:  # else it is closing its connections: let it
                self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def say(self, text: str, *, id: str | None = None) -> Mapping[str, Any]:
        """Say a line as danmaku."""
        return await self._command({"t": "say", "text": text}, id)

    async def gift(self, gift: str, count: int = 1, *, id: str | None = None) -> Mapping[str, Any]:
        """Give a gift; the same id gives it once however often it is sent."""
        return await self._command({"t": "gift", "gift": gift, "count": count}, id)

    async def ask(
        self, do: str, arguments: Mapping[str, Any] | None = None, *, id: str | None = None
    ) -> Mapping[str, Any]:
        """Carry out a named command of the service (follow, checkout, thank, …)."""
        return await self._command({"t": "ask", "do": do, "with": dict(arguments or {})}, id)

    async def like(self, count: int = 1) -> None:
        """Like the broadcast; unanswered, lost when the connection is down."""
        if self._socket is not None:
            with suppress(ConnectionClosed):
                await self._send(self._socket, {"t": "like", "n": count})

    async def renew_token(self, token: str) -> None:
        """Use a new token before the old one expires."""
        self._token = token
        if self._socket is not None:
            with suppress(ConnectionClosed):
                await self._send(self._socket, {"t": "token", "token": token})

    def __aiter__(self) -> AsyncIterator[RoomEvent]:
        return self._iterate()

    async def next_event(self, kind: str, *, timeout_s: float = ANSWER_TIMEOUT_S) -> RoomEvent:
        """Return the next event of a kind, dropping the others."""
        async with asyncio.timeout(timeout_s):
            async for event in self:
                if event.kind == kind:
                    return event
        raise self._closed or RoomClosed(1006, "the stream ended")

    async def break_connection(self) -> None:
        """Cut the socket as a bad network would (tests and rehearsals)."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _iterate(self) -> AsyncIterator[RoomEvent]:
        while True:
            while self._events:
                yield self._events.popleft()
            if self._closed is not None:
                return
            self._arrived.clear()
            await self._arrived.wait()

    async def _command(self, frame: dict[str, Any], id: str | None) -> Mapping[str, Any]:
        if self._closed is not None:
            raise self._closed
        if len(self._pending) >= PENDING_MAX:
            raise CommandRefused("busy", "Too many commands wait for an answer.")
        frame["id"] = id or uuid4().hex
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[frame["id"]] = _Command(frame, answer)
        try:
            if self._socket is not None:
                with suppress(ConnectionClosed):
                    await self._send(self._socket, frame)
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await answer
        finally:
            self._pending.pop(frame["id"], None)

    async def _visit(self) -> None:
        owned = self._http is None
        http = self._http or httpx.AsyncClient(timeout=OPEN_TIMEOUT_S)
        try:
            while self._closed is None:
                self._after_ms = None
                connects = self.connects
                try:
                    await self._connect_once(http)
                except CommandRefused as refused:
                    if refused.retry_ms is None:
                        self._fail(refused)
                        return
                    self._after_ms = refused.retry_ms
                except (
                    httpx.TransportError,
                    OSError,
                    InvalidHandshake,
                    TimeoutError,
                    ConnectionClosed,
                ):
                    self._on_state("unreachable")
                except (InvalidURI, msgspec.DecodeError, KeyError) as error:
                    self._fail(error)
                    return
                if self._closed is None:
                    self._reconsider(welcomed=self.connects > connects)
                    self._on_state("reconnecting")
                    await asyncio.sleep(self._backoff.delay_s(self._after_ms))
        finally:
            if owned:
                await http.aclose()

    async def _connect_once(self, http: httpx.AsyncClient) -> None:
        started = time.monotonic()
        self._on_state("joining")
        if self.joined is None:
            self.joined = await join(http, self._base_url, self._room, self._token)
            self._token = self.joined.token
        self.timings.join_s = time.monotonic() - started
        connecting = self._by_events(http) if self.transport == "events" else self._by_socket()
        async with connecting as socket:
            said = time.monotonic()
            self.timings.hello_s = said - started - self.timings.join_s
            if isinstance(socket, ClientConnection):
                await self._send(socket, self._hello())
            try:
                async for data in socket:
                    await self._receive(socket, self._decode(data), said)
            except ConnectionClosed:
                self._on_state("lost")
            finally:
                self._socket = None
        self._closed_with(socket.close_code or 1006, socket.close_reason or "")

    def _by_socket(self) -> connect:
        assert self.joined is not None
        return connect(
            self.joined.gateway_url,
            subprotocols=[Subprotocol(SUBPROTOCOLS[self._encoding])],
            compression=None,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=1,
            max_size=FRAME_BYTES_MAX,
            user_agent_header=None,
            proxy=None,
        )

    def _by_events(self, http: httpx.AsyncClient) -> AbstractAsyncContextManager[EventSocket]:
        return open_events(http, self._base_url, self._room, self._token, self._resume())

    def _resume(self) -> dict[str, Any] | None:
        place = self._place
        if place is None:
            return None
        return {"epoch": place.epoch, "offset": place.offset, "personal": place.personal}

    def _hello(self) -> dict[str, Any]:
        hello: dict[str, Any] = {"t": "hello", "token": self._token, "room": self._room}
        resume = self._resume()
        return hello if resume is None else hello | {"resume": resume}

    def _reconsider(self, *, welcomed: bool) -> None:
        """Go over to the other way in when this one brings no welcome."""
        self._unwelcomed = 0 if welcomed else self._unwelcomed + 1
        if self._wanted_transport == "auto" and self._unwelcomed >= FALL_BACK_AFTER:
            self._unwelcomed = 0
            self.transport = "websocket" if self.transport == "events" else "events"

    def _closed_with(self, code: int, why: str) -> None:
        if may_come_back(code):
            return
        if self._renew is not None and code == EXPIRED:
            self._token = self._renew()
            return
        self._fail(RoomClosed(code, why))

    async def _receive(
        self, socket: ClientConnection | EventSocket, frame: dict[str, Any], said: float
    ) -> None:
        match frame.get("t"):
            case "welcome":
                self.timings.welcome_s = time.monotonic() - said
                self._welcomed(frame)
                self._socket = socket
                for command in list(self._pending.values()):
                    await self._send(socket, command.frame)
            case "batch":
                self.counters.update(frame.get("counters") or {})
                self._take(frame.get("events") or (), personal=False)
                if self._place is not None:
                    self._place.offset = max(self._place.offset, frame.get("offset") or 0)
            case "to_you":
                self._take(frame.get("events") or (), personal=True)
                if self._place is not None:
                    self._place.personal = max(self._place.personal, frame.get("personal") or 0)
            case "ok" | "no":
                self._answered(frame)
            case "move" | "bye":
                self._after_ms = frame.get("after_ms")
                if frame["t"] == "move":
                    await asyncio.sleep((self._after_ms or 0) / 1000)
                    self._after_ms = 0
                    await socket.close(1000)

    def _welcomed(self, frame: dict[str, Any]) -> None:
        resumed = bool(frame.get("resumed"))
        place = self._place
        if place is None or not resumed or place.epoch != frame["epoch"]:
            seen = place.seen if place is not None else OrderedDict()
            self._place = _Place(frame["epoch"], frame["offset"], frame.get("personal", 0), seen)
        self.welcome = Welcome(
            you=frame.get("you") or {},
            room=frame.get("room") or {},
            snapshot=frame.get("snapshot") or {},
            epoch=frame["epoch"],
            offset=frame["offset"],
            personal=frame.get("personal", 0),
            resumed=resumed,
        )
        self.counters.update(self.welcome.snapshot.get("counters") or {})
        self._backoff.succeeded()
        self.connects += 1
        self._on_state("live")
        if self._entered is not None and not self._entered.done():
            self._entered.set_result(self.welcome)

    def _take(self, events: Any, *, personal: bool) -> None:
        place = self._place
        assert place is not None, "an event before the welcome"
        before = place.personal if personal else place.offset
        for raw in events:
            if self._is_known(place, raw, before, personal=personal):
                self.duplicates += 1
                continue
            if len(self._events) >= EVENTS_MAX:
                self._events.popleft()
                self.dropped += 1
            self._events.append(read_event(raw, personal=personal))
        self._arrived.set()

    def _is_known(
        self, place: _Place, raw: Mapping[str, Any], before: int, *, personal: bool
    ) -> bool:
        """Tell whether an event came already; `before` is the place when its frame came."""
        number, id = raw.get("pn" if personal else "n"), raw.get("id")
        if number is not None:
            if number <= before:
                return True
            if personal:
                place.personal = max(place.personal, number)
            else:
                place.offset = max(place.offset, number)
        if id is not None:
            if id in place.seen:
                return True
            place.seen[id] = None
            if len(place.seen) > SEEN_MAX:
                place.seen.popitem(last=False)
        return False

    def _answered(self, frame: dict[str, Any]) -> None:
        command = self._pending.get(frame.get("id", ""))
        if command is None or command.answer.done():
            return
        if frame["t"] == "ok":
            command.answer.set_result(frame)
        else:
            command.answer.set_exception(
                CommandRefused(frame["code"], frame.get("why", ""), frame.get("retry_ms"))
            )

    def _fail(self, error: Exception) -> None:
        if self._entered is not None and not self._entered.done():
            self._entered.set_exception(error)
        self._end(error if isinstance(error, RoomClosed) else RoomClosed(1006, str(error)))

    def _end(self, closed: RoomClosed) -> None:
        if self._closed is None:
            self._closed = closed
        for command in self._pending.values():
            if not command.answer.done():
                command.answer.set_exception(closed)
        self._arrived.set()

    async def _send(self, socket: ClientConnection | EventSocket, frame: Mapping[str, Any]) -> None:
        if isinstance(socket, EventSocket) or self._encoding == "json":
            await socket.send(msgspec.json.encode(frame).decode())
        else:
            await socket.send(msgspec.msgpack.encode(frame))

    def _decode(self, data: str | bytes) -> dict[str, Any]:
        if isinstance(data, str):
            return msgspec.json.decode(data, type=dict[str, Any])
        return msgspec.msgpack.decode(data, type=dict[str, Any])
