"""Gifts: coins move and everybody sees it, in one commit, once per key."""

from dataclasses import dataclass

from liveroom.domain.actors import Actor
from liveroom.domain.gifts import Gift
from liveroom.domain.ids import EventId, RoomId
from liveroom.domain.refusals import Refused
from liveroom.service.ports import Ports


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftReceipt:
    """The answer to a gift: its event id, the event's `n`, and what is left in the wallet."""

    id: EventId
    n: int
    coins_left: int


class Gifting:
    """Takes gifts."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def catalogue(self) -> tuple[Gift, ...]:
        """List the gifts there are."""
        raise Refused("unavailable")

    async def give(
        self, actor: Actor, room: RoomId, gift: str, count: int, key: str
    ) -> GiftReceipt:
        """Give a gift; the same key again returns the same receipt."""
        raise Refused("unavailable")
