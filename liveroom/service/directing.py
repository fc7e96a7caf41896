"""What the media core is to show: a room's stage turned into wishes, told when they change.

In: the news that a room's stage has changed. Out: calls to the media core. It holds no truth:
what was told is remembered only so that the same is not told again, and to know whom to cut.
"""

from dataclasses import dataclass

from liveroom.domain.actors import Role
from liveroom.domain.events import Standing
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.rooms import Phase
from liveroom.domain.seats import HOST_SLOT, Stage, may_publish
from liveroom.service.ports import StageMedia
from liveroom.store import rooms
from liveroom.store.port import Store, Transaction

PRIVATE_SUFFIX = "/private"
"""Makes the media core's name of a room's private stage; no room's id has a slash."""
CALLED_SLOT = 1
"""Where the called one stands on the private stage; the host has the main place."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a slot is to show; no publisher is nobody at all."""

    publisher: tuple[RoomId, UserId] | None
    audio: bool = True
    video: bool = True


Wishes = dict[tuple[str, int], Wish]


def private_stage(room: RoomId) -> str:
    """Name the stage on which a room's private call is seen."""
    return room + PRIVATE_SUFFIX


def wishes_of(room: RoomId, stage: Stage) -> Wishes:
    """Say what the slots of a room, and of its private stage, are to show.

    The host on the main place needs no wish. In a private call the room sees nobody.
    """
    wishes: Wishes = {}
    for place in stage.slots:
        wish = Wish((place.room or room, place.user), place.audio, place.video)
        is_home = place.role is Standing.HOST and place.slot == HOST_SLOT
        if not is_home or wish != Wish((room, place.user)):
            wishes[room, place.slot] = wish
    host, call = stage.host, stage.call
    if stage.private and call is not None and host is not None:
        for slot in {HOST_SLOT, *(place.slot for place in stage.slots)}:
            wishes[room, slot] = Wish(None)
        wishes[private_stage(room), HOST_SLOT] = Wish((room, host.user))
        wishes[private_stage(room), CALLED_SLOT] = Wish((room, call.user))
    return wishes


class Directing:
    """Tells the media core what has changed, after it was committed."""

    def __init__(self, store: Store, media: StageMedia) -> None:
        self._store = store
        self._media = media
        self._told: dict[RoomId, Wishes] = {}
        self._gathered: dict[RoomId, frozenset[str]] = {}

    async def start(self) -> None:
        """Have every stage on air shown: the media core has just begun."""

        def on_air(tx: Transaction) -> list[RoomId]:
            return [*rooms.rooms_in(tx, Phase.LIVE), *rooms.rooms_in(tx, Phase.AWAY)]

        for room in await self._store.run(on_air):
            await self.follow(room)

    async def follow(self, room: RoomId) -> Stage | None:
        """Have a room's stage shown as it is now, and return it."""
        state = await self._store.run(lambda tx: rooms.state(tx, room))
        if state is None:
            return None
        self.direct(room, state.stage)
        return state.stage

    def direct(self, room: RoomId, stage: Stage) -> None:
        """Have a stage shown; who is to be seen by few leaves the many first."""
        wishes, told = wishes_of(room, stage), self._told.get(room, {})
        hidden = {place for place, wish in wishes.items() if wish.publisher is None}
        for place in sorted(hidden):
            self._tell(place, wishes[place], told)
        self._gather(room, stage)
        for place in sorted(told.keys() - wishes.keys()):
            self._media.forget(*place)
        for place in sorted(wishes.keys() - hidden):
            self._tell(place, wishes[place], told)
        self._cut(room, stage, told)
        if wishes:
            self._told[room] = wishes
        else:
            self._told.pop(room, None)

    def _cut(self, room: RoomId, stage: Stage, told: Wishes) -> None:
        """End at once what guests of this room publish who may not any more."""
        host = stage.host
        for wish in told.values():
            if wish.publisher is None or wish.publisher[0] != room:
                continue
            user = wish.publisher[1]
            is_host = host is not None and host.user == user
            if not is_host and not may_publish(stage, user):
                self._media.end_user(room, user, (Role.GUEST,), "taken_down")

    def _tell(self, place: tuple[str, int], wish: Wish, told: Wishes) -> None:
        if told.get(place) != wish:
            self._media.show(*place, wish.publisher, audio=wish.audio, video=wish.video)

    def _gather(self, room: RoomId, stage: Stage) -> None:
        users: frozenset[str] = frozenset()
        if stage.private and stage.call is not None and stage.host is not None:
            users = frozenset({stage.host.user, stage.call.user})
        if users == self._gathered.get(room, frozenset()):
            return
        if users:
            self._gathered[room] = users
            self._media.gather(room, users, private_stage(room))
        else:
            del self._gathered[room]
            self._media.dismiss(room)
