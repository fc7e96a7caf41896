"""One connection from its first frame to its last: feeds the session, carries its actions out.

Entering and commands run in one worker task that exists only while there is work, so that
they keep their order; everything else happens at once. It knows the services by their calls.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, assert_never, final

import msgspec
from websockets.exceptions import ConnectionClosed

from liveroom.bus.port import Bus
from liveroom.domain.actors import Actor, Role
from liveroom.domain.ids import RoomId
from liveroom.domain.moderation import rank_of
from liveroom.domain.refusals import Refused
from liveroom.edge.audience import Audience
from liveroom.edge.callers import CallerKey, Callers, GatewayLimits
from liveroom.edge.connection import Connection
from liveroom.edge.event_stream import EventStream
from liveroom.edge.tokens import TokenVerifier
from liveroom.edge.viewer import Viewer
from liveroom.edge.welcoming import Shared, position_of, welcome
from liveroom.observe import EVENTS_DROPPED, JOIN_SECONDS, logger
from liveroom.protocol.closing import BAD_TOKEN, FULL, INTERNAL, RESTART, code_of
from liveroom.protocol.messages import (
    Ask,
    Fields,
    Gift,
    Hello,
    Like,
    Message,
    No,
    Ok,
    Say,
    Token,
    answered,
)
from liveroom.protocol.session import (
    Action,
    Answer,
    Close,
    Enter,
    Ignored,
    Renew,
    Session,
    Submit,
)
from liveroom.service.entry import Entry, Missed
from liveroom.service.services import Services

ENTER_WITHIN_S = 10.0
"""An entry that takes longer is given up with 4002: the client comes back."""

COMMAND_WITHIN_S = 15.0
"""A command that takes longer is answered `unavailable`; repeating its id is harmless."""

ARM_AT_MOST_S = 3_600.0
"""Timers are set no further ahead than this and then looked at again."""

_log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What all conversations of a gateway share."""

    services: Services
    tokens: TokenVerifier
    bus: Bus
    limits: GatewayLimits
    callers: Callers
    now_ms: Callable[[], int]
    audience_of: Callable[[RoomId], Audience]
    like: Callable[[RoomId, Actor, int], None]
    arrivals: asyncio.Semaphore
    shared: Shared


