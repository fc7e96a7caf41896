"""A room's evenings: the host's media opens a broadcast, a drop pauses it, `end` closes it."""

from collections.abc import Collection
from dataclasses import replace

from liveroom.domain.actors import Actor, Role
from liveroom.domain.events import BroadcastChanged, Fact, StageChanged
from liveroom.domain.ids import BroadcastId, RoomId, UserId
from liveroom.domain.rooms import (
    AWAY_MS_MAX,
    Broadcast,
    Phase,
    report_of,
)
from liveroom.domain.seats import closed, host_left, seat_host
from liveroom.service.access import MERCHANTS, Access, require
from liveroom.service.explaining import explain
from liveroom.service.ports import Ports
from liveroom.store import journal, members, rooms
from liveroom.store.journal import Place
from liveroom.store.port import Transaction
from liveroom.store.rooms import RoomState


def _changed(broadcast: Broadcast, phase: Phase) -> BroadcastChanged:
    return BroadcastChanged(
        broadcast=broadcast.id,
        phase=phase.value,
        title=broadcast.title,
        started_at=broadcast.started_at,
    )


def _place(state: RoomState, at: int) -> Place:
    return Place(tenant=state.room.tenant, room=state.room.id, at=at)


class Broadcasting:
    """Follows hosts on and off the air. Called by the media's events and by `end`."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access
        self._orphaned: frozenset[RoomId] = frozenset()

    async def host_live(self, room: RoomId, user: UserId, session: str) -> None:
        """Note that the host's media flows: the first time opens a broadcast."""
        at = self._ports.now_ms()
        await self._ports.store.run(lambda tx: self._go_live(tx, room, user, session, at))

    async def host_gone(self, room: RoomId, user: UserId, session: str) -> None:
        """Note that the host's media stopped; a session taken over meanwhile changes nothing."""
        at = self._ports.now_ms()
        await self._ports.store.run(lambda tx: self._go_away(tx, room, session, at))

    async def end(self, actor: Actor, room: RoomId) -> Broadcast | None:
        """Close the broadcast with its report; None when there is none."""
        require(actor, MERCHANTS | {Role.HOST})
        await self._access.enter(actor, room)
        at = self._ports.now_ms()
        return await self._ports.store.run(lambda tx: self._end(tx, room, at))

    async def recover(self) -> None:
        """After a start, show the slate in rooms whose host no living process has."""
        await self._take_off_air(await self._orphans())

    async def sweep(self) -> None:
        """Show the slate where a process died with the host, once that was seen twice."""
        if not self._ports.bus.is_shared or self._ports.bus.is_degraded:
            return
        before, self._orphaned = self._orphaned, await self._orphans()
        await self._take_off_air(self._orphaned & before)

    async def _orphans(self) -> frozenset[RoomId]:
        live = await self._ports.store.run(lambda tx: rooms.rooms_in(tx, Phase.LIVE))
        company = self._ports.company
        return frozenset([room for room in live if not await company.is_placed(room)])

    async def _take_off_air(self, orphans: Collection[RoomId]) -> None:
        at = self._ports.now_ms()

        def command(tx: Transaction) -> None:
            for room in sorted(orphans):
                state = rooms.state(tx, room, lock=True)
                if state is not None and state.stage.session is not None:
                    self._go_away(tx, room, state.stage.session, at)

        if orphans:
            await self._ports.store.run(command)

    async def end_abandoned(self) -> None:
        """Close broadcasts whose host has been away for too long."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> None:
            for room in rooms.rooms_in(tx, Phase.AWAY, away_before=at - AWAY_MS_MAX):
                self._end(tx, room, at)

        await self._ports.store.run(command)

    def _go_live(self, tx: Transaction, room: RoomId, user: UserId, session: str, at: int) -> None:
        state = rooms.state(tx, room, lock=True)
        if state is None or state.stage.session == session:
            return
        tenant = state.room.tenant
        name = members.guest(tx, tenant, room, user).name()
        stage = seat_host(state.stage, user=user, name=name, session=session)
        rooms.set_stage(tx, room, stage)
        facts: list[Fact] = [StageChanged(slots=stage.slots, private=stage.private)]
        broadcast = state.room.broadcast
        if broadcast is None:
            broadcast = self._open(tx, state, at)
            facts.append(_changed(broadcast, Phase.LIVE))
        elif broadcast.phase is Phase.AWAY:
            rooms.set_phase(tx, tenant, broadcast.id, Phase.LIVE, at=at)
            facts.append(_changed(broadcast, Phase.LIVE))
        self._append(tx, state, facts, at)

    def _open(self, tx: Transaction, state: RoomState, at: int) -> Broadcast:
        broadcast = Broadcast(
            id=BroadcastId(self._ports.new_id()),
            room=state.room.id,
            title=state.room.title,
            cover=state.room.cover,
            phase=Phase.LIVE,
            planned_at=state.room.planned_at,
            started_at=at,
        )
        rooms.open_broadcast(tx, state.room.tenant, broadcast, state.counters)
        if state.pinned is not None:
            explain(tx, _place(state, at), state.pinned.id, broadcast.id, new_id=self._ports.new_id)
        return broadcast

    def _go_away(self, tx: Transaction, room: RoomId, session: str, at: int) -> None:
        state = rooms.state(tx, room, lock=True)
        stage = host_left(state.stage, session=session) if state else None
        if state is None or stage is None:
            return
        rooms.set_stage(tx, room, stage)
        facts: list[Fact] = [StageChanged(slots=stage.slots)]
        broadcast = state.room.broadcast
        if broadcast is not None:
            rooms.set_phase(tx, state.room.tenant, broadcast.id, Phase.AWAY, at=at)
            facts.append(_changed(broadcast, Phase.AWAY))
        self._append(tx, state, facts, at)

    def _end(self, tx: Transaction, room: RoomId, at: int) -> Broadcast | None:
        state = rooms.state(tx, room, lock=True)
        if state is None or state.room.broadcast is None:
            return None
        tenant, going = state.room.tenant, state.room.broadcast
        opening = rooms.opening_of(tx, tenant, going.id)
        report = report_of(
            opening=opening, closing=state.counters, duration_ms=at - going.started_at
        )
        ended = replace(going, phase=Phase.ENDED, ended_at=at, report=report)
        rooms.close_broadcast(tx, tenant, ended)
        explain(tx, _place(state, at), None, None, new_id=self._ports.new_id)
        rooms.set_stage(tx, room, closed(state.stage))
        facts: list[Fact] = [StageChanged(slots=()), _changed(ended, Phase.ENDED)]
        self._append(tx, state, facts, at)
        return ended

    def _append(self, tx: Transaction, state: RoomState, facts: list[Fact], at: int) -> None:
        journal.append(tx, _place(state, at), facts, new_id=self._ports.new_id)
