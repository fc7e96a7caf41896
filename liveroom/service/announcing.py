"""What a shop's backend says into a room: to everybody, stored or not, or to one person."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from liveroom.bus.port import Publication
from liveroom.domain.actors import Actor
from liveroom.domain.events import Event, MessageSent, NoticeGiven, SignalSent
from liveroom.domain.ids import EventId, RoomId, UserId
from liveroom.domain.refusals import Refused
from liveroom.service.access import MERCHANTS, Access, require
from liveroom.service.ports import Ports
from liveroom.store import journal, keys
from liveroom.store.journal import Place
from liveroom.store.port import Transaction

DATA_BYTES_MAX: Final = 4_096
DATA_DEPTH_MAX: Final = 8
NUMBER_MAX: Final = 2**53 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One event of the shop's own: `name` is the shop's word for it, `data` whatever it needs.

    `to`: one person. `durable` false: shown now or never (only to everybody).
    """

    name: str
    text: str
    data: dict[str, Any]
    to: UserId | None
    durable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """The event's id and its number: `n` in the room, `pn` for the person."""

    id: str
    n: int | None
    pn: int | None


class Announcing:
    """Publishes what backends say."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access

    async def announce(self, actor: Actor, room: RoomId, said: Announcement, key: str) -> Announced:
        """Publish an event; the same key and content again return the same answer.

        Raises:
            Refused: `forbidden`, `invalid`, `idempotency_mismatch`.

        """
        require(actor, MERCHANTS)
        data = check_data(said.data)
        if said.to is not None and not said.durable:
            raise Refused("invalid", "durable: what is said to one person is always kept.")
        actor, door = await self._access.enter(actor, room)
        place = Place(tenant=door.tenant, room=room, at=self._ports.now_ms())

        def effect(tx: Transaction) -> Announced:
            event = self._event(tx, place, said, data)
            return Announced(id=event.id, n=event.n, pn=event.pn)

        scope = keys.Scope(tenant=door.tenant, command="announce", subject=room, key=key)
        outcome = await self._ports.store.run(
            lambda tx: keys.once(
                tx, scope, command=said, at=place.at, answer_type=Announced, effect=effect
            )
        )
        done: Announced = outcome.unwrap()
        if not said.durable and not outcome.again:
            fact = SignalSent(name=said.name, text=said.text, data=data)
            event = Event(id=EventId(done.id), room=room, at=place.at, fact=fact)
            await self._ports.bus.publish(Publication(room, (event,)))
        return done

    def _event(self, tx: Transaction, place: Place, said: Announcement, data: str) -> Event:
        new_id = self._ports.new_id
        if said.to is not None:
            message = MessageSent(name=said.name, text=said.text, data=data)
            return journal.append_personal(tx, place, said.to, message, new_id=new_id)
        if not said.durable:
            signal = SignalSent(name=said.name, text=said.text, data=data)
            return Event(id=EventId(new_id()), room=place.room, at=place.at, fact=signal)
        notice = NoticeGiven(name=said.name, text=said.text, data=data)
        return journal.append(tx, place, [notice], new_id=new_id)[0]


def check_data(data: dict[str, Any]) -> str:
    """Return a map as JSON text that every client can read.

    Raises:
        Refused: `invalid` when it is too large, too deep, or has numbers JavaScript cannot hold.

    """
    _check_value(data, DATA_DEPTH_MAX)
    encoded = msgspec.json.encode(data)
    if len(encoded) > DATA_BYTES_MAX:
        raise Refused("invalid", f"data: at most {DATA_BYTES_MAX} bytes as JSON.")
    return encoded.decode()


def _check_value(value: Any, depth: int) -> None:
    if depth < 0:
        raise Refused("invalid", f"data: at most {DATA_DEPTH_MAX} levels deep.")
    if isinstance(value, dict):
        for inner in value.values():
            _check_value(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _check_value(inner, depth - 1)
    elif isinstance(value, int | float) and abs(value) > NUMBER_MAX:
        raise Refused("invalid", f"data: numbers up to {NUMBER_MAX}.")
