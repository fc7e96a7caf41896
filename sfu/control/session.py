"""One WHIP or WHEP session: its states, its deadlines, its ICE, DTLS and SRTP.

In: checks, handshake datagrams, signs of life, moments. Out: datagrams to send and the state
that follows. The table below is the whole life of a session; who owns sessions and what the
engine must know is `desk`.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from sfu.control.answer import Negotiated
from sfu.control.budget import Budget
from sfu.control.dtls import HANDSHAKE_S, Dtls, Role
from sfu.control.ice import Ice
from sfu.control.model import Address, Direction
from sfu.media.model import LegSpec, RoomId, SessionId
from sfu.packet.srtp import Srtp

FIRST_CHECK_S = 30.0
"""From the answer to the first check; outcome when passed: closed, `no_check`."""
SUSPEND_S = 15.0
"""Silence after which nothing is sent any more; one sign of life brings it back."""
CLOSE_S = 40.0
"""Silence after which the session is closed, `silent`."""


class State(StrEnum):
    """Where a session stands."""

    NEW = "new"
    CHECKED = "checked"
    HANDSHAKING = "handshaking"
    CONNECTED = "connected"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class Input(StrEnum):
    """What can happen to a session."""

    CHECK = "check"
    HELLO = "hello"
    KEYED = "keyed"
    SILENT = "silent"
    SIGN = "sign"
    END = "end"


TABLE: Mapping[tuple[State, Input], State] = {
    (State.NEW, Input.CHECK): State.CHECKED,
    (State.CHECKED, Input.HELLO): State.HANDSHAKING,
    (State.HANDSHAKING, Input.KEYED): State.CONNECTED,
    (State.CONNECTED, Input.SILENT): State.SUSPENDED,
    (State.SUSPENDED, Input.SIGN): State.CONNECTED,
    (State.NEW, Input.END): State.CLOSED,
    (State.CHECKED, Input.END): State.CLOSED,
    (State.HANDSHAKING, Input.END): State.CLOSED,
    (State.CONNECTED, Input.END): State.CLOSED,
    (State.SUSPENDED, Input.END): State.CLOSED,
}
"""A pair that is not listed changes nothing."""

HALF_OPEN = frozenset({State.NEW, State.CHECKED, State.HANDSHAKING})


class Session:
    """One peer's session.

    Args:
        session_id: unguessable name, part of the session's URL.
        direction: publish or play.
        room: where.
        user: whose it is; only that user may change or end it.
        role: "host", "guest" or any viewer's.
        origin: the host the HTTP request came from.
        negotiated: what offer and answer agreed on.
        ice: its lite ICE agent.
        dtls: its handshake.
        budget: how much it may send.
        now: the moment it is opened.

    """

    __slots__ = (
        "armed",
        "budget",
        "checked_at",
        "direction",
        "dtls",
        "dtls_address",
        "first_packet_seen",
        "ice",
        "id",
        "keyed_at",
        "last_sign",
        "negotiated",
        "opened_at",
        "origin",
        "paddable",
        "role",
        "room",
        "srtp",
        "state",
        "user",
    )

    def __init__(
        self,
        session_id: SessionId,
        *,
        direction: Direction,
        room: RoomId,
        user: str,
        role: str,
        origin: str,
        negotiated: Negotiated,
        ice: Ice,
        dtls: Dtls,
        budget: Budget,
        now: float,
    ) -> None:
        self.id = session_id
        self.direction = direction
        self.room = room
        self.user = user
        self.role = role
        self.origin = origin
        self.negotiated = negotiated
        self.paddable = paddable_ssrcs(negotiated.legs)
        """SSRCs whose packets may get RTP padding on their way out."""
        self.ice = ice
        self.dtls = dtls
        self.budget = budget
        self.srtp: Srtp | None = None
        self.state = State.NEW
        self.opened_at = now
        self.checked_at: float | None = None
        self.keyed_at: float | None = None
        self.last_sign = now
        self.dtls_address: Address | None = None
        self.first_packet_seen = False
        self.armed: float | None = None
        """When the desk's timer looks at this session next."""

    @property
    def is_connected(self) -> bool:
        """Whether its keys are there and it is not over."""
        return self.state in (State.CONNECTED, State.SUSPENDED)

    @property
    def is_viewing(self) -> bool:
        """Whether it is there to be shown something, now or once it has connected."""
        return self.direction is Direction.PLAY and self.state is not State.CLOSED

    def apply(self, happened: Input) -> bool:
        """Move to the next state; say whether it changed."""
        following = TABLE.get((self.state, happened))
        if following is None:
            return False
        self.state = following
        return True

    def checked(self, address: Address, *, nominated: bool, now: float) -> tuple[Address, ...]:
        """Take an authenticated check; return the addresses forgotten for it."""
        if self.checked_at is None:
            self.checked_at = now
        self.last_sign = now
        self.apply(Input.CHECK)
        return self.ice.learn(address, nominated=nominated, now=now)

    def begin_handshake(self, *, now: float) -> list[bytes]:
        """Return the first flight if it is on us to begin and there is an address to begin with."""
        if self.dtls.role is Role.SERVER or self.state is not State.CHECKED:
            return []
        self.dtls_address = self.ice.address
        self.apply(Input.HELLO)
        return self.dtls.start(now=now)

    def heard(self, address: Address, *, now: float) -> None:
        """Note an authenticated media packet: a sign of life, never a move."""
        self.last_sign = now
        self.ice.heard(address, now=now)

    def handshake(self, data: bytes, address: Address, *, now: float) -> list[bytes] | None:
        """Take a DTLS datagram; return what to answer, None when the address may not ask.

        The handshake belongs to the address that began it, or to the one ICE chose since.
        """
        if self.dtls_address not in (None, address) and address != self.ice.address:
            return None
        self.dtls_address = address
        self.apply(Input.HELLO)
        replies = self.dtls.receive(data, now=now)
        keys = self.dtls.keys
        if keys is not None and self.srtp is None and self.dtls.failure is None:
            self.srtp = Srtp(keys.profile, keys.local, keys.remote)
            self.keyed_at = now
            self.last_sign = now
            self.apply(Input.KEYED)
        return replies

    def deadline(self) -> float | None:
        """Return when `due` has something to say next."""
        match self.state:
            case State.NEW:
                return self.opened_at + FIRST_CHECK_S
            case State.CHECKED | State.HANDSHAKING:
                ends = (self.checked_at or self.opened_at) + HANDSHAKE_S
                again = self.dtls.deadline()
                return ends if again is None else min(ends, again)
            case State.CONNECTED:
                return self.last_sign + SUSPEND_S
            case State.SUSPENDED:
                return self.last_sign + CLOSE_S
            case State.CLOSED:
                return None

    def expired(self, *, now: float) -> str | None:
        """Return the reason to close a session whose time is over."""
        match self.state:
            case State.NEW if now >= self.opened_at + FIRST_CHECK_S:
                return "no_check"
            case State.CHECKED | State.HANDSHAKING if now >= (
                (self.checked_at or self.opened_at) + HANDSHAKE_S
            ):
                return "handshake_timeout"
            case State.CONNECTED | State.SUSPENDED if now >= self.last_sign + CLOSE_S:
                return "silent"
            case _:
                return None

    def is_silent(self, *, now: float) -> bool:
        """Say whether a connected session has been silent for long enough to suspend it."""
        return self.state is State.CONNECTED and now >= self.last_sign + SUSPEND_S


def paddable_ssrcs(legs: Iterable[LegSpec]) -> tuple[bytes, ...]:
    """Return the SSRCs, as on the wire, under which no number is ever sent twice.

    A leg repairs by a retransmission stream where it has one; else it sends the very same
    packet again, and what padding that one had depended on its neighbours.
    """
    return tuple(
        ssrc.to_bytes(4, "big")
        for leg in legs
        if leg.rtx_ssrc is not None
        and all(number in leg.rtx for number in leg.payload_types.values())
        for ssrc in (leg.ssrc, leg.rtx_ssrc)
    )
