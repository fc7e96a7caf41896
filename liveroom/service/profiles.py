"""Who is who in a room, from memory: bounded, filled on demand, dropped when truth moves on."""

import asyncio
from collections import OrderedDict
from typing import Final

from liveroom.domain.ids import RoomId, TenantId, UserId
from liveroom.domain.members import mask
from liveroom.domain.recognition import Profile
from liveroom.domain.refusals import Refused
from liveroom.domain.tiers import Thresholds, Tier
from liveroom.store import members
from liveroom.store.port import Store

PROFILES_MAX: Final = 20_000
"""People remembered; the one unused longest is read again when needed."""
LOAD_S_MAX: Final = 1.0
"""A profile that takes longer is replaced by a stranger's: nobody waits for recognition."""


class Profiles:
    """A bounded cache of profiles by shop, person and room."""

    def __init__(self, store: Store, thresholds: Thresholds) -> None:
        self._store = store
        self._thresholds = thresholds
        self._people: OrderedDict[tuple[TenantId, UserId], dict[RoomId, Profile]] = OrderedDict()

    async def of(self, tenant: TenantId, room: RoomId, user: UserId) -> Profile:
        """Look somebody up; a stranger if the store does not answer in time."""
        known = self._people.get((tenant, user), {}).get(room)
        if known is not None:
            self._people.move_to_end((tenant, user))
            return known
        try:
            async with asyncio.timeout(LOAD_S_MAX):
                loaded = await self._store.run(
                    lambda tx: members.profile(tx, tenant, room, user, self._thresholds)
                )
        except (TimeoutError, Refused):
            return Profile(
                user=user, name=mask(user), tier=Tier.BASIC, orders=0, room_orders=0, visits=0
            )
        self.remember(tenant, room, loaded)
        return loaded

    def remember(self, tenant: TenantId, room: RoomId, profile: Profile) -> None:
        """Keep a profile that was just read."""
        self._people.setdefault((tenant, profile.user), {})[room] = profile
        self._people.move_to_end((tenant, profile.user))
        if len(self._people) > PROFILES_MAX:
            self._people.popitem(last=False)

    def forget(self, tenant: TenantId, user: UserId) -> None:
        """Drop what is not true any more."""
        self._people.pop((tenant, user), None)
