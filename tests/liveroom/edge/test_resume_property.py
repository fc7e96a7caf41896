"""Every durable event once on the screen, in order, or a snapshot: over anything that can happen.

A room in virtual time: a store that outlives the servers, a relay that publishes at least once,
a bus that repeats, the real audience and backlog, and the client's own way of taking frames.
Sockets deliver late, fill up and break; servers fall and come back; history can be lost.
"""

import os
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from liveroom.bus.local import LocalBus
from liveroom.bus.port import Publication
from liveroom.client.room import RoomClient
from liveroom.domain.actors import Actor, Role
from liveroom.domain.events import DanmakuSaid, Event, GiftSent
from liveroom.domain.ids import EventId, UserId
from liveroom.domain.rooms import Counters
from liveroom.edge.audience import Audience
from liveroom.edge.backlog import Backlog, Prepared, essential
from liveroom.edge.connection import Connection
from liveroom.edge.viewer import Viewer
from liveroom.edge.welcoming import position_of, welcome
from liveroom.protocol.codec import JSON, MSGPACK, Codec
from liveroom.protocol.messages import Fields, Message, Resume
from liveroom.service.entry import Entry, Missed, Snapshot
from tests.liveroom.edge.gateway_house import ROOM, a_room, card
from tests.liveroom.edge.screens import Screen
from tests.liveroom.edge.virtual_time import VirtualLoop

MISSED_MAX = 8
"""Of the store here: who missed more gets a snapshot."""
BACKLOG_BYTES = 1_500
PEOPLE = 3
RESTARTS_MAX = 3
ALL = 10**6
WHICH = st.integers(0, PEOPLE - 1)
ROUNDS = 60 * int(os.environ.get("LIVEROOM_TEST_ROUNDS", "1"))


@dataclass
class Store:
    """What outlives a server: numbered events, and those not yet known to be published."""

    epoch: int = 1
    history: list[Event] = field(default_factory=list)
    mine: dict[str, list[Event]] = field(default_factory=dict)
    outbox: list[Event] = field(default_factory=list)
    ids: int = 0

    def event(self, fact: Any, **envelope: Any) -> Event:
        self.ids += 1
        return Event(id=EventId(f"e{self.ids}"), room=ROOM, at=1, fact=fact, **envelope)

    def gift(self) -> None:
        fact = GiftSent(user=UserId("x"), name="x", gift="rose", count=1, combo=1)
        event = self.event(fact, n=len(self.history) + 1)
        self.history.append(event)
        self.outbox.append(event)

    def coupon(self, user: str) -> None:
        own = self.mine.setdefault(user, [])
        fact = GiftSent(user=UserId(user), name="x", gift="rose", count=1, combo=1)
        event = self.event(fact, pn=len(own) + 1, to=UserId(user))
        own.append(event)
        self.outbox.append(event)

    def lose(self) -> None:
        self.epoch += 1
        self.history, self.mine, self.outbox = [], {}, []

    def entry(self, user: str) -> Entry:
        actor = Actor(user=UserId(user), role=Role.VIEWER, room=ROOM)
        snapshot = Snapshot(stage=(), pin=None, rounds=(), texts=(), counters=Counters())
        return Entry(
            actor=actor,
            you=card(actor),
            room=a_room(),
            snapshot=snapshot,
            epoch=str(self.epoch),
            offset=len(self.history),
            personal=len(self.mine.get(user, ())),
        )

    def missed(self, user: str, resume: Resume) -> Missed | None:
        own = self.mine.get(user, [])
        personal = resume.personal or 0
        gaps = (len(self.history) - resume.offset, len(own) - personal)
        if resume.epoch != str(self.epoch) or any(not 0 <= gap <= MISSED_MAX for gap in gaps):
            return None
        return Missed(
            events=tuple(self.history[resume.offset :]),
            personal_events=tuple(own[personal:]),
            offset=len(self.history),
            personal=len(own),
        )


