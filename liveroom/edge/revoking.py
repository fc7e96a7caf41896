"""Revocation reaches what is open: who was kicked or banned loses sockets and media at once.

It hears the news of all rooms on this node; the same news reach every node through the outbox
and the bus. What the person does next is refused by the services anyway.
"""

from collections.abc import Callable
from typing import Final

from liveroom.bus.port import Publication
from liveroom.domain.actors import Role
from liveroom.domain.events import Sanctioned
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.moderation import rank_of
from liveroom.observe import logger
from liveroom.protocol.closing import BANNED, KICKED

CODES: Final = {"kick": KICKED, "ban": BANNED}

Disconnect = Callable[[RoomId, UserId, int, int], int]
"""Closes somebody's sockets in a room with a code, but those of the given rank and above."""

EndMedia = Callable[[RoomId, UserId, frozenset[str], str], int]
"""Ends somebody's media sessions of some roles in a room, with a reason."""

_log = logger(__name__)


class Revoking:
    """Carries kicks and bans out on this node."""

    def __init__(self, disconnect: Disconnect, end_media: EndMedia) -> None:
        self._disconnect = disconnect
        self._end_media = end_media

    def hear(self, publication: Publication) -> None:
        """Cut whom a publication names."""
        for event in publication.events:
            fact = event.fact
            if not isinstance(fact, Sanctioned) or event.to is None or fact.act not in CODES:
                continue
            sockets = self._disconnect(publication.room, event.to, CODES[fact.act], fact.rank)
            bound = frozenset(role.value for role in Role if rank_of(role) < fact.rank)
            sessions = self._end_media(publication.room, event.to, bound, fact.act)
            _log.info(
                "revoked",
                room=publication.room,
                user=event.to,
                act=fact.act,
                sockets=sockets,
                sessions=sessions,
            )
