"""Why a websocket is closed: one table of numbers, reasons and whether to come back.

The shell sends `bye` with the row's number and sentence before each close it starts. Numbers
are never reused. Chance is passed in, so that everybody does not return at the same moment.
"""

from dataclasses import dataclass

TOO_LARGE = 1009
INTERNAL = 1011
MOVE = 4000
SLOW = 4001
RESTART = 4002
FULL = 4003
RATE = 4008
BAD_TOKEN = 4100
EXPIRED = 4101
OTHER_ROOM = 4102
KICKED = 4103
BANNED = 4104
ENDED = 4105
PROTOCOL = 4106

REASON_BYTES_MAX = 123
"""RFC 6455 section 5.5: a control frame carries at most 125 bytes, two of them the code."""


@dataclass(frozen=True, slots=True)
class Closing:
    """One row: the sentence, and between which delays the client may come back (None = not)."""

    why: str
    after_ms: tuple[int, int] | None = None

    @property
    def may_return(self) -> bool:
        """Whether reconnecting with the same token can help."""
        return self.after_ms is not None


CLOSINGS: dict[int, Closing] = {
    1002: Closing("The frames break RFC 6455; correct the client."),
    1007: Closing("A text frame is not UTF-8; correct the client."),
    TOO_LARGE: Closing("The message is larger than 16 KiB; send smaller ones."),
    INTERNAL: Closing("Something broke on our side; come back.", (1_000, 5_000)),
    MOVE: Closing("This server stops; come back.", (0, 2_000)),
    SLOW: Closing("You read too slowly and fell behind; come back and resume.", (500, 3_000)),
    RESTART: Closing("The room is restarting; come back.", (1_000, 5_000)),
    FULL: Closing("Too many connections; close one or come back later.", (5_000, 30_000)),
    RATE: Closing("Far too fast for too long; come back slower.", (10_000, 30_000)),
    BAD_TOKEN: Closing("The token is not valid here; ask the shop's backend for a new one."),
    EXPIRED: Closing("The token has expired; come back with a new one."),
    OTHER_ROOM: Closing("The token does not open this room; ask for one that does."),
    KICKED: Closing("A moderator removed you from the room."),
    BANNED: Closing("You may not enter this room any more."),
    ENDED: Closing("The room has ended."),
    PROTOCOL: Closing("The message is not part of the protocol; see the documentation."),
}


def closing_of(code: int) -> Closing:
    """Find the row of a code; an unknown one counts as our fault."""
    return CLOSINGS.get(code, CLOSINGS[INTERNAL])


def after_ms(code: int, *, chance: float) -> int | None:
    """Say when to come back, spread by `chance` in [0, 1); None = do not."""
    window = closing_of(code).after_ms
    if window is None:
        return None
    earliest, latest = window
    return earliest + int((latest - earliest) * chance)


def reason_of(why: str) -> str:
    """Cut a sentence to what a close frame can carry, never inside a character."""
    return why.encode()[:REASON_BYTES_MAX].decode("utf-8", "ignore")


REFUSED_ENTRY: dict[str, int] = {
    "no_token": BAD_TOKEN,
    "bad_token": BAD_TOKEN,
    "expired": EXPIRED,
    "other_room": OTHER_ROOM,
    "no_such_room": OTHER_ROOM,
    "forbidden": OTHER_ROOM,
    "anonymous": BAD_TOKEN,
    "kicked": KICKED,
    "banned": BANNED,
    "ended": ENDED,
    "full": FULL,
    "rate": RATE,
    "unavailable": RESTART,
    "invalid": PROTOCOL,
    "bad_request": PROTOCOL,
}
"""With which code a refused entry (`Refused.code`) ends the connection."""


def code_of(refused: str) -> int:
    """Translate the refusal of an entry into a close code."""
    return REFUSED_ENTRY.get(refused, INTERNAL)
