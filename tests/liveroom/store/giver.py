"""A process that gives gifts until it is killed; it prints what it was told, line by line."""

import asyncio
import itertools
import os
import sys
import time

from liveroom.domain.actors import Actor, AgeBand, Role
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.members import MemberDraft
from liveroom.domain.rooms import RoomDraft
from liveroom.store import steps
from tests.house import merchant_actor, open_house

GIVERS = 8
COINS = 1_000_000


async def main(url: str, life: str) -> None:
    async with open_house(url, name=life) as house:
        await house.services.rooms.create(merchant_actor(), RoomDraft(id=RoomId("r1"), title="T"))
        for number in range(GIVERS):
            draft = MemberDraft(id=UserId(f"u{number}"), age_band=AgeBand.ADULT, coins=COINS)
            await house.services.members.import_one(merchant_actor(), draft, f"import-{number}")
        print("ready", flush=True)
        if step := os.environ.get(steps.VARIABLE):
            steps.arm(step)
        house.clock.now = int(time.time() * 1_000)

        async def give(number: int) -> None:
            user = UserId(f"u{number}")
            actor = Actor(user=user, role=Role.VIEWER, room=RoomId("r1"))
            for count in itertools.count():
                key = f"{life}-{number}-{count}"
                receipt = await house.services.gifting.give(actor, actor.room, "rose", 1, key)
                print(key, receipt.id, receipt.n, receipt.coins_left, flush=True)

        await asyncio.gather(*(give(number) for number in range(GIVERS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
