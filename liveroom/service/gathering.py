"""Gathering: what is asked for while a place is busy is carried out together afterwards.

One transaction at a time and place: nobody waits for a lock that a neighbour holds, and the
busier the place, the more share one commit. Without a crowd nothing waits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from liveroom.domain.refusals import Refused

TOGETHER_MAX: Final = 128
"""Commands of one place carried out together; more would make the first ones wait for the last."""
WAITING_MAX: Final = 10_000
"""Commands that may wait in all places; one more is refused as `unavailable`."""

Place = TypeVar("Place", bound=Hashable)
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Asked, Answer]):
    asked: Asked
    answer: "asyncio.Future[Answer]"


class Gathering(Generic[Place, Asked, Answer]):
    """Brings commands together by place.

    Args:
        carry_out: does what was asked, all or nothing, and answers in the same order.
        identity: two commands with one identity are twins, which never go together: the
            later one shall find what the earlier one left.

    """

    def __init__(
        self,
        carry_out: Callable[[Place, Sequence[Asked]], Awaitable[Sequence[Answer]]],
        *,
        identity: Callable[[Asked], Hashable],
    ) -> None:
        self._carry_out = carry_out
        self._identity = identity
        self._lanes: dict[Place, deque[_Waiting[Asked, Answer]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting = 0

    async def ask(self, place: Place, asked: Asked) -> Answer:
        """Have a command carried out, alone or with those that wait beside it.

        Raises:
            Refused: `unavailable` when too many wait.

        """
        if self._waiting >= WAITING_MAX:
            raise Refused("unavailable", retry_ms=1_000)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = deque()
            task = asyncio.create_task(self._serve(place, lane), name="gathering")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        lane.append(_Waiting(asked, future))
        self._waiting += 1
        return await future

    async def finish(self) -> None:
        """Wait until everything that was asked for has its answer."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, place: Place, lane: deque[_Waiting[Asked, Answer]]) -> None:
        """Carry out group after group until nobody waits at this place."""
        try:
            while group := self._next_group(lane):
                await self._answer(place, group)
        finally:
            del self._lanes[place]

    def _next_group(self, lane: deque[_Waiting[Asked, Answer]]) -> list[_Waiting[Asked, Answer]]:
        """Take those who waited longest; who went away meanwhile is left out."""
        group: dict[Hashable, _Waiting[Asked, Answer]] = {}
        twins: list[_Waiting[Asked, Answer]] = []
        while lane and len(group) < TOGETHER_MAX:
            one = lane.popleft()
            identity = self._identity(one.asked)
            if one.answer.done():
                self._waiting -= 1
            elif identity in group:
                twins.append(one)
            else:
                group[identity] = one
        lane.extendleft(reversed(twins))
        self._waiting -= len(group)
        return list(group.values())

    async def _answer(self, place: Place, group: Sequence[_Waiting[Asked, Answer]]) -> None:
        """Carry a group out; one whose bug fails it must not take the others along."""
        try:
            answers = await self._carry_out(place, [one.asked for one in group])
        except Refused as refused:
            for one in group:
                _fail(one.answer, Refused(refused.code, refused.why, retry_ms=refused.retry_ms))
        except Exception as error:
            if len(group) == 1:
                _fail(group[0].answer, error)
                return
            for one in group:
                await self._answer(place, [one])
        else:
            for one, answer in zip(group, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)


def _fail(future: "asyncio.Future[Answer]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
