"""Order in a room: who may do what to whom, what binds whom, and the rules a room sets.

`POWERS` is the whole answer to "may they"; services read it and carry it out. A sanction binds
those who stand below the one who imposed it, whatever token they come back with. Pure: no
clock, no store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from liveroom.domain.actors import Role
from liveroom.domain.ids import EventId, RoomId, UserId
from liveroom.domain.refusals import Refused

MINUTE_MS: Final = 60 * 1000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
MUTE_DEFAULT_MS: Final = 10 * MINUTE_MS
KICK_DEFAULT_MS: Final = 10 * MINUTE_MS
"""Who is kicked may come back after this long."""
SANCTION_MS_MAX: Final = 365 * DAY_MS
SLOW_MS_MAX: Final = 10 * MINUTE_MS
REPEATS_MAX: Final = 100
REASON_CHARS_MAX: Final = 200


class Act(StrEnum):
    """Everything that can be done to keep order; the audit trail uses the same words."""

    MUTE = "mute"
    UNMUTE = "unmute"
    KICK = "kick"
    BAN = "ban"
    UNBAN = "unban"
    DELETE_LINE = "delete_line"
    REVIEW = "review"
    SET_RULES = "set_rules"
    SET_WORDS = "set_words"
    READ_AUDIT = "read_audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What a role may do; `longest_ms` bounds mutes and kicks, `rank` says over whom it stands."""

    rank: int
    acts: frozenset[Act]
    longest_ms: int


_MODERATING: Final = frozenset(
    {Act.MUTE, Act.UNMUTE, Act.KICK, Act.DELETE_LINE, Act.REVIEW, Act.READ_AUDIT}
)
_HOSTING: Final = _MODERATING | {Act.BAN, Act.UNBAN, Act.SET_RULES, Act.SET_WORDS}

POWERS: Final[Mapping[Role, Power]] = {
    Role.VIEWER: Power(rank=0, acts=frozenset(), longest_ms=0),
    Role.GUEST: Power(rank=0, acts=frozenset(), longest_ms=0),
    Role.MODERATOR: Power(rank=1, acts=_MODERATING, longest_ms=DAY_MS),
    Role.HOST: Power(rank=2, acts=_HOSTING, longest_ms=30 * DAY_MS),
    Role.MERCHANT: Power(rank=3, acts=_HOSTING, longest_ms=SANCTION_MS_MAX),
    Role.ADMIN: Power(rank=3, acts=_HOSTING, longest_ms=SANCTION_MS_MAX),
}
"""Who may do what, for how long at most, and over which ranks."""


def rank_of(role: Role) -> int:
    """Say how high a role stands."""
    return POWERS[role].rank


def is_keeper(role: Role) -> bool:
    """Whether a role keeps order itself: its own words are not judged."""
    return rank_of(role) > 0


def permit(role: Role, act: Act, *, ms: int | None = None) -> None:
    """Refuse what a role may not do, or not for so long.

    Raises:
        Refused: `forbidden`, or `invalid` for a duration beyond any role's.

    """
    power = POWERS[role]
    if act not in power.acts:
        raise Refused("forbidden")
    if ms is None:
        return
    if not 1 <= ms <= SANCTION_MS_MAX:
        raise Refused("invalid", f"ms: between 1 and {SANCTION_MS_MAX}.")
    if ms > power.longest_ms:
        hours = power.longest_ms // HOUR_MS
        raise Refused("forbidden", f"This role may do that for at most {hours} hours.")


class Bar(StrEnum):
    """What a sanction keeps somebody from."""

    MUTE = "mute"  # speaking
    KICK = "kick"  # being in the room, for a while
    BAN = "ban"  # being in the room


@dataclass(frozen=True, slots=True, kw_only=True)
class Sanction:
    """One thing somebody is barred from; `until` None = for good (UTC ms). `rank` imposed it."""

    user: UserId
    bar: Bar
    until: int | None
    rank: int
    by: UserId
    reason: str
    at: int

    def holds(self, *, at: int, role: Role) -> bool:
        """Whether it binds somebody who comes with this role now."""
        return (self.until is None or at < self.until) and rank_of(role) < self.rank

    def left_ms(self, *, at: int) -> int | None:
        """Say how long it still lasts; None = for good."""
        return None if self.until is None else max(0, self.until - at)


@dataclass(frozen=True, slots=True)
class Imposed:
    """A sanction and the room it counts in."""

    room: RoomId
    sanction: Sanction


class Policy(StrEnum):
    """What becomes of a link or of contact details in a line."""

    ALLOW = "allow"
    MASK = "mask"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRules:
    """A room's own rules.

    `slow_ms`: one line per person in that time (0 = off). `repeats`: so many times somebody
    may say the same within 30 s until only they and the host see it (0 = off).
    `homophones`: words of the list are also found by their sound (pinyin).
    """

    slow_ms: int = 0
    repeats: int = 5
    links: Policy = Policy.ALLOW
    contacts: Policy = Policy.ALLOW
    homophones: bool = False


def check_rules(rules: ChatRules) -> None:
    """Refuse values out of bounds."""
    if not 0 <= rules.slow_ms <= SLOW_MS_MAX:
        raise Refused("invalid", f"slow_ms: between 0 and {SLOW_MS_MAX}.")
    if not 0 <= rules.repeats <= REPEATS_MAX:
        raise Refused("invalid", f"repeats: between 0 and {REPEATS_MAX}.")


class ReportState(StrEnum):
    """Where a reported or held line stands."""

    OPEN = "open"
    UPHELD = "upheld"  # the line was deleted
    DISMISSED = "dismissed"
    RELEASED = "released"  # it was held back and is shown now


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedLine:
    """A line in the review queue: reported by `count` people, or held back by the word list."""

    line: EventId
    user: UserId
    name: str
    text: str
    at: int
    count: int
    held: bool
    reason: str
    badge: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One line of the append-only trail; `target` is a user's or line's id."""

    seq: int
    at: int
    actor: UserId
    role: str
    act: str
    target: str
    reason: str
    detail: str
