"""The websocket listener: who may connect, which rooms are watched here, and how all of it ends.

One conversation per connection, one audience per watched room. The composition root builds
it, starts it, and drains it before it stops. It knows no wire format.
"""

import asyncio
import random
import secrets
import ssl
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import NegotiationError
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from liveroom.bus.port import Alone, Bus, Company
from liveroom.domain.ids import RoomId, UserId
from liveroom.edge.audience import Audience
from liveroom.edge.callers import Callers, GatewayLimits
from liveroom.edge.connection import CLOSE_WITHIN_S, SHELL, Connection
from liveroom.edge.conversation import Conversation, House
from liveroom.edge.event_stream import EventStream
from liveroom.edge.heartbeat import Heartbeat
from liveroom.edge.likes import Likes
from liveroom.edge.tokens import TokenVerifier
from liveroom.edge.welcoming import Shared
from liveroom.observe import GATEWAY_CONNECTIONS, LOOP_LAG_SECONDS, logger
from liveroom.protocol.closing import KICKED, MOVE
from liveroom.protocol.codec import CODECS, FRAME_BYTES_MAX
from liveroom.protocol.messages import Move
from liveroom.service.services import Services

PATH = "/v1/ws"

ACCEPTS_QUEUED = 4_096
"""Connections the kernel keeps for us in a rush; beyond them clients try again by themselves."""

ARRIVALS_AT_ONCE = 128
"""So many people are recognised at the same time; the others wait their turn."""

LAG_EVERY_S = 0.1
"""How often the loop is timed: a stall of that length or more is never missed."""
RETRY_AFTER_S = 1
DRAIN_BATCHES = 20
"""`move` goes out in so many batches over the first half of the drain."""

RANK_ABOVE_ALL = 1 << 30

Chance = Callable[[], float]

_log = logger(__name__)


def _only_without(origin: str | None, _host: str | None) -> bool:
    return origin is None