@final
class Conversation:
    """Drives one connection.

    Args:
        connection: its handshake is done.
        house: what it shares with the others.

    """

    __slots__ = (
        "_actor",
        "_audience",
        "_caller",
        "_connection",
        "_entry",
        "_group",
        "_house",
        "_loop",
        "_opened_at",
        "_room",
        "_session",
        "_timer",
        "_timer_at",
        "_viewer",
        "_work",
        "_worker",
    )

    def __init__(self, connection: Connection | EventStream, house: House) -> None:
        self._connection = connection
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._opened_at = self._loop.time()
        self._session = Session(connection.codec, now=self._opened_at)
        self._work: list[Hello | Say | Gift | Ask] = []  # short, and small when empty
        self._worker: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._group: asyncio.TaskGroup
        self._actor: Actor | None = None
        self._room: RoomId | None = None
        self._audience: Audience | None = None
        self._viewer: Viewer | None = None
        self._caller: CallerKey | None = None
        self._entry: Entry | None = None
        connection.on_leaving = self._leave

    async def run(self) -> None:
        """Read frames until the connection ends; what was begun is finished."""
        async with asyncio.TaskGroup() as self._group:
            self._arm()
            with suppress(ConnectionClosed):
                while True:
                    self._receive(await self._connection.recv())

    def _receive(self, data: str | bytes) -> None:
        now = self._loop.time()
        try:
            actions = self._session.receive(data, now=now, at=self._house.now_ms())
            for action in actions:
                self._act(action)
        except Exception:
            self._broke("frame failed")
            return
        self._arm()

    def _act(self, action: Action) -> None:
        match action:
            case Enter(hello):
                self._enqueue(hello)
            case Renew(message):
                self._renew(message)
            case Submit(command):
                if isinstance(command, Like):
                    self._like(command.n)
                else:
                    self._enqueue(command)
            case Answer(message):
                self._connection.say(message)
            case Close(code, why):
                self._connection.end(code, why)
            case Ignored():
                EVENTS_DROPPED.labels("command", "unknown").inc()
            case _:
                assert_never(action)

    # Time.

    def _arm(self) -> None:
        deadline = self._session.deadline()
        if deadline is None:
            self._disarm()
            return
        due = min(deadline, self._loop.time() + ARM_AT_MOST_S)
        if self._timer is not None:
            if self._timer_at <= due:
                return  # it looks again when it fires
            self._timer.cancel()
        # uvloop's handle of a time that has come already knows no `when()`.
        self._timer_at = due
        self._timer = self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        for action in self._session.tick(now=self._loop.time()):
            self._act(action)
        self._arm()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _leave(self) -> None:
        """Let go of everything at once: the connection is closing."""
        self._session.closing()
        self._disarm()
        if self._viewer is not None and self._audience is not None:
            self._audience.leave(self._viewer)
        if self._caller is not None:
            self._house.callers.leave(self._caller, now=self._loop.time())
            self._caller = None
        if self._entry is not None:
            self._note_left(self._entry)

    def _note_left(self, entry: Entry) -> None:
        try:
            self._house.services.recognising.left(entry.room.id, entry.actor.user)
        except Exception:
            _log.exception("leaving failed", room=entry.room.id)

    # Work, in order.

    def _enqueue(self, item: Hello | Say | Gift | Ask) -> None:
        self._work.append(item)
        if self._worker is None:
            self._worker = self._group.create_task(self._run_work())

    async def _run_work(self) -> None:
        while self._work:
            item = self._work.pop(0)
            if isinstance(item, Hello):
                await self._enter(item)
            else:
                await self._carry_out(item)
        self._worker = None

    async def _carry_out(self, command: Say | Gift | Ask) -> None:
        try:
            async with asyncio.timeout(COMMAND_WITHIN_S):
                answer: Message | Fields = await self._call(command)
        except Refused as refused:
            answer = _no(command.id, refused)
        except TimeoutError:
            answer = _no(command.id, Refused("unavailable"))
        except RecursionError:
            answer = _no(command.id, Refused("invalid", "The map under with is too deep."))
        except Exception:
            self._broke("command failed", command=type(command).__name__)
            return
        finally:
            self._session.carried_out()
        self._connection.say(answer)

    async def _call(self, command: Say | Gift | Ask) -> Ok | Fields:
        services = self._house.services
        assert self._actor is not None
        assert self._room is not None
        match command:
            case Say(id=id_, text=text):
                said = await services.talking.say(self._actor, self._room, text, id_)
                held = said.held or msgspec.UNSET
                return Ok(id=id_, event=said.id, text=said.text, held=held)
            case Gift(id=id_, gift=gift, count=count, context=context):
                receipt = await services.gifting.give(
                    self._actor, self._room, gift, count, id_, context
                )
                return Ok(id=id_, event=receipt.id, n=receipt.n, coins_left=receipt.coins_left)
            case Ask(id=id_, do=do, with_=with_):
                arguments = self._arguments(with_)
                result = await services.asking.ask(self._actor, self._room, do, arguments, id_)
                return answered(id_, dict(result))
            case _:
                assert_never(command)

    def _arguments(self, raw: msgspec.Raw) -> bytes:
        """Give the services JSON, whatever the wire speaks."""
        data = bytes(raw)
        if not data:
            return b"{}"
        if self._connection.codec.is_text:
            return data
        try:
            decoded: Any = msgspec.msgpack.decode(data)
            return msgspec.json.encode(decoded)
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
            raise Refused("invalid", "The map under with cannot be read.") from None

    def _like(self, count: int) -> None:
        assert self._actor is not None
        assert self._room is not None
        if self._actor.anonymous:
            refused = Refused("anonymous")
            self._connection.say(No(code=refused.code, why=refused.why))
            return
        self._house.like(self._room, self._actor, count)

    # Coming in.

    async def _enter(self, hello: Hello) -> None:
        JOIN_SECONDS.labels("hello").observe(self._loop.time() - self._opened_at)
        started = self._loop.time()
        try:
            actor = self._verify(hello.token, hello.room)
            if not self._connection.is_open():
                return
            self._connection.rank = rank_of(actor.role)
            self._caller = (actor.tenant, actor.user)
            allowance = self._house.callers.enter(self._caller, now=started)
            if allowance is None:
                self._caller = None
                self._connection.end(FULL)
                return
            room = RoomId(hello.room)
            # Listen first, then read: nothing can fall between the snapshot and the news.
            self._audience = self._house.audience_of(room)
            self._viewer = Viewer(
                self._connection, user=actor.user, is_host=actor.role is Role.HOST
            )
            self._audience.expect(self._viewer)
            async with asyncio.timeout(ENTER_WITHIN_S):
                await self._house.bus.ready(room)
                entry, missed = await self._read(actor, room, hello)
        except Refused as refused:
            self._connection.end(code_of(refused.code), refused.why)
            return
        except TimeoutError:
            self._connection.end(RESTART)
            return
        except Exception:
            self._broke("entry failed")
            return
        if not self._connection.is_open():
            return
        self._actor, self._room, self._entry = entry.actor, room, entry
        self._session.entered(allowance, expires=self._expiry(actor))
        self._arm()
        self._welcome(hello, entry, missed)
        JOIN_SECONDS.labels("welcome").observe(self._loop.time() - started)
        self._group.create_task(self._arrive(entry))

    def _verify(self, token: str, room: str) -> Actor:
        actor = self._house.tokens.verify(token, at=self._house.now_ms() / 1000)
        if not actor.covers(RoomId(room)):
            raise Refused("other_room")
        return actor

    async def _read(self, actor: Actor, room: RoomId, hello: Hello) -> tuple[Entry, Missed | None]:
        rooms = self._house.services.rooms
        entry = await rooms.enter(actor, room)
        if hello.resume is None:
            return entry, None
        resume = hello.resume
        personal = entry.personal if resume.personal is None else resume.personal
        missed = await rooms.missed(entry.actor, room, resume.epoch, resume.offset, personal)
        return entry, missed

    def _welcome(self, hello: Hello, entry: Entry, missed: Missed | None) -> None:
        assert self._viewer is not None
        assert self._audience is not None
        online = self._audience.online_with(self._viewer.user)
        codec, texts = self._connection.codec, entry.snapshot.texts
        self._connection.say(
            welcome(
                entry,
                resume=hello.resume,
                missed=missed,
                online=online,
                tick_ms=self._house.limits.tick_ms,
                is_host=self._viewer.is_host,
                texts=self._house.shared.texts(entry.room.id, codec, texts),
            )
        )
        self._audience.admit(
            self._viewer,
            position_of(entry, missed),
            likes=entry.snapshot.counters.likes,
            missed=() if missed is None else missed.events,
            missed_personal=() if missed is None else missed.personal_events,
        )

    async def _arrive(self, entry: Entry) -> None:
        """Recognise them, so many at a time; nobody waits for it."""
        try:
            async with self._house.arrivals:
                await self._house.services.recognising.arrived(entry)
        except Refused as refused:
            _log.info("not recognised", room=entry.room.id, code=refused.code)
        except Exception:
            _log.exception("recognition failed", room=entry.room.id)

    def _renew(self, message: Token) -> None:
        assert self._actor is not None
        assert self._room is not None
        try:
            actor = self._verify(message.token, self._room)
        except Refused as refused:
            self._connection.end(code_of(refused.code), refused.why)
            return
        if not _continues(self._actor, actor):
            self._connection.end(BAD_TOKEN, "Renew with a token of the same user, shop and role.")
            return
        # What the newest token says counts from now on: the name, the age.
        self._actor = replace(actor, tenant=self._actor.tenant)
        self._session.renewed(expires=self._expiry(actor))
        if message.id is not None:
            self._connection.say(Ok(id=message.id))

    def _expiry(self, actor: Actor) -> float:
        return self._loop.time() + actor.expires_at - self._house.now_ms() / 1000

    def _broke(self, what: str, **bound: str) -> None:
        """Log our own fault; this connection ends, others live on."""
        _log.exception(what, room=self._room, **bound)
        self._connection.end(INTERNAL)


def _continues(before: Actor, renewed: Actor) -> bool:
    """Whether a token is one more of the same person; without a shop it means the room's."""
    return (renewed.user, renewed.role, renewed.anonymous) == (
        before.user,
        before.role,
        before.anonymous,
    ) and renewed.tenant in (None, before.tenant)


def _no(id_: str, refused: Refused) -> No:
    retry_ms = msgspec.UNSET if refused.retry_ms is None else refused.retry_ms
    return No(id=id_, code=refused.code, why=refused.why, retry_ms=retry_ms)
