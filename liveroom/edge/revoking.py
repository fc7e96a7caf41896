"""Revocation reaches what is open: who was kicked or banned loses sockets and media at once.

It hears the news of all rooms that are watched on this node, and looks at the store every second
besides: media may flow here in a room that nobody watches here, and the bus may be away. What
the person does next is refused by the services anyway.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from liveroom.bus.port import Publication
from liveroom.domain.actors import Role
from liveroom.domain.events import Sanctioned
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.moderation import Imposed, rank_of
from liveroom.observe import logger
from liveroom.protocol.closing import BANNED, KICKED

CODES: Final = {"kick": KICKED, "ban": BANNED}

LOOK_EVERY_MS: Final = 1_000
OVERLAP_MS: Final = 10_000
"""How far back each look goes: clocks of nodes differ, and a commit may take its time."""

Fresh = Callable[[int], Awaitable[Sequence[Imposed]]]
"""Lists kicks and bans of all rooms since a time (UTC ms)."""

Disconnect = Callable[[RoomId, UserId, int, int], int]
"""Closes somebody's sockets in a room with a code, but those of the given rank and above."""

EndMedia = Callable[[RoomId, UserId, frozenset[str], str], int]
"""Ends somebody's media sessions of some roles in a room, with a reason."""

_log = logger(__name__)


class Revoking:
    """Carries kicks and bans out on this node."""

    def __init__(
        self, disconnect: Disconnect, end_media: EndMedia, fresh: Fresh, now_ms: Callable[[], int]
    ) -> None:
        self._disconnect = disconnect
        self._end_media = end_media
        self._fresh = fresh
        self._now_ms = now_ms
        self._looked_at = now_ms()

    async def look(self) -> None:
        """Carry out what was decided lately, wherever; called often, it looks once a second."""
        now = self._now_ms()
        if 0 <= now - self._looked_at < LOOK_EVERY_MS:
            return
        since, self._looked_at = min(now, self._looked_at) - OVERLAP_MS, now
        for imposed in await self._fresh(since):
            sanction = imposed.sanction
            self._cut(imposed.room, sanction.user, sanction.bar.value, sanction.rank)

    def hear(self, publication: Publication) -> None:
        """Cut whom a publication names."""
        for event in publication.events:
            fact = event.fact
            if not isinstance(fact, Sanctioned) or event.to is None or fact.act not in CODES:
                continue
            self._cut(publication.room, event.to, fact.act, fact.rank)

    def _cut(self, room: RoomId, user: UserId, act: str, rank: int) -> None:
        bound = frozenset(role.value for role in Role if rank_of(role) < rank)
        sockets = self._disconnect(room, user, CODES[act], rank)
        sessions = self._end_media(room, user, bound, act)
        if sockets or sessions:
            _log.info("revoked", room=room, user=user, act=act, sockets=sockets, sessions=sessions)
