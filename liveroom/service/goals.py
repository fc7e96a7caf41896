"""A room's goal: everybody's gifts push it, and it is reached once, whoever pushes last."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Row

from liveroom.domain.actors import Actor
from liveroom.domain.ids import RoomId
from liveroom.domain.orders import check_amount
from liveroom.domain.receipts import GoalChanged
from liveroom.domain.refusals import Refused
from liveroom.service.access import HOSTS, Access, require
from liveroom.service.ports import Ports
from liveroom.store import journal, tips
from liveroom.store.journal import Place
from liveroom.store.port import Transaction

TARGET_MAX: Final = 10**9
TITLE_LENGTH_MAX: Final = 60
LASTS_MS_MIN: Final = 60_000
LASTS_MS_MAX: Final = 12 * 60 * 60 * 1000
STEP_PERCENT: Final = 5
"""The bar is drawn anew when it has grown by so much: a room's gifts never flood its events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a room collects for: `coins` of `target`, until `ends_at` (UTC ms)."""

    id: str
    title: str
    target: int
    coins: int
    ends_at: int
    state: str


class Goals:
    """Opens and ends goals; gifts push them (`pushed`)."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access

    async def open(
        self, actor: Actor, room: RoomId, *, title: str, target: int, lasts_ms: int
    ) -> Goal:
        """Open a goal; a room has one at a time.

        Raises:
            Refused: `forbidden`, `invalid`, `goal_open`.

        """
        require(actor, HOSTS)
        actor, door = await self._access.enter(actor, room)
        check_amount("target", target, least=1, most=TARGET_MAX)
        check_amount("lasts_ms", lasts_ms, least=LASTS_MS_MIN, most=LASTS_MS_MAX)
        if not 0 < len(title) <= TITLE_LENGTH_MAX:
            raise Refused("invalid", f"title: 1 to {TITLE_LENGTH_MAX} characters.")
        place = Place(tenant=door.tenant, room=room, at=self._ports.now_ms())

        def command(tx: Transaction) -> Goal:
            running = tips.open_goal(tx, door.tenant, room)
            if running is not None and running.ends_at > place.at:
                raise Refused("goal_open")
            if running is not None:
                self._end(tx, place, running)
            id = self._ports.new_id()
            tips.add_goal(
                tx,
                {
                    "tenant": door.tenant, "id": id, "room": room, "title": title,
                    "target": target, "state": "open", "opened_at": place.at,
                    "ends_at": place.at + lasts_ms,
                },
            )  # fmt: skip
            opened = tips.open_goal(tx, door.tenant, room)
            assert opened is not None
            self._show(tx, place, _fact(opened, "open"))
            return _goal_of(opened)

        return await self._ports.store.run(command)

    async def end(self, actor: Actor, room: RoomId) -> Goal | None:
        """End a room's goal before its time; None when there is none."""
        require(actor, HOSTS)
        actor, door = await self._access.enter(actor, room)
        place = Place(tenant=door.tenant, room=room, at=self._ports.now_ms())

        def command(tx: Transaction) -> Goal | None:
            running = tips.open_goal(tx, door.tenant, room)
            if running is None or not self._end(tx, place, running):
                return None
            return _goal_of(running)

        return await self._ports.store.run(command)

    async def current(self, room: RoomId) -> Goal | None:
        """Read what a room collects for now."""
        door = await self._access.door(room)
        at = self._ports.now_ms()
        row = await self._ports.store.run(lambda tx: tips.open_goal(tx, door.tenant, room))
        return _goal_of(row) if row is not None and row.ends_at > at else None

    def _end(self, tx: Transaction, place: Place, running: Row[tuple[object, ...]]) -> bool:
        ended = tips.close_goal(tx, place.tenant, running.id, "ended", at=place.at)
        if ended:
            self._show(tx, place, _fact(running, "ended"))
        return ended

    def _show(self, tx: Transaction, place: Place, fact: GoalChanged) -> None:
        journal.append(tx, place, [fact], new_id=self._ports.new_id)


def pushed(tx: Transaction, place: Place, coins: int) -> list[GoalChanged]:
    """Push the room's goal by some coins; returns what everybody is to see of it.

    Call it just before the room's counter is taken: the goal's row is a lock they share.
    """
    running = tips.open_goal(tx, place.tenant, place.room)
    if running is None:
        return []
    row = tips.push_goal(tx, place.tenant, running.id, coins, at=place.at)
    if row is None:
        return []
    if row.coins >= row.target:
        return [_fact(row, "reached")]
    before = (row.coins - coins) * 100 // row.target
    grew = row.coins * 100 // row.target // STEP_PERCENT > before // STEP_PERCENT
    return [_fact(row, "open")] if grew else []


def _fact(row: Row[tuple[object, ...]], phase: str) -> GoalChanged:
    return GoalChanged(
        goal=row.id,
        title=row.title,
        percent=min(100, row.coins * 100 // row.target),
        phase=phase,
        ends_at=row.ends_at,
    )


def _goal_of(row: Row[tuple[object, ...]]) -> Goal:
    return Goal(
        id=row.id,
        title=row.title,
        target=row.target,
        coins=row.coins,
        ends_at=row.ends_at,
        state=row.state,
    )
