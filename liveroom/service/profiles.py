"""Who is who in a room, from memory: bounded, filled on demand, dropped when truth moves on.

Where other nodes move truth on too, what is remembered is read again after `FRESH_MS`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.domain.members import mask
from liveroom.domain.recognition import Profile
from liveroom.domain.refusals import Refused
from liveroom.domain.tiers import Tier
from liveroom.store import members
from liveroom.store.port import Store

PROFILES_MAX: Final = 20_000
"""People remembered; the one unused longest is read again when needed."""
FRESH_MS: Final = 30_000
"""How old a profile may be where other nodes sell, too."""
LOAD_S_MAX: Final = 1.0
"""A profile that takes longer is replaced by a stranger's: nobody waits for recognition."""


@dataclass(slots=True)
class _Known:
    read_at: int
    rooms: dict[RoomId, Profile] = field(default_factory=dict)


class Profiles:
    """A bounded cache of profiles by shop, person and room.

    Args:
        store: what is true.
        now_ms: UTC milliseconds where others write to the store too; None where nobody does.

    """

    def __init__(self, store: Store, now_ms: Callable[[], int] | None = None) -> None:
        self._store = store
        self._now_ms = now_ms or (lambda: 0)
        self._people: OrderedDict[tuple[TenantId, UserId], _Known] = OrderedDict()

    async def of(self, tenant: TenantId, room: RoomId, user: UserId) -> Profile:
        """Look somebody up; a stranger if the store does not answer in time."""
        known = self._people.get((tenant, user))
        if known is not None and self._now_ms() - known.read_at >= FRESH_MS:
            self.forget(tenant, user)
        elif known is not None and room in known.rooms:
            self._people.move_to_end((tenant, user))
            return known.rooms[room]
        try:
            async with asyncio.timeout(LOAD_S_MAX):
                loaded = await self._store.run(lambda tx: members.profile(tx, tenant, room, user))
        except (TimeoutError, Refused):
            return Profile(
                user=user, name=mask(user), tier=Tier.BASIC, orders=0, room_orders=0, visits=0
            )
        self.remember(tenant, room, loaded)
        return loaded

    def remember(self, tenant: TenantId, room: RoomId, profile: Profile) -> None:
        """Keep a profile that was just read."""
        key = (tenant, profile.user)
        known = self._people.get(key)
        if known is None:
            known = self._people[key] = _Known(self._now_ms())
        known.rooms[room] = profile
        self._people.move_to_end(key)
        if len(self._people) > PROFILES_MAX:
            self._people.popitem(last=False)

    def forget(self, tenant: TenantId, user: UserId) -> None:
        """Drop what is not true any more."""
        self._people.pop((tenant, user), None)
