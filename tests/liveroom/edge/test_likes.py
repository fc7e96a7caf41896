"""Taps are gathered per liker and handed on in full, within what a service takes at once."""

import asyncio

from liveroom.domain.actors import Actor, Role
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.refusals import Refused
from liveroom.edge.likes import Likes
from liveroom.protocol.messages import LIKES_MAX
from tests.liveroom.edge.gateway_house import wait_until

ROOM = RoomId("r")


def actor(user: str) -> Actor:
    return Actor(user=UserId(user), role=Role.VIEWER, room=ROOM)


class Service:
    """Notes what it is handed, and refuses or breaks for some."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int]] = []

    async def like(self, actor: Actor, _room: RoomId, count: int) -> int:
        if actor.user == "refused":
            raise Refused("anonymous")
        if actor.user == "broken":
            raise RuntimeError("a bug in the service")
        self.taken.append((actor.user, count))
        await asyncio.sleep(0)
        return count


async def test_taps_of_a_moment_are_one_call_per_liker() -> None:
    service = Service()
    likes = Likes(service.like)
    for _ in range(5):
        likes.add(ROOM, actor("ming"), 3)
        likes.add(ROOM, actor("li"), 1)
    await wait_until(lambda: len(service.taken) == 2)
    assert sorted(service.taken) == [("li", 5), ("ming", 15)]
    await likes.close()


async def test_one_call_never_exceeds_what_the_service_takes() -> None:
    service = Service()
    likes = Likes(service.like)
    for _ in range(50):
        likes.add(ROOM, actor("ming"), 90)
    await likes.close()
    assert service.taken == [("ming", LIKES_MAX)]


async def test_what_comes_while_handing_on_is_handed_on_next() -> None:
    service = Service()
    likes = Likes(service.like)
    likes.add(ROOM, actor("a"), 1)
    likes.add(ROOM, actor("b"), 1)
    await wait_until(lambda: bool(service.taken))
    likes.add(ROOM, actor("c"), 1)
    await wait_until(lambda: ("c", 1) in service.taken)
    await likes.close()


async def test_a_refused_or_broken_call_costs_nobody_else_theirs() -> None:
    service = Service()
    likes = Likes(service.like)
    for user in ("refused", "broken", "ming"):
        likes.add(ROOM, actor(user), 2)
    await likes.close()
    assert service.taken == [("ming", 2)]
