"""One connection's conversation as a table: state and message in, actions out.

    waiting --hello--> entering --entered()--> live --close--> closing

The shell feeds frames and time and carries the actions out; whatever needs the outside world
(verify a token, enter a room, carry out a command) is an action that it answers by a call.
Nothing here knows a socket, a clock, a token or a service.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

import msgspec

from liveroom.domain.refusals import REFUSALS, Refused
from liveroom.protocol.closing import EXPIRED, PROTOCOL, RATE
from liveroom.protocol.codec import Codec, Unusable, WireError
from liveroom.protocol.limits import Allowance, Kind
from liveroom.protocol.messages import (
    Ask,
    ClientMessage,
    Command,
    Gift,
    Hello,
    Like,
    Message,
    No,
    Ping,
    Pong,
    Say,
    Token,
)
from liveroom.protocol.text import clean

HELLO_WITHIN_S = 5.0
"""The first frame must be there by then, else 4106."""

IN_FLIGHT_MAX = 32
"""Commands of one connection being carried out; further ones are refused with `rate`."""

IN_FLIGHT_RETRY_MS = 500


class State(Enum):
    """Where the conversation stands."""

    WAITING = "waiting"
    ENTERING = "entering"
    LIVE = "live"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Enter:
    """Verify the token and let them in, then call `entered`, or close."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Renew:
    """Verify another token of the same user, then call `renewed`, or close."""

    message: Token


@dataclass(frozen=True, slots=True)
class Submit:
    """Carry out a command (its text is clean), in order, then call `carried_out`."""

    command: Command


@dataclass(frozen=True, slots=True)
class Answer:
    """Send a message back."""

    message: Message


@dataclass(frozen=True, slots=True)
class Close:
    """Say bye and close; `why` replaces the table's sentence."""

    code: int
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """Count a frame that asks for nothing we know."""


Action = Enter | Renew | Submit | Answer | Close | Ignored
Actions = tuple[Action, ...]

NOTHING: Actions = ()