class Gateway:
    """Serves websockets.

    Args:
        services: what commands call.
        tokens: verifies tokens.
        bus: brings the rooms' news.
        limits: the bounds.
        clock: UTC milliseconds.
        allows_origin: says whether a browser with this Origin (and Host) header may come;
            requests without Origin always may.
        chance: a number in [0, 1) for sampling and jitter.
        company: what other processes have of the rooms.

    """

    def __init__(
        self,
        services: Services,
        tokens: TokenVerifier,
        bus: Bus,
        limits: GatewayLimits,
        clock: Callable[[], int],
        *,
        allows_origin: Callable[[str | None, str | None], bool] = _only_without,
        chance: Chance = random.random,
        company: Company | None = None,
    ) -> None:
        self._services = services
        self._tokens = tokens
        self._bus = bus
        self._limits = limits
        self._clock = clock
        self._allows_origin = allows_origin
        self._chance = chance
        self._company = company or Alone()
        self._connections: set[Connection | EventStream] = set()
        self._streams: dict[str, EventStream] = {}
        self._visits: set[asyncio.Task[None]] = set()
        self._audiences: dict[RoomId, Audience] = {}
        self._server: Server | None = None
        self._is_draining = False
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._lag: asyncio.TimerHandle | None = None
        self._heartbeat: Heartbeat
        self._callers: Callers
        self._likes: Likes
        self._house: House

    async def start(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl: ssl.SSLContext | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """Listen; port 0 lets the system choose (see `port`), a shared port takes others too."""
        loop = asyncio.get_running_loop()
        self._heartbeat = Heartbeat()
        self._callers = Callers(self._limits, now=loop.time())
        self._likes = Likes(self._services.talking.like)
        self._house = House(
            services=self._services,
            tokens=self._tokens,
            bus=self._bus,
            limits=self._limits,
            callers=self._callers,
            now_ms=self._clock,
            audience_of=self._audience_of,
            like=self._likes.add,
            arrivals=asyncio.Semaphore(ARRIVALS_AT_ONCE),
            shared=Shared(),
        )
        self._server = await serve(
            self._converse,
            host,
            port,
            ssl=ssl,
            subprotocols=[Subprotocol(name) for name in CODECS],
            select_subprotocol=_choose,
            process_request=self._admit,
            max_size=FRAME_BYTES_MAX,
            backlog=ACCEPTS_QUEUED,
            reuse_port=shared or None,
            **SHELL,
            create_connection=self._connect,  # type: ignore[arg-type] # any factory will do
        )
        self._measure_lag(loop.time())
        _log.info("gateway listens", host=host, port=self.port)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._server is not None
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """How many websockets and streams are open."""
        return len(self._connections)

    def online(self, room: RoomId) -> int:
        """How many different people watch a room, on all nodes."""
        return self.here(room) + self._company.share(room).online

    def here(self, room: RoomId) -> int:
        """How many different people watch a room in this process."""
        audience = self._audiences.get(room)
        return 0 if audience is None else audience.here

    def watched(self) -> list[RoomId]:
        """List the rooms that somebody watches in this process."""
        return list(self._audiences)

    def recount(self, rooms: Iterable[RoomId]) -> None:
        """Show in some rooms that other processes have more or fewer people."""
        for room in rooms:
            if (audience := self._audiences.get(room)) is not None:
                audience.recount()

    def disconnect(
        self, room: RoomId, user: UserId, code: int = KICKED, rank: int = RANK_ABOVE_ALL
    ) -> int:
        """Close somebody's connections to a room below a rank; tell how many there were."""
        audience = self._audiences.get(room)
        found = [] if audience is None else audience.viewers_of(user)
        viewers = [viewer for viewer in found if viewer.connection.rank < rank]
        for viewer in viewers:
            viewer.connection.end(code)
        return len(viewers)

    def open_stream(self, address: str) -> EventStream | None:
        """Begin a visit over HTTP, within the bounds of websockets; None = too many."""
        now = asyncio.get_running_loop().time()
        is_welcome = self._callers.connect(address)
        if self._is_draining or not is_welcome or not self._callers.may_accept(now=now):
            self._callers.disconnect(address)
            return None
        stream = EventStream(
            secrets.token_urlsafe(24),
            address=address,
            chance=self._chance,
            bytes_max=self._limits.backlog_bytes,
        )
        self._streams[stream.id] = stream
        self._take_in(stream)
        visit = asyncio.create_task(Conversation(stream, self._house).run(), name="stream")
        self._visits.add(visit)
        visit.add_done_callback(lambda done: self._left(stream, done))
        return stream

    def stream(self, id: str) -> EventStream | None:
        """Find an open stream by its id."""
        return self._streams.get(id)

    def end_streams(self) -> None:
        """End every stream: the HTTP listener is about to stop."""
        for stream in list(self._streams.values()):
            stream.end(MOVE)

    def _left(self, stream: EventStream, visit: asyncio.Task[None]) -> None:
        stream.abort()
        self._visits.discard(visit)
        self._streams.pop(stream.id, None)
        self._lost(stream)
        if not visit.cancelled() and (error := visit.exception()) is not None:
            _log.error("visit failed", exc_info=error)

    async def drain(self, seconds: float) -> None:
        """Ask everybody to reconnect elsewhere, in batches, then close who is still here."""
        self._is_draining = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        moved = list(self._connections)
        size = max(1, -(-len(moved) // DRAIN_BATCHES))
        for first in range(0, len(moved), size):
            self._move(moved[first : first + size], left_s=deadline - loop.time())
            await asyncio.sleep(seconds / 2 / DRAIN_BATCHES)
        await self._wait_empty(deadline - loop.time())
        await self._end_all(MOVE)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is None:
            return
        self._is_draining = True
        if self._lag is not None:
            self._lag.cancel()
        await self._end_all(MOVE)
        self._server.close()
        await self._server.wait_closed()
        await self._likes.close()
        self._server = None

    # Handshake.

    def _connect(self, *args: object, **kwargs: object) -> Connection:
        connection = Connection(
            *args, chance=self._chance, bytes_max=self._limits.backlog_bytes, **kwargs
        )
        connection.on_made = self._made
        connection.on_lost = self._lost
        return connection

    def _made(self, connection: Connection) -> None:
        connection.is_welcome = self._callers.connect(connection.address)

    def _lost(self, connection: Connection | EventStream) -> None:
        self._callers.disconnect(connection.address)
        self._connections.discard(connection)
        self._heartbeat.discard(connection)
        if not self._connections:
            self._is_empty.set()
        GATEWAY_CONNECTIONS.set(len(self._connections))

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request that may not become a websocket; None = it may."""
        assert isinstance(connection, Connection)
        if request.path.partition("?")[0] != PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, f"The websocket is at {PATH}.\n")
        if not self._is_allowed(request.headers):
            return connection.respond(
                HTTPStatus.FORBIDDEN, "This origin is not allowed; see --origins.\n"
            )
        now = asyncio.get_running_loop().time()
        if self._is_draining or not connection.is_welcome or not self._callers.may_accept(now=now):
            response = connection.respond(
                HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections; try again.\n"
            )
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
            return response
        return None

    def _is_allowed(self, headers: Headers) -> bool:
        origins = headers.get_all("Origin")
        if len(origins) > 1:
            return False
        hosts = headers.get_all("Host")
        return self._allows_origin(
            origins[0] if origins else None, hosts[0] if len(hosts) == 1 else None
        )

    async def _converse(self, connection: ServerConnection) -> None:
        assert isinstance(connection, Connection)
        connection.begin()
        self._take_in(connection)
        await Conversation(connection, self._house).run()

    def _take_in(self, connection: Connection | EventStream) -> None:
        self._connections.add(connection)
        self._heartbeat.add(connection)
        self._is_empty.clear()
        GATEWAY_CONNECTIONS.set(len(self._connections))

    def _audience_of(self, room: RoomId) -> Audience:
        audience = self._audiences.get(room)
        if audience is None:
            audience = self._audiences[room] = Audience(
                room,
                bus=self._bus,
                tick_s=self._limits.tick_ms / 1000,
                now_ms=self._clock,
                chance=self._chance,
                budgets=self._limits.budgets,
                left=self._empty,
                loop=asyncio.get_running_loop(),
                elsewhere=lambda place: self._company.share(place).online,
            )
        return audience

    def _empty(self, audience: Audience) -> None:
        if self._audiences.get(audience.room) is audience:
            del self._audiences[audience.room]

    # The end.

    def _move(self, connections: Sequence[Connection | EventStream], *, left_s: float) -> None:
        for connection in connections:
            after_ms = int(max(0.0, left_s) * 1000 * self._chance())
            connection.say(Move(after_ms=after_ms))

    async def _end_all(self, code: int) -> None:
        for connection in list(self._connections):
            connection.end(code)
        await self._wait_empty(CLOSE_WITHIN_S)
        for connection in list(self._connections):
            connection.transport.abort()

    async def _wait_empty(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._is_empty.wait()

    def _measure_lag(self, expected: float) -> None:
        loop = asyncio.get_running_loop()
        LOOP_LAG_SECONDS.observe(max(0.0, loop.time() - expected))
        due = loop.time() + LAG_EVERY_S
        self._lag = loop.call_at(due, self._measure_lag, due)


def _choose(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Choose by our preference; JSON when none is offered."""
    if not offered:
        return None
    for name in CODECS:
        if name in offered:
            return Subprotocol(name)
    raise NegotiationError("offer one of " + ", ".join(CODECS))
