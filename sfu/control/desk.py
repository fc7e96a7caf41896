"""All sessions of one process: who may open one, which datagram belongs to which, who ends when.

In: asks from HTTP, STUN and DTLS datagrams from the socket, track events from the engine,
moments. Out: replies and calls to the `Outlets`. Owns the table address -> session, which only
authenticated checks fill; everything without an entry there is dropped silently and counted.
No sockets and no clock.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Collection

from sfu.config import MediaConfig
from sfu.control.admission import Admission
from sfu.control.answer import Local, Negotiated, answer_publisher, answer_viewer, write_restart
from sfu.control.budget import Budget
from sfu.control.dtls import Certificate, Dtls, Role
from sfu.control.ice import SILENT_S, Credentials, Ice
from sfu.control.model import Address, Ask, Direction, MediaEvent, Opened, Outlets
from sfu.control.placing import Placing
from sfu.control.refusals import Refused
from sfu.control.route import Route
from sfu.control.sdp import Fragment, Offer, parse_offer
from sfu.control.session import HALF_OPEN, Input, Session, State
from sfu.media.engine import Engine
from sfu.media.model import (
    Kind,
    PictureEvent,
    RoomId,
    SessionId,
    SpeakerEvent,
    StageEvent,
    TrackChange,
    TrackEvent,
)
from sfu.packet.stun import parse_request, write_success

PUBLISHING_ROLES = frozenset({"host", "guest"})
SESSION_ID_BYTES = 16
UFRAG_BYTES = 8
PWD_BYTES = 16
CNAME_BYTES = 6
BITRATE_HEADROOM = 3.0
"""A publisher may send this many times the room's bitrate: encoders overshoot, repairs come on
top. Outcome beyond: dropped, `over_budget`."""
PUBLISHER_PACKETS_PER_S = 5_000
VIEWER_PACKETS_PER_S = 500
VIEWER_BYTES_PER_S = 64 * 1024
"""A viewer only reports; browsers send fewer than 50 small packets a second."""


class Desk:
    """The registry and referee of sessions.

    Args:
        config: limits.
        engine: told of every session.
        certificate: our identity in all handshakes.
        entropy: n -> n random bytes.
        outlets: where results go.

    """

    def __init__(
        self,
        config: MediaConfig,
        engine: Engine,
        certificate: Certificate,
        entropy: Callable[[int], bytes],
        outlets: Outlets,
    ) -> None:
        self._bitrate_bps = config.bitrate_bps
        self._engine = engine
        self._certificate = certificate
        self._contexts = {role: certificate.context(role) for role in Role}
        self._entropy = entropy
        self._outlets = outlets
        self._sessions: dict[SessionId, Session] = {}
        self._ufrags: dict[str, Session] = {}
        self._addresses: dict[Address, Session] = {}
        self.routes: dict[SessionId, Route] = {}
        """Where packets of each session that has keys and an address go."""
        self._publishers: dict[tuple[RoomId, str], Session] = {}
        self._hosts: dict[RoomId, Session] = {}
        self._playing: dict[SessionId, set[Kind]] = {}
        self._admission = Admission(config.limits)
        self._timers: list[tuple[float, SessionId]] = []
        self.placing = Placing(engine, self._publishers.values, self._sessions.values, outlets.act)
        """Whom the slots show."""
        self.candidates: tuple[tuple[str, int], ...] = ()
        """Our addresses as answers name them; set once the socket is bound."""
        self.dropped: Counter[str] = Counter()
        """Datagrams and handshakes that came to nothing, by reason."""

    # -- asks ---------------------------------------------------------------------------------

    def open(self, ask: Ask, *, now: float) -> Opened:
        """Open a session.

        Raises:
            Refused: nothing has changed then.

        """
        self._admit(ask)
        offer = parse_offer(ask.offer)
        session_id = SessionId(self._entropy(SESSION_ID_BYTES).hex())
        credentials = self._credentials()
        negotiated = self._negotiate(ask.direction, offer, credentials)
        session = Session(
            session_id,
            direction=ask.direction,
            room=ask.room,
            user=ask.user,
            role=ask.role,
            origin=ask.address,
            negotiated=negotiated,
            ice=Ice(credentials, negotiated.remote.ufrag),
            dtls=self._dtls(negotiated),
            budget=self._budget(ask.direction, now=now),
            now=now,
        )
        if ask.direction is Direction.PUBLISH:
            self._take_over(ask, now=now)
        self._register(session, now=now)
        return Opened(session_id, negotiated.sdp, etag(session))

    def find(self, session_id: str, *, direction: Direction, room: str, user: str) -> Session:
        """Return a session to the user it belongs to.

        Raises:
            Refused: `no_such_session`; others' sessions do not exist for a user.

        """
        session = self._sessions.get(SessionId(session_id))
        if session is None or (session.direction, session.room, session.user) != (
            direction,
            room,
            user,
        ):
            raise Refused("no_such_session")
        return session

    def restart_ice(self, session: Session, fragment: Fragment) -> bytes:
        """Give a session new ICE credentials; return the fragment that answers."""
        credentials = self._credentials()
        if session.ice.previous is not None:
            self._ufrags.pop(session.ice.previous[0].ufrag, None)
        session.ice.restart(credentials, fragment.ufrag)
        self._ufrags[credentials.ufrag] = session
        mid = session.negotiated.mids[0]
        return write_restart(self._local(credentials), mid)

    def close(self, session: Session, reason: str, *, now: float) -> None:
        """End a session at once: its peer is told, its addresses and keys are forgotten."""
        if not self._leave_state(session):
            return
        if session.ice.address is not None:
            for datagram in session.dtls.close():
                self._outlets.transmit(datagram, session.ice.address)
        self._unregister(session)
        output = self._engine.close(session.id, now=now)
        self._announce_end(session, reason)
        self._outlets.act(output)

    def close_all(self, reason: str, *, now: float) -> None:
        """End every session."""
        for session in list(self._sessions.values()):
            self.close(session, reason, now=now)

    # -- datagrams ----------------------------------------------------------------------------

    def session_at(self, address: Address) -> Session | None:
        """Return the session that an authenticated check from this address belongs to."""
        return self._addresses.get(address)

    def session(self, session_id: SessionId) -> Session | None:
        """Return a session by id."""
        return self._sessions.get(session_id)

    def sessions_of(self, room: RoomId, user: str, roles: Collection[str]) -> list[Session]:
        """List somebody's sessions in a room that were opened in one of some roles."""
        return [
            session
            for session in self._sessions.values()
            if session.room == room and session.user == user and session.role in roles
        ]

    def receive_check(self, data: bytes, address: Address, *, now: float) -> None:
        """Take a STUN datagram; only a genuine check is answered, all else is dropped."""
        request = parse_request(data)
        if request is None:
            self.dropped["stun_not_a_check"] += 1
            return
        session = self._ufrags.get(request.username.partition(":")[0])
        if session is None:
            self.dropped["stun_unknown_user"] += 1
            return
        previous = session.ice.previous
        password = session.ice.authenticate(request, data)
        if password is None:
            self.dropped["stun_not_authentic"] += 1
            return
        if previous is not None and session.ice.previous is None:
            self._ufrags.pop(previous[0].ufrag, None)
        if not self._claim(address, session, now=now):
            self.dropped["stun_address_taken"] += 1
            return
        was_new = session.state is State.NEW
        forgotten = session.checked(address, nominated=request.use_candidate, now=now)
        for old in forgotten:
            self._addresses.pop(old, None)
        self._addresses[address] = session
        self._reroute(session)
        reply = write_success(request.transaction, (address[0], address[1]), password)
        self._outlets.transmit(reply, address)
        if was_new:
            self._outlets.on_join_step("ice", now - session.opened_at)
            for datagram in session.begin_handshake(now=now):
                self._outlets.transmit(datagram, address)
        self._signed(session, now=now)
        self._arm(session)

    def receive_handshake(self, data: bytes, address: Address, *, now: float) -> None:
        """Take a DTLS datagram; from an address without an authenticated check it is nothing."""
        session = self._addresses.get(address)
        if session is None:
            self.dropped["dtls_unverified_address"] += 1
            return
        half_open = session.state in HALF_OPEN
        replies = session.handshake(data, address, now=now)
        if replies is None:
            self.dropped["dtls_other_address"] += 1
            return
        for datagram in replies:
            self._outlets.transmit(datagram, address)
        if session.dtls.failure is not None:
            self.dropped[session.dtls.failure] += 1
            self.close(session, session.dtls.failure, now=now)
        elif session.dtls.closed:
            self.close(session, "peer_closed", now=now)
        elif half_open and session.state is State.CONNECTED:
            self._connected(session, now=now)
        else:
            self._arm(session)

    def heard(self, session: Session, address: Address, size: int, *, now: float) -> bool:
        """Note an authenticated media packet; False when the session sends too much of them."""
        if not session.budget.take(size, now=now):
            self.dropped["over_budget"] += 1
            if session.budget.is_abused(now=now):
                self.close(session, "flood", now=now)
            return False
        session.heard(address, now=now)
        if session.state is State.SUSPENDED:
            self._signed(session, now=now)
        return True

    def stage_changed(self, event: StageEvent) -> None:
        """Turn the engine's news into news of people."""
        match event:
            case SpeakerEvent():
                self._speaker_changed(event)
            case PictureEvent():
                self._picture_changed(event)
            case TrackEvent():
                self._track_changed(event)

    def _picture_changed(self, event: PictureEvent) -> None:
        viewer = self._sessions.get(event.session)
        if viewer is not None:
            kind = "picture" if event.is_shown else "sound_only"
            detail = {"direction": str(viewer.direction), "slot": str(event.slot)}
            self._outlets.on_event(MediaEvent(kind, viewer.room, viewer.user, viewer.id, detail))

    def _speaker_changed(self, event: SpeakerEvent) -> None:
        speaker = None if event.session is None else self._sessions.get(event.session)
        user, session = ("", "") if speaker is None else (speaker.user, speaker.id)
        detail = {"direction": str(Direction.PUBLISH)}
        self._outlets.on_event(MediaEvent("speaker", event.room, user, session, detail))

    def _track_changed(self, event: TrackEvent) -> None:
        session = self._sessions.get(event.session)
        if session is None or session.direction is not Direction.PUBLISH:
            return
        playing = self._playing.setdefault(session.id, set())
        was_playing = bool(playing)
        if event.change is TrackChange.STARTED:
            playing.add(event.kind)
        else:
            playing.discard(event.kind)
        if bool(playing) == was_playing:
            return
        if playing:
            self._tell("live", session)
        else:
            self._tell("away", session, reason=str(event.change))

    # -- time ---------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """Return when `tick` wants to be called next."""
        return self._timers[0][0] if self._timers else None

    def tick(self, *, now: float) -> None:
        """Do what is due: flights again, suspensions, ends."""
        while self._timers and self._timers[0][0] <= now:
            due, session_id = heapq.heappop(self._timers)
            session = self._sessions.get(session_id)
            if session is None or session.armed != due:
                continue
            session.armed = None
            self._due(session, now=now)

    # -- numbers ------------------------------------------------------------------------------

    def count(self, room: str | None = None) -> int:
        """Return how many sessions there are, in one room or in all."""
        if room is None:
            return len(self._sessions)
        return sum(session.room == room for session in self._sessions.values())

    def in_room(self, room: RoomId) -> list[Session]:
        """Return a room's sessions."""
        return [session for session in self._sessions.values() if session.room == room]

    def counts(self) -> Counter[tuple[Direction, State]]:
        """Return how many sessions there are by direction and state."""
        return Counter((each.direction, each.state) for each in self._sessions.values())

    # -- inside -------------------------------------------------------------------------------

    def _admit(self, ask: Ask) -> None:
        if ask.direction is Direction.PUBLISH:
            if ask.role not in PUBLISHING_ROLES:
                raise Refused("forbidden")
            host = self._hosts.get(ask.room) if ask.role == "host" else None
            if host is not None and host.user != ask.user and host.state is not State.SUSPENDED:
                raise Refused("host_live")
        self._admission.check(ask.user, ask.address)

    def _negotiate(
        self, direction: Direction, offer: Offer, credentials: Credentials
    ) -> Negotiated:
        local = self._local(credentials)
        if direction is Direction.PUBLISH:
            return answer_publisher(offer, local)
        return answer_viewer(offer, local, self._new_ssrc)

    def _dtls(self, negotiated: Negotiated) -> Dtls:
        remote = negotiated.remote
        role = Role.CLIENT if remote.is_passive else Role.SERVER
        return Dtls(self._contexts[role], remote.fingerprints, role)

    def _budget(self, direction: Direction, *, now: float) -> Budget:
        if direction is Direction.PLAY:
            return Budget(VIEWER_PACKETS_PER_S, VIEWER_BYTES_PER_S, now=now)
        return Budget(PUBLISHER_PACKETS_PER_S, self._bitrate_bps / 8 * BITRATE_HEADROOM, now=now)

    def _take_over(self, ask: Ask, *, now: float) -> None:
        """End what the newcomer replaces: its own older session, or a host fallen silent."""
        older = {self._publishers.get((ask.room, ask.user))}
        if ask.role == "host":
            older.add(self._hosts.get(ask.room))
        for session in older:
            if session is not None:
                self.close(session, "taken_over", now=now)

    def _register(self, session: Session, *, now: float) -> None:
        negotiated = session.negotiated
        self._sessions[session.id] = session
        self._ufrags[session.ice.local.ufrag] = session
        self._admission.opened(session.user, session.origin)
        if session.direction is Direction.PUBLISH:
            self._publishers[session.room, session.user] = session
            if session.role == "host":
                self._hosts[session.room] = session
            self._engine.publish(session.id, session.room, negotiated.tracks, now=now)
        else:
            stage = self.placing.looks_at(session.room, session.user)
            self._engine.watch(session.id, stage, negotiated.legs, now=now)
        self._arm(session)
        self._tell("session_opened", session)

    def _unregister(self, session: Session) -> None:
        del self._sessions[session.id]
        self.routes.pop(session.id, None)
        self._ufrags.pop(session.ice.local.ufrag, None)
        if session.ice.previous is not None:
            self._ufrags.pop(session.ice.previous[0].ufrag, None)
        for address in session.ice.addresses:
            if self._addresses.get(address) is session:
                del self._addresses[address]
        if self._publishers.get((session.room, session.user)) is session:
            del self._publishers[session.room, session.user]
        if self._hosts.get(session.room) is session:
            del self._hosts[session.room]

    def _leave_state(self, session: Session) -> bool:
        """Move to CLOSED; False when it is closed already."""
        half_open = session.state in HALF_OPEN
        if not session.apply(Input.END):
            return False
        self._admission.closed(session.user, session.origin, half_open=half_open)
        return True

    def _announce_end(self, session: Session, reason: str) -> None:
        if self._playing.pop(session.id, None):
            self._tell("away", session, reason=reason)
        if session.direction is Direction.PUBLISH and session.role == "guest":
            self._tell("left", session, reason=reason)
        self._tell("session_closed", session, reason=reason)

    def _connected(self, session: Session, *, now: float) -> None:
        self._admission.connected(session.origin)
        self._reroute(session)
        self._outlets.on_join_step("dtls", now - (session.checked_at or session.opened_at))
        self._arm(session)
        self._outlets.act(self._engine.connect(session.id, now=now))
        if session.direction is Direction.PUBLISH:
            self.placing.connected(session, now=now)

    def _claim(self, address: Address, session: Session, *, now: float) -> bool:
        """Let a session take an address over only from one that is silent there (RFC 8445)."""
        owner = self._addresses.get(address)
        if owner is None or owner is session:
            return True
        if owner.ice.silent_for(address, now=now) < SILENT_S:
            return False
        owner.ice.forget(address)
        self._reroute(owner)
        return True

    def _reroute(self, session: Session) -> None:
        """Let the session's packets go where it is now, if it can be sent any."""
        address, srtp = session.ice.address, session.srtp
        if address is None or srtp is None:
            self.routes.pop(session.id, None)
            return
        route = self.routes.get(session.id)
        if route is None or route.address != address:
            self.routes[session.id] = Route(address, srtp, session.paddable)

    def _signed(self, session: Session, *, now: float) -> None:
        if session.state is State.SUSPENDED and session.apply(Input.SIGN):
            self._engine.resume(session.id, now=now)
            self._arm(session)

    def _due(self, session: Session, *, now: float) -> None:
        reason = session.expired(now=now)
        if reason is not None:
            self.dropped[reason] += 1
            self.close(session, reason, now=now)
            return
        if session.is_silent(now=now) and session.apply(Input.SILENT):
            self._engine.suspend(session.id, now=now)
        address = session.ice.address or session.dtls_address
        for datagram in session.dtls.tick(now=now):
            if address is not None:
                self._outlets.transmit(datagram, address)
        self._arm(session)

    def _arm(self, session: Session) -> None:
        due = session.deadline()
        if due is not None and (session.armed is None or due < session.armed):
            session.armed = due
            heapq.heappush(self._timers, (due, session.id))

    def _tell(self, kind: str, session: Session, reason: str | None = None) -> None:
        detail = {"direction": str(session.direction), "role": session.role}
        if reason is not None:
            detail["reason"] = reason
        self._outlets.on_event(MediaEvent(kind, session.room, session.user, session.id, detail))

    def _credentials(self) -> Credentials:
        return Credentials(self._entropy(UFRAG_BYTES).hex(), self._entropy(PWD_BYTES).hex())

    def _local(self, credentials: Credentials) -> Local:
        return Local(
            session_number=int.from_bytes(self._entropy(4), "big"),
            ufrag=credentials.ufrag,
            pwd=credentials.pwd,
            fingerprint=self._certificate.fingerprint,
            addresses=self.candidates,
            cname=self._entropy(CNAME_BYTES).hex(),
        )

    def _new_ssrc(self) -> int:
        # SSRC 0 is legal but some receivers treat it as unset.
        return int.from_bytes(self._entropy(4), "big") or 1


def etag(session: Session) -> str:
    """Name the ICE session: a strong entity tag (RFC 9725 section 4.3.1)."""
    return f'"{session.ice.local.ufrag}"'
