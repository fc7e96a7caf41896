"""The numbers of a room: what the board shows."""

from typing import Any

from liveroom.domain.actors import Actor
from liveroom.domain.ids import RoomId
from liveroom.domain.refusals import Refused
from liveroom.service.access import HOSTS_AND_MERCHANTS, Access, require
from liveroom.service.ports import Ports
from liveroom.service.talking import Talking
from liveroom.store import rooms, tips
from liveroom.store.port import Transaction
from liveroom.store.rooms import RoomState


class Numbers:
    """Reads a room's numbers."""

    def __init__(self, ports: Ports, access: Access, talking: Talking) -> None:
        self._ports = ports
        self._access = access
        self._talking = talking

    async def of(self, actor: Actor, room: RoomId) -> dict[str, Any]:
        """Read the numbers: host, merchant and admin only.

        Totals since the room was created (`revenue` in fen, `gift_coins` in coins), and what
        lives now, on all nodes (the others' a few seconds old): `online`, `sessions`,
        `messages_per_s`.
        """
        require(actor, HOSTS_AND_MERCHANTS)
        await self._access.enter(actor, room)
        state, thanked = await self._ports.store.run(lambda tx: _read(tx, room))
        if state is None:
            raise Refused("no_such_room")
        counters = state.counters
        others = self._ports.company.share(room)
        return {
            "online": self._ports.online(room),
            "sessions": self._ports.sessions(room) + others.sessions,
            "messages_per_s": self._talking.messages_per_s(room) + others.messages_per_s,
            "gifts": counters.gifts,
            "gift_coins": counters.gift_coins,
            "orders": counters.orders,
            "revenue": counters.revenue,
            "likes": max(counters.likes, self._talking.likes(room)),
            "followers": counters.followers,
            "visits": counters.visits,
            "tips": thanked,
        }


def _read(tx: Transaction, room: RoomId) -> tuple[RoomState | None, dict[str, int]]:
    """Read a room, and what its tips were for: coins by context, `product:ID` or `draw`."""
    state = rooms.state(tx, room)
    return state, {} if state is None else tips.by_context(tx, state.room.tenant, room)
