"""The bus of a single process: publishing calls every subscriber before it returns."""

from itertools import chain

from liveroom.bus.port import Deliver, Publication, Unsubscribe
from liveroom.domain.ids import RoomId
from liveroom.observe import logger


class LocalBus:
    """Delivers within the process, in order, without a task or a queue."""

    def __init__(self) -> None:
        self._log = logger(__name__)
        self._rooms: dict[RoomId, dict[object, Deliver]] = {}
        self._everywhere: dict[object, Deliver] = {}
        self._closed = False

    @property
    def is_shared(self) -> bool:
        """Say that nobody else is on it."""
        return False

    @property
    def is_degraded(self) -> bool:
        """Say that there is nothing that could fail."""
        return False

    async def publish(self, publication: Publication) -> None:
        """Call every subscriber of the room, then those of all rooms."""
        if self._closed:
            return
        subscribers = chain(
            tuple(self._rooms.get(publication.room, {}).values()),
            tuple(self._everywhere.values()),
        )
        for deliver in subscribers:
            try:
                deliver(publication)
            except Exception:
                self._log.exception("subscriber failed", room=publication.room)

    def subscribe(self, room: RoomId, deliver: Deliver) -> Unsubscribe:
        """Take the publications of one room from now on."""
        key = object()
        self._rooms.setdefault(room, {})[key] = deliver

        def unsubscribe() -> None:
            subscribers = self._rooms.get(room)
            if subscribers is None or subscribers.pop(key, None) is None:
                return
            if not subscribers:
                del self._rooms[room]

        return unsubscribe

    def subscribe_all(self, deliver: Deliver) -> Unsubscribe:
        """Take the publications of every room from now on."""
        key = object()
        self._everywhere[key] = deliver

        def unsubscribe() -> None:
            self._everywhere.pop(key, None)

        return unsubscribe

    def is_heard(self, room: RoomId) -> bool:
        """Whether anybody is subscribed to just this room."""
        return room in self._rooms

    async def ready(self, room: RoomId) -> None:
        """Do nothing: a subscription hears from the moment it is made."""

    async def start(self) -> None:
        """Do nothing: there is nothing to connect to."""

    async def close(self) -> None:
        """Forget all subscribers; later publications go nowhere."""
        self._closed = True
        self._rooms.clear()
        self._everywhere.clear()