class Wire:
    """A connection whose frames are on their way until the client reads them.

    The server itself says each number once, before any client looks.
    """

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.transport = self
        self.frames: deque[bytes] = deque()
        self.is_cut = False
        self.is_slow = False
        self.said: set[tuple[str, int]] = set()
        self.backlog = Backlog(codec, self.write, skipped=lambda _: None, bytes_max=BACKLOG_BYTES)

    def is_direct(self) -> bool:
        return False

    def write(self, frame: bytes) -> None:
        if self.is_cut:
            return
        self.frames.append(frame)
        for event in self.decode(frame).get("events", ()):
            for key in ("n", "pn"):
                assert (key, event.get(key)) not in self.said, "the server said it twice"
                if key in event:
                    self.said.add((key, event[key]))

    def decode(self, frame: bytes) -> dict[str, Any]:
        payload = frame[{126: 4, 127: 10}.get(frame[1], 2) :]
        module = msgspec.json if self.codec is JSON else msgspec.msgpack
        return module.decode(payload, type=dict[str, Any])

    def offer(self, prepared: Prepared) -> None:
        if not self.is_slow and not self.backlog.offer(prepared):
            self.backlog.clear()
            self.is_slow = True

    def say(self, message: Message | Fields) -> None:
        self.offer(essential(message))


class Person:
    """A client that keeps its place over its connections, and what it has drawn."""

    def __init__(self, user: str, codec: Codec) -> None:
        self.user = user
        self.codec = codec
        encoding = "json" if codec is JSON else "msgpack"
        self.client = RoomClient("", ROOM, None, encoding=encoding, random=Random(1))
        self.wire: Wire | None = None
        self.viewer: Viewer | None = None
        self.entry: Entry | None = None
        self.resume: Resume | None = None
        self.screen = Screen()

    def read(self, frames: int, *, stutters: bool = False) -> None:
        """Take frames; a way that stutters brings each batch twice."""
        assert self.wire is not None
        while self.wire.frames and frames:
            frames -= 1
            frame = self.wire.decode(self.wire.frames.popleft())
            self.take(frame)
            if stutters and "events" in frame:
                self.take(frame)

    def take(self, frame: dict[str, Any]) -> None:
        taking = self.client._receive(cast(Any, self.wire), frame, 0.0)
        try:
            taking.send(None)
        except StopIteration:
            pass
        else:
            raise AssertionError("the client waits where it only has to take a frame")
        if frame["t"] == "welcome" and not frame["resumed"]:
            self.screen.begin(**{key: frame[key] for key in ("epoch", "offset", "personal")})
        while self.client._events:
            self.screen.draw(self.client._events.popleft())

    def place(self) -> Resume | None:
        place = self.client._place
        if place is None:
            return None
        return Resume(epoch=place.epoch, offset=place.offset, personal=place.personal)


def one_of(people: list[Person], which: int) -> Person:
    return people[which % len(people)]


