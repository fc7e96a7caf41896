"""Likes of one node, gathered for a moment and then handed on: one call per liker, not per tap."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import final

from liveroom.domain.actors import Actor
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.refusals import Refused
from liveroom.observe import EVENTS_DROPPED, logger
from liveroom.protocol.messages import LIKES_MAX

HAND_ON_EVERY_S = 0.2
WAITING_MAX = 50_000
"""Likers waiting to be handed on; taps of further ones are dropped."""

Like = Callable[[Actor, RoomId, int], Awaitable[int]]

_log = logger(__name__)


@final
class Likes:
    """Gathers taps and hands them to the service."""

    def __init__(self, like: Like) -> None:
        self._like = like
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[tuple[RoomId, UserId], tuple[Actor, int]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def add(self, room: RoomId, actor: Actor, count: int) -> None:
        """Take somebody's taps."""
        key = (room, actor.user)
        _actor, waiting = self._waiting.get(key, (actor, 0))
        if not waiting and len(self._waiting) >= WAITING_MAX:
            EVENTS_DROPPED.labels("ambient", "likes").inc(count)
            return
        self._waiting[key] = (actor, min(LIKES_MAX, waiting + count))
        if self._timer is None and self._task is None:
            self._timer = self._loop.call_later(HAND_ON_EVERY_S, self._start)

    async def close(self) -> None:
        """Hand on what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            await self._task
        await self._hand_on()

    def _start(self) -> None:
        self._timer = None
        self._task = self._loop.create_task(self._hand_on())
        self._task.add_done_callback(self._ended)

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._task = None
        if self._waiting:
            self._timer = self._loop.call_later(HAND_ON_EVERY_S, self._start)

    async def _hand_on(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for (room, _user), (actor, count) in waiting.items():
            try:
                await self._like(actor, room, count)
            except Refused as refused:
                _log.info("likes refused", room=room, code=refused.code)
            except Exception:
                _log.exception("likes failed", room=room)
