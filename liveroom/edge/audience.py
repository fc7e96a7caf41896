"""Everybody who watches one room here: news come in from the bus, frames go out per tick.

A flush encodes once per kind of viewer and codec and sweeps over all sockets without a task,
future or lock for any of them. Who is just coming in keeps what is flushed meanwhile and gets
from it exactly what the welcome did not contain. It knows no service and no token.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, Protocol, final

from liveroom.bus.port import Bus, Publication
from liveroom.domain.delivery import Delivery
from liveroom.domain.events import Audience as EventAudience
from liveroom.domain.events import DanmakuSaid, Event
from liveroom.domain.ids import RoomId, UserId
from liveroom.edge.backlog import Prepared, essential
from liveroom.edge.sweeping import WRITE_ALL, rest_of
from liveroom.edge.viewer import Position, Viewer, not_in
from liveroom.observe import EVENT_DELIVERY_SECONDS, EVENTS_DROPPED, GATEWAY_FRAMES, logger
from liveroom.protocol.batch import Budgets, Chance, Sampler, Tick, is_urgent
from liveroom.protocol.codec import Codec
from liveroom.protocol.counting import approximate
from liveroom.protocol.messages import Batch, Counters, ToYou
from liveroom.protocol.present import present

URGENT_EVERY_S = 0.020
"""Money and personal events are flushed at once, but not more often than this …"""
URGENT_SWEEPS = 2
"""… nor than every so many times the duration of the last sweep."""

COUNTERS_EVERY_S = 0.5
"""How often counters alone make a frame; other frames carry them along."""
ONLINE_EVERY_S = 2.0
"""How often people coming and going alone make one, where there are more than …"""
FEW_ONLINE = 100
"""… so many: in a rush everybody's entry would be told to everybody."""

SWEEP_SLICE = 512
"""So many sockets are written to before the event loop gets its turn."""

PENDING_MAX = 1_000
"""Texts and greetings gathered for one tick; of further ones each writer sees their own."""

MISSED_PER_FRAME = 100
"""Missed events in one frame after a resume."""

_log = logger(__name__)


def _nobody(_room: RoomId) -> int:
    return 0