class Evening(RuleBasedStateMachine):
    """One evening in a room."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.store = Store()
        self.bus = LocalBus()
        self.audience: Audience | None = None
        self.recent: deque[Event] = deque(maxlen=6)
        self.lingering: list[Viewer] = []
        self.chance = Random(1)
        self.restarts = 0
        self.people = [Person(f"u{index}", (JSON, MSGPACK)[index % 2]) for index in range(PEOPLE)]

    @initialize(gifts=st.integers(0, 3))
    def begin(self, gifts: int) -> None:
        for _ in range(gifts):
            self.store.gift()

    # The shop.

    @rule(count=st.sampled_from([1, 1, 1, 2, 5, MISSED_MAX + 1]), is_quick=st.booleans())
    def give(self, count: int, is_quick: bool) -> None:
        for _ in range(count):
            self.store.gift()
        if is_quick:
            self.relay(count, crashes=False)
            self.wait(0.1)

    @rule(person=st.integers(0, PEOPLE - 1), count=st.integers(1, 2))
    def send_coupon(self, person: int, count: int) -> None:
        for _ in range(count):
            self.store.coupon(self.people[person].user)

    @rule(count=st.integers(1, 4))
    def talk(self, count: int) -> None:
        fact = DanmakuSaid(user=UserId("x"), name="x", text="hello " * 8)
        self.publish(*(self.store.event(fact) for _ in range(count)))

    @precondition(lambda self: self.store.outbox)
    @rule(count=st.integers(1, 6), crashes=st.booleans())
    def relay(self, count: int, crashes: bool) -> None:
        """Publish; a crash comes between that and noting it."""
        news = self.store.outbox[:count]
        self.publish(*news)
        if not crashes:
            del self.store.outbox[: len(news)]

    @precondition(lambda self: self.recent)
    @rule(first=st.integers(0, 5))
    def repeat(self, first: int) -> None:
        """The bus brings some of the last events again."""
        self.publish(*list(self.recent)[first:])

    def publish(self, *events: Event) -> None:
        self.recent.extend(event for event in events if event.fact.DELIVERY.value == "money")
        if self.audience is not None:
            self.audience.deliver(Publication(ROOM, events))

    @rule(seconds=st.sampled_from([0.0, 0.02, 0.1, 0.5]))
    def wait(self, seconds: float) -> None:
        self.loop.run_until(self.loop.now + seconds)

    # People.

    @precondition(lambda self: self.outside())
    @rule(which=WHICH, at_once=st.booleans())
    def knock(self, which: int, at_once: bool) -> None:
        """Connect and say hello; the server reads the snapshot, and may take its time then."""
        person = one_of(self.outside(), which)
        self.let_knock(person)
        if at_once:
            self.let_in(person)
            person.read(ALL)

    @precondition(lambda self: self.knocking())
    @rule(which=WHICH)
    def come_in(self, which: int) -> None:
        """The server reads what was missed, a moment after the snapshot, and says welcome."""
        self.let_in(one_of(self.knocking(), which))

    @precondition(lambda self: self.unread())
    @rule(which=WHICH, frames=st.sampled_from([1, 2, ALL, ALL]), stutters=st.booleans())
    def read(self, which: int, frames: int, stutters: bool) -> None:
        person = one_of(self.unread(), which)
        person.read(frames, stutters=stutters)
        assert person.wire is not None
        if person.wire.is_slow and not person.wire.frames:
            self.hang_up(person)

    @precondition(lambda self: self.inside())
    @rule(which=WHICH, is_noticed=st.booleans())
    def cut(self, which: int, is_noticed: bool) -> None:
        """Break a connection with frames on their way; the server may notice only later."""
        self.hang_up(one_of(self.inside(), which), is_noticed=is_noticed)

    @precondition(lambda self: self.lingering)
    @rule()
    def notice(self) -> None:
        viewer = self.lingering.pop(0)
        if self.audience is not None:
            self.audience.leave(viewer)

    @precondition(lambda self: self.inside())
    @rule(which=WHICH)
    def fill(self, which: int) -> None:
        """The socket takes nothing more, or takes data again."""
        wire = one_of(self.inside(), which).wire
        assert wire is not None
        if not wire.backlog.is_paused:
            wire.backlog.pause()
        elif not wire.is_slow:
            wire.backlog.resume()

    def outside(self) -> list[Person]:
        return [person for person in self.people if person.wire is None]

    def inside(self) -> list[Person]:
        return [person for person in self.people if person.wire is not None]

    def knocking(self) -> list[Person]:
        return [person for person in self.people if person.entry is not None]

    def unread(self) -> list[Person]:
        return [person for person in self.inside() if person.wire and person.wire.frames]

    def let_knock(self, person: Person) -> None:
        if self.audience is None:
            self.audience = self.open()
        person.wire = Wire(person.codec)
        person.resume = person.place()
        person.viewer = Viewer(
            cast(Connection, person.wire), user=UserId(person.user), is_host=False
        )
        self.audience.expect(person.viewer)
        person.entry = self.store.entry(person.user)

    def let_in(self, person: Person) -> None:
        entry, viewer, resume = person.entry, person.viewer, person.resume
        assert entry is not None
        assert viewer is not None
        assert self.audience is not None
        missed = None if resume is None else self.store.missed(person.user, resume)
        person.entry = None
        viewer.connection.say(
            welcome(entry, resume=resume, missed=missed, online=1, tick_ms=100, is_host=False)
        )
        self.audience.admit(
            viewer,
            position_of(entry, missed),
            likes=0,
            missed=() if missed is None else missed.events,
            missed_personal=() if missed is None else missed.personal_events,
        )

    def hang_up(self, person: Person, *, is_noticed: bool = True) -> None:
        wire, viewer = person.wire, person.viewer
        assert wire is not None
        assert viewer is not None
        wire.is_cut = True
        person.wire = person.viewer = person.entry = person.client._socket = None
        if is_noticed and self.audience is not None:
            self.audience.leave(viewer)
        elif self.audience is not None:
            self.lingering.append(viewer)

    # The server.

    def open(self) -> Audience:
        return Audience(
            ROOM,
            bus=self.bus,
            tick_s=0.1,
            now_ms=lambda: int(self.loop.now * 1_000),
            chance=self.chance.random,
            left=self.closed,
            loop=self.loop,
        )

    def closed(self, audience: Audience) -> None:
        if self.audience is audience:
            self.audience = None

    @precondition(lambda self: self.restarts < RESTARTS_MAX and self.unread())
    @rule(loses=st.sampled_from([False, False, False, True]))
    def restart(self, loses: bool) -> None:
        """The server falls and is back at once; seldom its history is lost with it."""
        self.restarts += 1
        audience, self.audience = self.audience, None
        for person in self.people:
            if person.wire is not None:
                self.hang_up(person)
        self.lingering.clear()
        if audience is not None:
            audience.close()
        if loses:
            self.store.lose()
            self.recent.clear()

    @invariant()
    def every_screen_is_in_order(self) -> None:
        for person in self.people:
            person.screen.check()

    def teardown(self) -> None:
        """In the end everybody has everything."""
        for person in self.inside():
            assert person.wire is not None
            if person.wire.is_slow or person.wire.backlog.is_paused:
                self.hang_up(person)
        for person in self.outside():
            self.let_knock(person)
        for person in self.knocking():
            self.let_in(person)
        self.publish(*self.store.outbox)
        while self.loop.step():
            pass
        for person in self.people:
            person.read(ALL)
            person.screen.check()
            assert person.screen.has(
                epoch=str(self.store.epoch),
                numbers=len(self.store.history),
                personal=len(self.store.mine.get(person.user, ())),
            )


def test_every_durable_event_comes_once_and_in_order_or_a_snapshot_says_so() -> None:
    run_state_machine_as_test(
        Evening,
        settings=settings(
            max_examples=ROUNDS,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("seed", range(20))
def test_the_same_holds_over_a_long_evening(seed: int) -> None:
    """Hypothesis tries what is odd and short; chance tries what is long."""
    live_through(Evening(), Random(seed), acts=LONG)


def live_through(evening: Evening, chance: Random, *, acts: int) -> None:
    """Do so many things in one evening, then see that everybody has everything."""
    evening.restarts = -acts
    for _ in range(acts):
        which, coin = chance.randrange(PEOPLE), chance.random() < 0.5
        match chance.choices(ACTS, WEIGHTS)[0]:
            case "give":
                evening.give(count=chance.choice([1, 1, 2, 5, MISSED_MAX + 1]), is_quick=coin)
            case "coupon":
                evening.send_coupon(person=which, count=1)
            case "talk":
                evening.talk(count=2)
            case "relay" if evening.store.outbox:
                evening.relay(count=chance.randint(1, 6), crashes=chance.random() < 0.3)
            case "repeat" if evening.recent:
                evening.repeat(first=chance.randint(0, 5))
            case "wait":
                evening.wait(seconds=chance.choice([0.0, 0.02, 0.1]))
            case "knock" if evening.outside():
                evening.knock(which=which, at_once=coin)
            case "come_in" if evening.knocking():
                evening.come_in(which=which)
            case "read" if evening.unread():
                evening.read(which=which, frames=chance.choice([1, 2, ALL]), stutters=coin)
            case "cut" if evening.inside():
                evening.cut(which=which, is_noticed=coin)
            case "notice" if evening.lingering:
                evening.notice()
            case "fill" if evening.inside():
                evening.fill(which=which)
            case "restart" if evening.unread():
                evening.restart(loses=chance.random() < 0.3)
            case _:
                pass
        evening.every_screen_is_in_order()
    evening.teardown()


LONG = 600
ACTS = (
    *("give", "coupon", "talk", "relay", "repeat", "wait", "knock", "come_in", "read"),
    *("cut", "notice", "fill", "restart"),
)
WEIGHTS = (6, 3, 2, 10, 3, 12, 10, 10, 14, 4, 4, 3, 1)
