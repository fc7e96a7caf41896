"""Sessions under a clock of our own: who may open, who is alive, who ends when."""

import contextlib
import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.config import MediaConfig, MediaLimits
from sfu.control.desk import Desk
from sfu.control.dtls import HANDSHAKE_S, Dtls, Role
from sfu.control.model import Address, Ask, Direction, MediaEvent, Outlets
from sfu.control.refusals import Refused
from sfu.control.sdp import Fragment
from sfu.control.session import CLOSE_S, FIRST_CHECK_S, SUSPEND_S, State
from sfu.media.engine import Engine
from sfu.media.model import Kind, Output, RoomId, SessionId, TrackChange, TrackEvent
from sfu.packet.demux import Kind as Datagram
from sfu.packet.demux import demux
from sfu.packet.stun import parse_success, write_request
from tests.sfu.raw_peer import CERTIFICATE, offer_text

HERE: Address = ("192.0.2.1", 1000)
THERE: Address = ("192.0.2.1", 2000)
HELLO = Dtls(CERTIFICATE.context(Role.CLIENT), [], Role.CLIENT).start(now=0)[0]


@dataclass
class World:
    """A desk, what it sent and what it said."""

    limits: MediaLimits = field(default_factory=MediaLimits)
    sent: list[tuple[bytes, Address]] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    events: list[MediaEvent] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        counter = itertools.count(1)
        self.engine = Engine()
        self.desk = Desk(
            MediaConfig(limits=self.limits),
            self.engine,
            CERTIFICATE,
            lambda size: next(counter).to_bytes(size, "big"),
            Outlets(
                transmit=lambda data, address: self.sent.append((data, address)),
                act=self.outputs.append,
                on_event=self.events.append,
                on_join_step=lambda step, _seconds: self.steps.append(step),
            ),
        )
        self.desk.candidates = (("192.0.2.100", 8082),)

    def open(
        self,
        *,
        now: float = 0,
        user: str = "u",
        role: str = "host",
        direction: Direction = Direction.PUBLISH,
        address: str = "192.0.2.1",
        room: str = "r",
    ) -> SessionId:
        wanted = "sendonly" if direction is Direction.PUBLISH else "recvonly"
        ask = Ask(
            direction=direction,
            room=RoomId(room),
            user=user,
            role=role,
            address=address,
            offer=offer_text(direction=wanted).encode(),
        )
        return self.desk.open(ask, now=now).session

    def check(
        self, session: SessionId, *, now: float, address: Address = HERE, nominate: bool = True
    ) -> None:
        found = self.desk.session(session)
        assert found is not None
        local = found.ice.local
        request = write_request(
            bytes(12),
            username=f"{local.ufrag}:peer",
            password=local.pwd,
            priority=1,
            use_candidate=nominate,
            controlling=1,
        )
        self.desk.receive_check(request, address, now=now)

    def connect(self, session: SessionId, *, now: float, address: Address = HERE) -> Dtls:
        self.check(session, now=now, address=address)
        end = Dtls(CERTIFICATE.context(Role.CLIENT), [CERTIFICATE.fingerprint], Role.CLIENT)
        flight = end.start(now=now)
        while flight:
            self.sent.clear()
            for datagram in flight:
                self.desk.receive_handshake(datagram, address, now=now)
            flight = [
                reply
                for data, _ in self.sent
                if demux(data) is Datagram.DTLS
                for reply in end.receive(data, now=now)
            ]
        assert end.keys is not None
        return end

    def state(self, session: SessionId) -> State:
        found = self.desk.session(session)
        return State.CLOSED if found is None else found.state

    def reasons(self) -> list[str]:
        return [event.detail["reason"] for event in self.events if event.kind == "session_closed"]


@pytest.fixture
def world() -> World:
    return World()


def test_a_session_goes_from_new_to_connected(world: World) -> None:
    session = world.open()
    assert world.state(session) is State.NEW
    world.check(session, now=1)
    assert world.state(session) is State.CHECKED
    assert parse_success(world.sent[-1][0]) is not None
    world.connect(session, now=1)
    assert world.state(session) is State.CONNECTED
    assert world.steps == ["ice", "dtls"]


def test_without_a_check_it_ends(world: World) -> None:
    session = world.open()
    world.desk.tick(now=FIRST_CHECK_S - 0.1)
    assert world.state(session) is State.NEW
    assert world.desk.deadline() == FIRST_CHECK_S
    world.desk.tick(now=FIRST_CHECK_S)
    assert world.state(session) is State.CLOSED
    assert world.reasons() == ["no_check"]


def test_without_a_handshake_it_ends(world: World) -> None:
    session = world.open()
    world.check(session, now=5)
    world.check(session, now=5 + HANDSHAKE_S - 1)
    world.desk.tick(now=5 + HANDSHAKE_S)
    assert world.state(session) is State.CLOSED
    assert world.reasons() == ["handshake_timeout"]


