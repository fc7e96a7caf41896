"""Whom the slots show and who looks where, by user: whichever session they come with.

In: the house's wishes, and sessions that have become ready. Out: bindings at the engine. A
slot nobody has a wish for shows nobody, slot 0 the room's host. A gathering is a stage of its
own on which some of a room's viewers look for a while. Must not know tokens or seats.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sfu.control.session import Session
from sfu.media.engine import Engine
from sfu.media.model import HOST_SLOT, Kind, Output, RoomId, SessionId
from sfu.media.stage import Place


@dataclass(frozen=True, slots=True)
class Publisher:
    """Somebody who publishes, or may come to, in a room of theirs."""

    room: RoomId
    user: str


@dataclass(frozen=True, slots=True)
class _Gathering:
    users: frozenset[str]
    stage: RoomId


class Placing:
    """The wishes of the house, kept while sessions come and go.

    Args:
        engine: where slots are bound.
        publishers: lists all publishing sessions.
        sessions: lists all sessions.
        act: sends what the engine returns.

    """

    def __init__(
        self,
        engine: Engine,
        publishers: Callable[[], Iterable[Session]],
        sessions: Callable[[], Iterable[Session]],
        act: Callable[[Output], None],
    ) -> None:
        self._engine = engine
        self._publishers = publishers
        self._sessions = sessions
        self._act = act
        self._wishes: dict[Place, Publisher | None] = {}
        self._gatherings: dict[RoomId, _Gathering] = {}

    def show(
        self,
        room: RoomId,
        slot: int,
        publisher: Publisher | None,
        muted: frozenset[Kind],
        *,
        now: float,
    ) -> None:
        """Show somebody on a slot, now and whenever they publish; None is nobody at all."""
        self._wishes[room, slot] = publisher
        self._act(self._engine.mute(room, slot, muted, now=now))
        self._bind(room, slot, now=now)

    def forget(self, room: RoomId, slot: int, *, now: float) -> None:
        """Have no wish for a slot any more."""
        if (room, slot) not in self._wishes:
            return
        del self._wishes[room, slot]
        self._act(self._engine.mute(room, slot, frozenset(), now=now))
        self._bind(room, slot, now=now)

    def gather(self, room: RoomId, users: frozenset[str], stage: RoomId, *, now: float) -> None:
        """Let some of a room's viewers look at another stage until they are dismissed."""
        self._gatherings[room] = _Gathering(users, stage)
        self._move(room, now=now)

    def dismiss(self, room: RoomId, *, now: float) -> None:
        """Let a room's viewers look at its own stage again."""
        if self._gatherings.pop(room, None) is not None:
            self._move(room, now=now)

    def looks_at(self, room: RoomId, user: str) -> RoomId:
        """Say whose stage a viewer of a room is to see."""
        gathering = self._gatherings.get(room)
        return gathering.stage if gathering is not None and user in gathering.users else room

    def connected(self, session: Session, *, now: float) -> None:
        """Bind a publisher who is ready wherever they are wished for.

        Before their first packet: it may begin the only key frame for a while.
        """
        for room, slot in self._places(session):
            self._act(self._engine.bind(room, slot, session.id, now=now))

    def _places(self, session: Session) -> list[Place]:
        who = Publisher(session.room, session.user)
        places = [place for place, wished in self._wishes.items() if wished == who]
        home = (session.room, HOST_SLOT)
        if session.role == "host" and home not in self._wishes:
            places.append(home)
        return places

    def _bind(self, room: RoomId, slot: int, *, now: float) -> None:
        self._act(self._engine.bind(room, slot, self._source(room, slot), now=now))

    def _source(self, room: RoomId, slot: int) -> SessionId | None:
        for session in self._publishers():
            if session.is_connected and (room, slot) in self._places(session):
                return session.id
        return None

    def _move(self, room: RoomId, *, now: float) -> None:
        for session in list(self._sessions()):
            if session.room == room and session.is_viewing:
                stage = self.looks_at(room, session.user)
                self._act(self._engine.move(session.id, stage, now=now))