class Session:
    """The state of one connection.

    Args:
        codec: the subprotocol.
        now: when the connection was opened (monotonic seconds).

    """

    __slots__ = ("_allowance", "_codec", "_deadline", "_in_flight", "state")

    def __init__(self, codec: Codec, *, now: float) -> None:
        self._codec = codec
        self.state = State.WAITING
        self._deadline: float | None = now + HELLO_WITHIN_S
        self._allowance: Allowance | None = None
        self._in_flight = 0

    def receive(self, data: str | bytes, *, now: float, at: int) -> Actions:
        """Take one frame; `at` is UTC milliseconds."""
        if self.state is State.CLOSING:
            return NOTHING
        try:
            message = self._codec.decode(data)
        except WireError as error:
            return self._close(error.code, error.why)
        if isinstance(message, Unusable):
            return self._unusable(message, now=now)
        return _TABLE[self.state, type(message)](self, message, now, at)

    def tick(self, *, now: float) -> Actions:
        """Do what time demands."""
        if self._deadline is None or now < self._deadline or self.state is State.CLOSING:
            return NOTHING
        if self.state is State.WAITING:
            return self._close(PROTOCOL, f"No hello within {HELLO_WITHIN_S:g} seconds.")
        return self._close(EXPIRED)

    def deadline(self) -> float | None:
        """Say when `tick` has something to do."""
        return None if self.state is State.CLOSING else self._deadline

    def entered(self, allowance: Allowance, *, expires: float | None) -> None:
        """Go live; `expires` is when the token does (monotonic seconds, None = never)."""
        assert self.state is State.ENTERING, self.state
        self.state = State.LIVE
        self._allowance = allowance
        self._deadline = expires

    def renewed(self, *, expires: float | None) -> None:
        """Live on with the new token's expiry."""
        self._deadline = expires

    def carried_out(self) -> None:
        """Make room for another command."""
        assert self._in_flight > 0
        self._in_flight -= 1

    def closing(self) -> None:
        """Note that the connection is being closed, by whomever."""
        self.state = State.CLOSING

    # What the table points to.

    def _hello(self, message: Hello, _now: float, _at: int) -> Actions:
        self.state = State.ENTERING
        self._deadline = None  # the shell bounds the entry itself
        return (Enter(message),)

    def _say(self, message: Say, now: float, _at: int) -> Actions:
        refused = self._over_rate(Kind.SAY, message.id, now)
        if refused is not None:
            return refused
        try:
            text = clean(message.text)
        except Refused as refusal:
            return (Answer(No(id=message.id, code=refusal.code, why=refusal.why)),)
        return self._submit(msgspec.structs.replace(message, text=text), message.id)

    def _like(self, message: Like, now: float, _at: int) -> Actions:
        assert self._allowance is not None
        admission = self._allowance.admit(Kind.LIKE, now=now, count=message.n)
        if admission.abusive:
            return self._close(RATE)
        # Likes have no order among commands and need no answer, so they hold no place.
        likes: Actions = (Submit(Like(n=admission.admitted)),) if admission.admitted else ()
        if admission.admitted < message.n:
            likes += (Answer(_too_fast(admission.retry_ms)),)
        return likes

    def _gift(self, message: Gift, now: float, _at: int) -> Actions:
        refused = self._over_rate(Kind.GIFT, message.id, now)
        return self._submit(message, message.id) if refused is None else refused

    def _ask(self, message: Ask, now: float, _at: int) -> Actions:
        refused = self._over_rate(Kind.ASK, message.id, now)
        return self._submit(message, message.id) if refused is None else refused

    def _renew(self, message: Token, now: float, _at: int) -> Actions:
        refused = self._over_rate(Kind.OTHER, message.id, now)
        return (Renew(message),) if refused is None else refused

    def _ping(self, _message: Ping, now: float, at: int) -> Actions:
        if self._allowance is not None:
            refused = self._over_rate(Kind.OTHER, None, now)
            if refused is not None:
                return refused
        return (Answer(Pong(at=at)),)

    def _too_early(self, message: ClientMessage, _now: float, _at: int) -> Actions:
        why = "Wait for welcome before the first command."
        return (Answer(_no(getattr(message, "id", None), "bad_request", why)),)

    def _no_hello(self, _message: ClientMessage, _now: float, _at: int) -> Actions:
        return self._close(PROTOCOL, "The first frame must be hello.")

    def _hello_again(self, _message: Hello, _now: float, _at: int) -> Actions:
        return self._close(PROTOCOL, "hello comes once; open another connection.")

    # Helpers of those.

    def _submit(self, command: Command, id_: str) -> Actions:
        if self._in_flight >= IN_FLIGHT_MAX:
            return (Answer(_too_fast(IN_FLIGHT_RETRY_MS, id_)),)
        self._in_flight += 1
        return (Submit(command),)

    def _over_rate(self, kind: Kind, id_: str | None, now: float) -> Actions | None:
        assert self._allowance is not None
        admission = self._allowance.admit(kind, now=now)
        if admission.abusive:
            return self._close(RATE)
        if not admission.admitted:
            return (Answer(_too_fast(admission.retry_ms, id_)),)
        return None

    def _unusable(self, message: Unusable, *, now: float) -> Actions:
        if self.state is State.WAITING:
            return self._close(PROTOCOL, "The first frame must be hello.")
        if self._allowance is not None:
            refused = self._over_rate(Kind.OTHER, message.id, now)
            if refused is not None:
                return refused
        if message.silent:
            return (Ignored(),)
        return (Answer(_no(message.id, message.code, message.why)),)

    def _close(self, code: int, why: str | None = None) -> Actions:
        self.state = State.CLOSING
        return (Close(code, why),)


def _no(id_: str | None, code: str, why: str | None) -> No:
    sentence = why or REFUSALS[code].why
    return No(id=msgspec.UNSET if id_ is None else id_, code=code, why=sentence)


def _too_fast(retry_ms: int, id_: str | None = None) -> No:
    return msgspec.structs.replace(_no(id_, "rate", None), retry_ms=retry_ms)


_Row = Callable[..., Actions]

_TABLE: Final[dict[tuple[State, type[Message]], _Row]] = {
    (State.WAITING, Hello): Session._hello,
    (State.WAITING, Say): Session._no_hello,
    (State.WAITING, Like): Session._no_hello,
    (State.WAITING, Gift): Session._no_hello,
    (State.WAITING, Ask): Session._no_hello,
    (State.WAITING, Token): Session._no_hello,
    (State.WAITING, Ping): Session._no_hello,
    (State.ENTERING, Hello): Session._hello_again,
    (State.ENTERING, Say): Session._too_early,
    (State.ENTERING, Like): Session._too_early,
    (State.ENTERING, Gift): Session._too_early,
    (State.ENTERING, Ask): Session._too_early,
    (State.ENTERING, Token): Session._too_early,
    (State.ENTERING, Ping): Session._ping,
    (State.LIVE, Hello): Session._hello_again,
    (State.LIVE, Say): Session._say,
    (State.LIVE, Like): Session._like,
    (State.LIVE, Gift): Session._gift,
    (State.LIVE, Ask): Session._ask,
    (State.LIVE, Token): Session._renew,
    (State.LIVE, Ping): Session._ping,
}
