"""An audience in virtual time: when it flushes, and that nobody misses or repeats anything."""

import itertools
import random
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from liveroom.bus.local import LocalBus
from liveroom.bus.port import Publication
from liveroom.domain.events import DanmakuSaid, Event, Fact, GiftSent
from liveroom.domain.ids import EventId, RoomId, UserId
from liveroom.edge.audience import (
    COUNTERS_EVERY_S,
    FEW_ONLINE,
    ONLINE_EVERY_S,
    PENDING_MAX,
    SWEEP_SLICE,
    URGENT_EVERY_S,
    Audience,
)
from liveroom.edge.backlog import Backlog, Prepared, essential
from liveroom.edge.connection import Connection
from liveroom.edge.viewer import Position, Viewer
from liveroom.protocol.codec import JSON, MSGPACK, Codec
from liveroom.protocol.messages import Batch, Fields, Message, ToYou
from tests.liveroom.edge.virtual_time import VirtualLoop

ROOM = RoomId("r")
TICK_S = 0.1


@dataclass(eq=False)
class Wire:
    """A connection that takes every frame, and decodes it."""

    codec: Codec
    loop: VirtualLoop
    got: list[tuple[float, Any]] = field(default_factory=list)
    is_broken: bool = False
    is_aborted: bool = False

    def __post_init__(self) -> None:
        self.backlog = Backlog(self.codec, self.write, skipped=lambda _: None)
        self.transport = self

    def abort(self) -> None:
        self.is_aborted = True

    def write(self, frame: bytes) -> None:
        if self.is_broken:
            raise RuntimeError("Cannot call write() after write_eof()")
        size = frame[1]
        payload = frame[{126: 4, 127: 10}.get(size, 2) :]
        self.got.append((self.loop.now, self.codec.decode_answer(payload)))

    def is_direct(self) -> bool:
        return False

    def offer(self, prepared: Prepared) -> None:
        self.backlog.offer(prepared)

    def say(self, message: Message | Fields) -> None:
        self.offer(essential(message))

    @property
    def batches(self) -> list[Batch]:
        return [message for _, message in self.got if isinstance(message, Batch)]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for batch in self.batches for event in batch.events]

    @property
    def numbers(self) -> list[int]:
        return [event["n"] for event in self.events if "n" in event]


class Room:
    """An audience, its bus, and a history that plays the store."""

    def __init__(self, seed: int = 1) -> None:
        self.loop = VirtualLoop()
        self.bus = LocalBus()
        self.history: list[Event] = []
        self.published = 0
        self.empty = 0
        self.ids = iter(range(10**9))
        self.chance = random.Random(seed)
        self.audience = Audience(
            ROOM,
            bus=self.bus,
            tick_s=TICK_S,
            now_ms=lambda: int(self.loop.now * 1_000),
            chance=self.chance.random,
            left=self._left,
            loop=self.loop,
        )

    def _left(self, _audience: Audience) -> None:
        self.empty += 1

    def viewer(self, user: str, codec: Codec = JSON, *, is_host: bool = False) -> Viewer:
        wire = cast(Connection, Wire(codec, self.loop))
        return Viewer(wire, user=UserId(user), is_host=is_host)

    def join(self, user: str, codec: Codec = JSON, *, is_host: bool = False) -> Wire:
        viewer = self.viewer(user, codec, is_host=is_host)
        self.audience.expect(viewer)
        self.admit(viewer, len(self.history))
        return wire_of(viewer)

    def admit(self, viewer: Viewer, offset: int) -> None:
        self.audience.admit(viewer, Position(epoch="e", offset=offset, personal=0), likes=0)

    def event(self, fact: Fact, **envelope: Any) -> Event:
        at = int(self.loop.now * 1_000)
        return Event(id=EventId(f"e{next(self.ids)}"), room=ROOM, at=at, fact=fact, **envelope)

    def commit(self) -> Event:
        gift = GiftSent(user=UserId("x"), name="x", gift="rose", count=1, combo=1)
        event = self.event(gift, n=len(self.history) + 1)
        self.history.append(event)
        return event

    def relay(self, count: int) -> None:
        """Publish some of what was committed and not yet published."""
        news = tuple(self.history[self.published : self.published + count])
        self.published += len(news)
        self.deliver(*news)

    def gift(self) -> None:
        self.commit()
        self.relay(1)

    def text(self, user: str = "x", text: str = "hi") -> None:
        self.deliver(self.event(DanmakuSaid(user=UserId(user), name=user, text=text)))

    def deliver(self, *events: Event, likes: int = 0) -> None:
        self.audience.deliver(Publication(ROOM, events, likes=likes))

    def settle(self) -> None:
        while self.loop.step():
            pass