def test_silence_suspends_then_one_check_resumes(world: World) -> None:
    session = world.open()
    world.connect(session, now=0)
    world.desk.tick(now=SUSPEND_S)
    assert world.state(session) is State.SUSPENDED
    stats = world.engine.session_stats(session)
    assert stats is not None
    assert stats.suspended
    world.check(session, now=SUSPEND_S + 1)
    assert world.state(session) is State.CONNECTED
    stats = world.engine.session_stats(session)
    assert stats is not None
    assert not stats.suspended


def test_silence_closes_in_the_end(world: World) -> None:
    session = world.open()
    world.connect(session, now=0)
    for now in (SUSPEND_S, CLOSE_S - 0.1, CLOSE_S):
        world.desk.tick(now=now)
    assert world.state(session) is State.CLOSED
    assert world.reasons() == ["silent"]
    assert world.desk.deadline() is None


def test_media_alone_keeps_a_session_alive(world: World) -> None:
    """libnice stops sending authenticated checks after nomination."""
    session = world.open()
    world.connect(session, now=0)
    found = world.desk.session(session)
    assert found is not None
    for now in range(5, 120, 5):
        world.desk.heard(found, HERE, 100, now=now)
        world.desk.tick(now=now)
    assert world.state(session) is State.CONNECTED


def test_media_resumes_a_suspended_session(world: World) -> None:
    session = world.open()
    world.connect(session, now=0)
    world.desk.tick(now=SUSPEND_S)
    found = world.desk.session(session)
    assert found is not None
    world.desk.heard(found, HERE, 100, now=SUSPEND_S + 1)
    assert world.state(session) is State.CONNECTED


def test_an_unauthenticated_check_is_no_sign_of_life(world: World) -> None:
    session = world.open()
    world.connect(session, now=0)
    found = world.desk.session(session)
    assert found is not None
    forged = write_request(
        bytes(12), username=f"{found.ice.local.ufrag}:peer", password="x", priority=1, controlling=1
    )
    world.sent.clear()
    world.desk.receive_check(forged, HERE, now=SUSPEND_S - 1)
    world.desk.tick(now=SUSPEND_S)
    assert world.state(session) is State.SUSPENDED
    assert world.sent == []
    assert world.desk.dropped["stun_not_authentic"] == 1


def test_a_handshake_needs_a_checked_address(world: World) -> None:
    session = world.open()
    world.check(session, now=0)
    hello = Dtls(CERTIFICATE.context(Role.CLIENT), [], Role.CLIENT).start(now=0)
    world.sent.clear()
    world.desk.receive_handshake(hello[0], THERE, now=0)
    assert world.sent == []
    assert world.desk.dropped["dtls_unverified_address"] == 1
    assert world.state(session) is State.CHECKED


def test_a_second_hello_from_another_checked_address_is_ignored(world: World) -> None:
    session = world.open()
    world.check(session, now=0, address=HERE)
    world.check(session, now=0, address=THERE, nominate=False)
    hello = Dtls(CERTIFICATE.context(Role.CLIENT), [], Role.CLIENT).start(now=0)
    world.desk.receive_handshake(hello[0], HERE, now=0)
    world.sent.clear()
    world.desk.receive_handshake(hello[0], THERE, now=0)
    assert world.sent == []
    assert world.desk.dropped["dtls_other_address"] == 1


def test_a_session_takes_an_address_only_from_one_silent_there(world: World) -> None:
    first = world.open(user="a", role="guest")
    second = world.open(user="b", role="guest")
    world.check(first, now=0)
    world.check(second, now=0.1)
    found = world.desk.session_at(HERE)
    assert found is not None
    assert found.id == first
    assert world.desk.dropped["stun_address_taken"] == 1
    world.check(second, now=1)
    found = world.desk.session_at(HERE)
    assert found is not None
    assert found.id == second


def test_a_closed_session_leaves_nothing_behind(world: World) -> None:
    session = world.open()
    world.connect(session, now=0)
    found = world.desk.session(session)
    assert found is not None
    local = found.ice.local
    world.desk.close(found, "deleted", now=1)
    world.desk.close(found, "deleted", now=1)
    assert world.reasons() == ["deleted"]
    assert world.desk.session_at(HERE) is None
    assert world.desk.count() == 0
    assert world.engine.stats().publishers == 0
    late = write_request(
        bytes(12), username=f"{local.ufrag}:peer", password=local.pwd, priority=1, controlling=1
    )
    world.sent.clear()
    world.desk.receive_check(late, HERE, now=2)
    assert world.sent == []


def test_a_host_is_live_while_any_track_plays(world: World) -> None:
    session = world.open()
    world.connect(session, now=0)

    def track(kind: Kind, change: TrackChange) -> None:
        world.desk.stage_changed(TrackEvent(session, RoomId("r"), kind, change))

    track(Kind.AUDIO, TrackChange.STARTED)
    track(Kind.VIDEO, TrackChange.STARTED)
    track(Kind.VIDEO, TrackChange.STALLED)
    assert [event.kind for event in world.events] == ["session_opened", "live"]
    track(Kind.AUDIO, TrackChange.STALLED)
    track(Kind.AUDIO, TrackChange.STARTED)
    assert [event.kind for event in world.events][2:] == ["away", "live"]
    assert world.events[2].detail["reason"] == "stalled"