class Loop(Protocol):
    """What an audience needs of the event loop."""

    def time(self) -> float:
        """Tell monotonic seconds."""
        ...

    def call_at(self, when: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Call back at a time."""
        ...

    def call_soon(self, callback: Callable[[], object]) -> object:
        """Call back in the next turn."""
        ...


@final
class Audience:
    """The viewers of one room on this node.

    Args:
        room: which.
        bus: where the news come from, as long as anybody is here.
        tick_s: how long texts gather.
        now_ms: UTC milliseconds, for the delivery histogram.
        chance: for sampling.
        budgets: what each viewer is shown a second.
        left: called when the last viewer has gone.
        elsewhere: counts the people that other processes have in the room.
        loop: time and timers.

    """

    def __init__(
        self,
        room: RoomId,
        *,
        bus: Bus,
        tick_s: float,
        now_ms: Callable[[], int],
        chance: Chance,
        left: Callable[["Audience"], None],
        loop: Loop,
        budgets: Budgets | None = None,
        elsewhere: Callable[[RoomId], int] = _nobody,
    ) -> None:
        self.room = room
        self._loop = loop
        self._tick_s = tick_s
        self._now_ms = now_ms
        self._left = left
        self._sampler = Sampler(chance=chance, now=self._loop.time(), budgets=budgets)
        self._elsewhere = elsewhere
        self._coming: set[Viewer] = set()
        self._viewers: dict[tuple[bool, Codec], set[Viewer]] = {}
        self._users: dict[UserId, set[Viewer]] = {}
        self._pending: list[Event] = []
        self._personal: list[Event] = []
        self._only_own: list[tuple[UserId, Event]] = []
        self._is_urgent = False
        self._epoch = ""
        self._delivered = 0
        self._offset: int | None = None
        self._has_flushed = False
        self._highest_floor = 0
        self._likes = 0
        self._counters_changed = False
        self._likes_changed = False
        self._shown_online = 0
        self._counters_at = 0.0
        self._flushed_at = 0.0
        self._sweep_took = 0.0
        self._sweep: Iterator[None] | None = None
        self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._unsubscribe = bus.subscribe(room, self.deliver)

    @property
    def here(self) -> int:
        """How many different people this process has."""
        return len(self._users)

    @property
    def online(self) -> int:
        """How many people are in the room; who is on two nodes counts twice."""
        return len(self._users) + self._elsewhere(self.room)

    def recount(self) -> None:
        """Show that the others' figures changed."""
        self._counters_changed = True
        self._arm()

    def online_with(self, user: UserId) -> int:
        """About how many there are once this person is in."""
        return approximate(self.online + (user not in self._users))

    @property
    def counters(self) -> Counters:
        """What frames carry along."""
        return Counters(online=approximate(self.online), likes=self._likes)

    def viewers_of(self, user: UserId) -> list[Viewer]:
        """List somebody's connections, also those still coming in."""
        coming = (viewer for viewer in self._coming if viewer.user == user)
        return [*self._users.get(user, ()), *coming]

    # Coming and going.

    def expect(self, viewer: Viewer) -> None:
        """Keep what is flushed for somebody who is coming in: call it before the snapshot."""
        self._coming.add(viewer)

    def admit(
        self,
        viewer: Viewer,
        position: Position,
        *,
        likes: int,
        missed: Sequence[Event] = (),
        missed_personal: Sequence[Event] = (),
    ) -> None:
        """Make a viewer live: send what they missed and what the welcome does not contain."""
        assert viewer.coming is not None
        coming, viewer.coming = viewer.coming, None
        self._coming.discard(viewer)
        self._epoch = position.epoch
        if not self._users:
            self._likes = max(self._likes, likes)
        viewer.floor = position.offset
        viewer.personal = position.personal
        kept = [*missed, *not_in(position, coming.ticks, viewer)]
        viewer.floor = max([viewer.floor, *_numbers(kept)])
        reached = 0 if missed else position.offset
        for first in range(0, len(kept), MISSED_PER_FRAME):
            part = kept[first : first + MISSED_PER_FRAME]
            is_last = first + MISSED_PER_FRAME >= len(kept)
            reached = viewer.floor if is_last else max([reached, *_numbers(part)])
            viewer.connection.offer(essential(self._batch(part, reached)))
        self._to_one(viewer, missed_personal, missed=True)
        self._to_one(viewer, coming.personal)
        if not self._has_flushed:
            floors = [viewer.floor] if self._offset is None else [viewer.floor, self._offset]
            self._offset = min(floors)
        self._highest_floor = max(self._highest_floor, viewer.floor)
        self._viewers.setdefault((viewer.is_host, viewer.codec), set()).add(viewer)
        self._users.setdefault(viewer.user, set()).add(viewer)
        self._note_online()
        self._arm()

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; the last one ends the subscription."""
        self._coming.discard(viewer)
        group = self._viewers.get((viewer.is_host, viewer.codec))
        if group is not None:
            group.discard(viewer)
        mine = self._users.get(viewer.user)
        if mine is not None:
            mine.discard(viewer)
            if not mine:
                del self._users[viewer.user]
                self._note_online()
        if self._users or self._coming:
            self._arm()
        else:
            self.close()

    def close(self) -> None:
        """Stop listening and all timers."""
        self._is_closed = True
        self._unsubscribe()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._left(self)

    # News.

    def deliver(self, publication: Publication) -> None:
        """Gather what the bus brings and see that it is flushed in time."""
        if publication.likes:
            self._likes += publication.likes
            self._counters_changed = self._likes_changed = True
        for event in publication.events:
            if event.to is not None:
                self._personal.append(event)
            elif self._is_new(event):
                self._pending.append(event)
                self._is_urgent = self._is_urgent or is_urgent(event)
        self._arm()

    def _is_new(self, event: Event) -> bool:
        if event.n is not None:
            # The relay may publish again after a crash; n rises in each room.
            if event.n <= self._delivered:
                EVENTS_DROPPED.labels(event.fact.DELIVERY.value, "repeated").inc()
                return False
            self._delivered = event.n
        elif len(self._pending) >= PENDING_MAX and not is_urgent(event):
            EVENTS_DROPPED.labels(event.fact.DELIVERY.value, "flood").inc()
            if isinstance(event.fact, DanmakuSaid) and event.fact.user in self._users:
                self._only_own.append((event.fact.user, event))
            return False
        return True

    # Time.

    def _arm(self) -> None:
        if self._sweep is not None or self._is_closed:
            return
        due = self._due()
        if due is None:
            return
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        # uvloop's handle of a time that has come already knows no `when()`.
        self._timer_at = due
        self._timer = self._loop.call_at(due, self._flush)

    def _due(self) -> float | None:
        gap_s = max(URGENT_EVERY_S, URGENT_SWEEPS * self._sweep_took)
        if self._personal or self._is_urgent:
            return self._flushed_at + gap_s
        if self._pending:
            return self._flushed_at + max(self._tick_s, gap_s)
        if self._counters_changed:
            return max(self._counters_at + self._counters_every_s(), self._flushed_at + gap_s)
        return None

    def _counters_every_s(self) -> float:
        often = self._likes_changed or self.online <= FEW_ONLINE
        return COUNTERS_EVERY_S if often else ONLINE_EVERY_S

    def _note_online(self) -> None:
        if approximate(self.online) != self._shown_online:
            self._counters_changed = True

    def _flush(self) -> None:
        self._timer = None
        now = self._loop.time()
        self._flushed_at = now
        personal, self._personal = self._personal, []
        self._flush_personal(personal)
        events, self._pending = self._pending, []
        self._is_urgent = False
        tick = self._sampler.compose(events, online=self.online, now=now)
        if self._only_own:
            tick = replace(tick, own=(*tick.own, *self._only_own))
            self._only_own = []
        for viewer in self._coming:
            assert viewer.coming is not None
            viewer.coming.ticks.append(tick)
        for delivery, reason, count in tick.left_out:
            EVENTS_DROPPED.labels(delivery.value, reason).inc(count)
        self._sweep = self._steps(tick, [*_shown(tick), *personal], now)
        self._continue()

    def _continue(self) -> None:
        """Sweep one slice; the rest follows when the loop has had its turn."""
        assert self._sweep is not None
        try:
            is_done = next(self._sweep, _DONE) is _DONE
        except Exception:
            _log.exception("sweep failed", room=self.room)
            is_done = True  # the room lives on
        if not is_done:
            self._loop.call_soon(self._continue)
            return
        self._sweep = None
        self._arm()

    def _steps(self, tick: Tick, events: Iterable[Event], started: float) -> Iterator[None]:
        """Write one tick to everybody, yielding after each slice."""
        previous = self._offset or 0
        offset = max([previous, *_numbers(tick.durable)])
        self._has_flushed = self._has_flushed or bool(tick.durable)
        self._offset = offset
        counters_due = (
            self._counters_changed and started >= self._counters_at + self._counters_every_s()
        ) or bool(tick.everyone)
        if counters_due:
            self._counters_changed = self._likes_changed = False
            self._shown_online = approximate(self.online)
            self._counters_at = started
        everyone = self._prepare(tick.everyone, tick.durable, offset, counters_due)
        same = tick.host == tick.everyone
        host = everyone if same else self._prepare(tick.host, tick.durable, offset, counters_due)
        # A welcome may contain what the room is told only now: those viewers get less.
        told = min([previous, *(number - 1 for number in _numbers(tick.durable))])
        ahead = self._highest_floor > told
        written = 0
        # Who comes in during the sweep has this tick already: list everybody before it.
        groups = [(key, group, tuple(group)) for key, group in self._viewers.items()]
        for (is_host, codec), group, viewers in groups:
            prepared = host if is_host else everyone
            if prepared is None or not viewers:
                continue
            shown = tick.host if is_host else tick.everyone
            frame = prepared.frame(codec)
            for first in range(0, len(viewers), SWEEP_SLICE):
                if first:
                    yield
                direct: list[Viewer] = []
                for viewer in viewers[first : first + SWEEP_SLICE]:
                    if viewer not in group:
                        continue  # left during the sweep
                    try:
                        if ahead and viewer.floor > told:
                            self._write_ahead(viewer, shown, offset)
                        elif viewer.backlog.is_paused:
                            viewer.connection.offer(prepared)
                        elif viewer.connection.is_direct():
                            direct.append(viewer)
                        else:
                            viewer.connection.transport.write(frame)
                            written += 1
                    except Exception:
                        self._give_up(viewer)
                self._write_direct(direct, frame)
                written += len(direct)
        self._write_own(tick, offset)
        GATEWAY_FRAMES.inc(written)
        self._sweep_took = self._loop.time() - started
        self._observe(events)

    def _write_direct(self, viewers: list[Viewer], frame: bytes) -> None:
        """Write to sockets whose transports have nothing waiting."""
        if not viewers:
            return
        assert WRITE_ALL is not None, "only then a connection has a descriptor"
        descriptors = [viewer.connection.descriptor for viewer in viewers]
        for index, taken in WRITE_ALL(descriptors, frame):
            try:
                viewers[index].connection.transport.write(rest_of(frame, taken))
            except Exception:
                self._give_up(viewers[index])

    def _give_up(self, viewer: Viewer) -> None:
        """End one broken socket alone; its viewer comes back and resumes."""
        _log.exception("write failed", room=self.room)
        viewer.connection.transport.abort()

    def _prepare(
        self, shown: tuple[Event, ...], durable: tuple[Event, ...], offset: int, wanted: bool
    ) -> Prepared | None:
        if not shown and not wanted:
            return None
        lossy = Counter(event.fact.DELIVERY for event in shown)
        lossy.subtract(event.fact.DELIVERY for event in durable)
        left_out = +lossy
        kept = essential(self._batch(durable, offset)) if durable else None
        if not left_out and kept is not None:
            return kept
        return Prepared(self._batch(shown, offset), essential=kept, inessential=left_out)

    def _batch(self, events: Iterable[Event], offset: int) -> Batch:
        shown = [present(event) for event in events]
        return Batch(epoch=self._epoch, offset=offset, events=shown, counters=self.counters)

    def _write_ahead(self, viewer: Viewer, shown: tuple[Event, ...], offset: int) -> None:
        """Write to a viewer whose welcome contained what the room is only now being told."""
        new = tuple(event for event in shown if event.n is None or event.n > viewer.floor)
        durable = tuple(event for event in new if event.n is not None)
        prepared = self._prepare(new, durable, max(offset, viewer.floor), wanted=True)
        assert prepared is not None
        viewer.connection.offer(prepared)

    def _write_own(self, tick: Tick, offset: int) -> None:
        for user, event in tick.own:
            viewers = [viewer for viewer in self._users.get(user, ()) if not viewer.is_host]
            if not viewers:
                continue
            for viewer in viewers:
                batch = self._batch((event,), max(offset, viewer.floor))
                viewer.connection.offer(Prepared(batch, essential=None, inessential=_ONE_TEXT))

    def _flush_personal(self, events: list[Event]) -> None:
        mine: dict[UserId, list[Event]] = {}
        for event in events:
            assert event.to is not None
            mine.setdefault(event.to, []).append(event)
        for viewer in self._coming:
            assert viewer.coming is not None
            viewer.coming.personal.extend(mine.get(viewer.user, ()))
        for user, for_me in mine.items():
            for viewer in tuple(self._users.get(user, ())):
                self._to_one(viewer, for_me)

    def _to_one(self, viewer: Viewer, events: Sequence[Event], *, missed: bool = False) -> None:
        """Send personal events, each durable one once."""
        new: list[Event] = []
        for event in events:
            if event.pn is not None and not missed:
                if event.pn <= viewer.personal:
                    continue  # published again after a crash
                viewer.personal = event.pn
            new.append(event)
        if not new:
            return
        shown = [present(event) for event in new]
        viewer.connection.say(ToYou(personal=viewer.personal, events=shown))

    def _observe(self, events: Iterable[Event]) -> None:
        now_ms = self._now_ms()
        for event in events:
            EVENT_DELIVERY_SECONDS.labels(event.fact.DELIVERY.value).observe(
                max(0, now_ms - event.at) / 1000
            )


_DONE = object()
_ONE_TEXT: Final = MappingProxyType({Delivery.TEXT: 1})


def _shown(tick: Tick) -> Iterator[Event]:
    """List what reached those it was for: texts left out of the sample did not."""
    yield from tick.everyone
    yield from (event for event in tick.host if event.fact.AUDIENCE is EventAudience.HOST)


def _numbers(events: Iterable[Event]) -> Iterator[int]:
    return (event.n for event in events if event.n is not None)