def wire_of(viewer: Viewer) -> Wire:
    return cast(Wire, viewer.connection)


def test_an_idle_room_has_no_timer() -> None:
    room = Room()
    room.join("ming")
    room.settle()
    assert room.loop.is_idle
    room.text()
    assert not room.loop.is_idle
    room.settle()
    assert room.loop.is_idle


def test_texts_gather_for_a_tick_after_the_first() -> None:
    room = Room()
    ming = room.join("ming")
    room.settle()
    start = room.loop.now = room.loop.now + 5
    for step in range(50):
        room.loop.run_until(start + step / 100)
        room.text(text=f"t{step}")
    room.settle()
    times = [
        at - start for at, message in ming.got if isinstance(message, Batch) and message.events
    ]
    assert times[0] == pytest.approx(0)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(gap >= TICK_S - 1e-9 for gap in gaps)
    assert len(times) <= 7


def test_money_does_not_wait_for_the_tick_but_is_bounded() -> None:
    room = Room()
    ming = room.join("ming")
    room.settle()
    start = room.loop.now = room.loop.now + 5
    for step in range(200):
        room.loop.run_until(start + step / 1_000)
        room.gift()
    room.settle()
    times = [
        at - start for at, message in ming.got if isinstance(message, Batch) and message.events
    ]
    assert times[0] == pytest.approx(0)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(URGENT_EVERY_S - 1e-9 <= gap <= URGENT_EVERY_S + 0.002 for gap in gaps)
    assert ming.numbers == list(range(1, 201))


def test_likes_make_a_frame_twice_a_second_at_most() -> None:
    room = Room()
    ming = room.join("ming")
    room.settle()
    before, start = len(ming.got), room.loop.now + 5
    for step in range(300):
        room.loop.run_until(start + step / 100)
        room.deliver(likes=1)
    room.settle()
    assert 4 <= len(ming.got) - before <= 3 / COUNTERS_EVERY_S + 2
    assert ming.batches[-1].counters.likes == 300


def test_a_rush_of_people_is_not_told_person_by_person() -> None:
    room = Room()
    first = room.join("first")
    for number in range(FEW_ONLINE):
        room.join(f"early-{number}")
    room.settle()
    before, start = len(first.got), room.loop.now + 5
    for step in range(600):
        room.loop.run_until(start + step / 100)
        room.join(f"late-{step}")
    room.settle()
    assert 3 <= len(first.got) - before <= 6 / ONLINE_EVERY_S + 2
    assert first.batches[-1].counters.online == room.audience.online == FEW_ONLINE + 601


def test_in_a_large_room_one_more_or_less_is_not_told() -> None:
    room = Room()
    wires = [room.join(f"u{number}") for number in range(1_001)]
    room.settle()
    assert wires[0].batches[-1].counters.online == 1_000
    before = len(wires[0].got)
    viewer = room.viewer("one-more")
    room.audience.expect(viewer)
    room.admit(viewer, 0)
    room.settle()
    room.audience.leave(viewer)
    room.settle()
    assert len(wires[0].got) == before


def test_everybody_of_one_codec_gets_the_same_bytes_object() -> None:
    room = Room()
    frames: list[int] = []
    viewers = [room.viewer(f"u{index}") for index in range(3)]
    for viewer in viewers:
        room.audience.expect(viewer)
        room.admit(viewer, 0)
    room.settle()
    for viewer in viewers:
        wire_of(viewer).write = lambda frame: frames.append(id(frame))  # type: ignore[method-assign]
    room.gift()
    room.settle()
    assert len(frames) == 3
    assert len(set(frames)) == 1


def test_a_large_room_is_swept_in_slices_and_in_order() -> None:
    room = Room()
    wires = [room.join(f"u{index}", MSGPACK) for index in range(SWEEP_SLICE * 2 + 10)]
    room.settle()
    for wire in wires:
        wire.got.clear()
    room.loop.now += 5
    room.gift()
    room.loop.step()
    reached = sum(bool(wire.numbers) for wire in wires)
    assert reached == SWEEP_SLICE
    room.gift()  # while the sweep is on its way
    late = room.join("late")
    room.settle()
    assert all(wire.numbers == [1, 2] for wire in wires)
    assert late.numbers == []