def test_a_suspended_host_gives_way_to_another(world: World) -> None:
    session = world.open(user="gone")
    world.connect(session, now=0)
    with pytest.raises(Refused, match="host_live"):
        world.open(user="next", now=1)
    world.desk.tick(now=SUSPEND_S)
    world.open(user="next", now=SUSPEND_S)
    assert world.reasons() == ["taken_over"]


def test_a_guest_and_a_host_do_not_displace_each_other(world: World) -> None:
    world.open(user="h", role="host")
    world.open(user="g", role="guest")
    assert world.desk.count("r") == 2
    world.open(user="g", role="guest")
    assert world.reasons() == ["taken_over"]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (MediaLimits(sessions=2), "full"),
        (MediaLimits(half_open=2), "full"),
        (MediaLimits(sessions_per_user=2), "rate"),
        (MediaLimits(sessions_per_address=2), "rate"),
        (MediaLimits(half_open_per_address=2), "rate"),
    ],
)
def test_every_limit_holds_and_frees(limits: MediaLimits, expected: str) -> None:
    world = World(limits)
    sessions = [world.open(direction=Direction.PLAY, role="viewer") for _ in range(2)]
    with pytest.raises(Refused) as caught:
        world.open(direction=Direction.PLAY, role="viewer")
    assert caught.value.code == expected
    found = world.desk.session(sessions[0])
    assert found is not None
    world.desk.close(found, "deleted", now=0)
    world.open(direction=Direction.PLAY, role="viewer")


def test_connected_sessions_are_not_half_open() -> None:
    world = World(MediaLimits(half_open_per_address=1))
    for port in range(1, 4):
        session = world.open(direction=Direction.PLAY, role="viewer")
        world.connect(session, now=0, address=("192.0.2.1", port))
    assert world.desk.count() == 3


def test_a_publisher_far_over_the_rooms_bitrate_is_cut_down_then_off(world: World) -> None:
    session = world.open()
    world.connect(session, now=0)
    found = world.desk.session(session)
    assert found is not None
    taken = 0
    for step in range(1, 2000):
        now = step / 100
        taken += sum(world.desk.heard(found, HERE, 1200, now=now) for _ in range(40))
        if world.state(session) is State.CLOSED:
            break
    assert world.reasons() == ["flood"]
    assert taken * 1200 * 8 / now < 4_000_000 * 3 * 1.3


def test_a_flooding_viewer_does_not_touch_another(world: World) -> None:
    loud = world.open(user="loud", role="viewer", direction=Direction.PLAY)
    calm = world.open(user="calm", role="viewer", direction=Direction.PLAY)
    world.connect(loud, now=0, address=HERE)
    world.connect(calm, now=0, address=THERE)
    one, other = world.desk.session(loud), world.desk.session(calm)
    assert one is not None
    assert other is not None
    taken = sum(world.desk.heard(one, HERE, 60, now=0.5) for _ in range(10_000))
    assert taken <= 1_000
    assert world.desk.heard(other, THERE, 60, now=0.5)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["open-host", "open-guest", "open-viewer", "check", "garbage", "hello"])
        | st.sampled_from(["heard", "close", "tick", "restart"]),
        st.integers(0, 5),
        st.sampled_from([HERE, THERE, ("192.0.2.9", 9)]),
        st.floats(0, 20),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_the_tables_agree_whatever_happens(steps: list[tuple[str, int, Address, float]]) -> None:
    """Every address leads to an open session, and engine and counters know the same ones."""
    world = World()
    desk = world.desk
    opened: list[SessionId] = []
    now = 0.0
    for name, which, address, elapsed in steps:
        now += elapsed
        session = desk.session(opened[which % len(opened)]) if opened else None
        if name.startswith("open-"):
            role = name.removeprefix("open-")
            direction = Direction.PLAY if role == "viewer" else Direction.PUBLISH
            with contextlib.suppress(Refused):
                opened.append(world.open(now=now, user=f"u{which}", role=role, direction=direction))
        elif name == "garbage":
            desk.receive_check(bytes(20), address, now=now)
            desk.receive_handshake(bytes(20), address, now=now)
        elif name == "hello":
            desk.receive_handshake(HELLO, address, now=now)
        elif name == "tick":
            desk.tick(now=now)
        elif session is not None and name == "check":
            world.check(session.id, now=now, address=address, nominate=which % 2 == 0)
        elif session is not None and name == "heard":
            desk.heard(session, address, 100, now=now)
        elif session is not None and name == "close":
            desk.close(session, "test", now=now)
        elif session is not None and name == "restart":
            desk.restart_ice(session, Fragment("fresh", "f" * 22, 0))
        known = {s for s in opened if desk.session(s) is not None}
        assert {each.id for each in desk._addresses.values()} <= known
        assert {each.id for each in desk._ufrags.values()} == known
        stats = world.engine.stats()
        assert desk.count() == len(known) == stats.publishers + stats.viewers
    desk.close_all("end", now=now)
    assert not desk._addresses
    assert not desk._ufrags
    assert not desk._hosts
    assert not desk._publishers
    assert not desk._playing
    desk.tick(now=now + CLOSE_S)
    assert desk.deadline() is None