def test_who_leaves_during_a_sweep_gets_nothing_more() -> None:
    room = Room()
    viewers = [room.viewer(f"u{index}") for index in range(SWEEP_SLICE + 5)]
    for viewer in viewers:
        room.audience.expect(viewer)
        room.admit(viewer, 0)
    room.settle()
    room.loop.now += 5
    room.gift()
    room.loop.step()
    waiting = [viewer for viewer in viewers if not wire_of(viewer).numbers]
    assert len(waiting) == 5
    room.audience.leave(waiting[0])
    room.settle()
    assert [wire_of(viewer).numbers for viewer in waiting] == [[], [1], [1], [1], [1]]


def test_a_socket_that_breaks_during_a_sweep_ends_alone_and_the_room_lives_on() -> None:
    room = Room()
    wires = [room.join(f"u{index}") for index in range(5)]
    room.settle()
    for wire in wires[:2]:
        wire.is_broken = True
    for _ in range(2):
        room.gift()
        room.settle()
    assert [wire.numbers for wire in wires] == [[], [], [1, 2], [1, 2], [1, 2]]
    assert [wire.is_aborted for wire in wires] == [True, True, False, False, False]


def test_of_a_flood_beyond_the_bound_each_writer_still_sees_their_own() -> None:
    room = Room()
    ming, li = room.join("ming"), room.join("li")
    room.settle()
    for _ in range(PENDING_MAX):
        room.text("crowd")
    room.text("ming", "mine")
    room.settle()
    assert "mine" in {event.get("text") for event in ming.events}
    assert "mine" not in {event.get("text") for event in li.events}


def test_the_last_one_to_leave_ends_the_subscription() -> None:
    room = Room()
    viewer = room.viewer("ming")
    room.audience.expect(viewer)
    assert room.bus.is_heard(ROOM)
    room.admit(viewer, 0)
    room.audience.leave(viewer)
    assert not room.bus.is_heard(ROOM)
    assert room.empty == 1
    room.settle()


def test_a_personal_event_comes_once_to_each_socket_of_one_person() -> None:
    room = Room()
    phone, tablet, other = room.join("ming"), room.join("ming"), room.join("li")
    fact = GiftSent(user=UserId("x"), name="x", gift="rose", count=1, combo=1)
    event = room.event(fact, pn=1, to=UserId("ming"))
    room.deliver(event)
    room.settle()
    room.deliver(event)
    room.settle()
    for wire in (phone, tablet):
        assert [m.personal for _, m in wire.got if isinstance(m, ToYou)] == [1]
    assert not [m for _, m in other.got if isinstance(m, ToYou)]


STEPS = st.lists(
    st.sampled_from(
        ["commit", "commit", "relay", "relay", "text", "expect", "read", "admit", "leave", "time"]
    ),
    max_size=120,
)


@example(steps=["commit", "expect", "read"], seed=0)
@example(steps=["commit", "expect", "read", "admit", "relay"], seed=0)
@given(STEPS, st.integers(0, 2**32))
def test_over_any_interleaving_every_number_comes_exactly_once(steps: list[str], seed: int) -> None:
    """Viewers come in at any moment between commit, relay, flush and snapshot."""
    room, chance = Room(seed), random.Random(seed)
    expecting: list[Viewer] = []
    read: list[tuple[Viewer, int]] = []
    live: list[tuple[Viewer, int]] = []
    for step in steps:
        match step:
            case "commit":
                room.commit()
            case "relay":
                room.relay(chance.randint(1, 3))
            case "text":
                room.text()
            case "expect" if not room.empty:
                viewer = room.viewer(f"u{chance.randint(0, 3)}", chance.choice([JSON, MSGPACK]))
                room.audience.expect(viewer)
                expecting.append(viewer)
            case "read" if expecting:
                read.append((expecting.pop(0), len(room.history)))
            case "admit" if read:
                viewer, offset = read.pop(chance.randrange(len(read)))
                room.admit(viewer, offset)
                live.append((viewer, offset))
            case "leave" if len(live) > 1:
                room.audience.leave(live.pop(chance.randrange(len(live)))[0])
            case "time":
                room.loop.run_until(room.loop.now + chance.choice([0.0, 0.001, 0.02, 0.2]))
            case _:
                pass
    for viewer, offset in read:
        room.admit(viewer, offset)
        live.append((viewer, offset))
    room.relay(10**6)
    room.settle()
    for viewer, offset in live:
        wire = wire_of(viewer)
        assert wire.numbers == list(range(offset + 1, len(room.history) + 1))
        has = offset
        for batch in wire.batches:
            has = max([has, *(event["n"] for event in batch.events if "n" in event)])
            assert batch.offset == has, "an offset says exactly what the viewer has"
        ids = [event["id"] for event in wire.events]
        assert len(ids) == len(set(ids))
