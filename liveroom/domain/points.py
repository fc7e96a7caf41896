"""How points are earned: by orders, check-in, watching, talking and games; with daily caps.

Pure reckoning: what somebody did goes in, points come out. Days are counted in the shop's
time zone by whoever calls (`day`: the number of a local calendar day). Times are UTC ms.
"""

from dataclasses import dataclass, replace

BEAT_GAP_MS_MAX = 30_000
"""Silence beyond this is not watching: a viewer's heartbeat comes every ten seconds or so."""
STREAK_MAX = 7
"""The day of a streak from which on its bonus does not grow any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earning:
    """What the shop gives points for; amounts are points unless said.

    `fen_per_point`: what one point costs to earn by buying. `watch_ms`: how much watching is
    worth `watch_points`, once a day. `lines`: how many lines of talk are worth `line_points`,
    once a day. `expire_days`: how long earned points live.
    """

    fen_per_point: int = 100
    checkin_points: int = 5
    streak_points: int = 1
    watch_ms: int = 600_000
    watch_points: int = 10
    lines: int = 3
    line_points: int = 5
    game_points: int = 5
    final_days: int = 7
    expire_days: int = 365

    def __post_init__(self) -> None:
        """Refuse rules by which points would cost nothing."""
        if min(self.fen_per_point, self.watch_ms, self.lines, self.expire_days) < 1:
            raise ValueError("fen_per_point, watch_ms, lines and expire_days are at least 1")

    def for_order(self, paid_fen: int) -> int:
        """Say what an order earns: on the money paid, rounded down."""
        return max(0, paid_fen) // self.fen_per_point


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckIn:
    """Somebody's last check-in and how many days in a row it made."""

    day: int | None = None
    streak: int = 0


def check_in(last: CheckIn, day: int, earning: Earning) -> tuple[CheckIn, int]:
    """Check in on a local day; the same day again earns nothing, a missed one begins anew."""
    if last.day is not None and day <= last.day:
        return last, 0
    streak = last.streak + 1 if last.day == day - 1 else 1
    bonus = earning.streak_points * (min(streak, STREAK_MAX) - 1)
    return CheckIn(day=day, streak=streak), earning.checkin_points + bonus


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """How long somebody has watched on a day, over all their devices together."""

    day: int | None = None
    total_ms: int = 0
    beat_at: int | None = None
    granted: bool = False


def watch(state: Watching, day: int, at: int, earning: Earning) -> tuple[Watching, int]:
    """Count a heartbeat: time since the last one, from whichever device, if it was not long ago.

    Two devices share one state, so that an hour on both is one hour.
    """
    if state.day != day:
        state = Watching(day=day, beat_at=state.beat_at)
    gap = at - state.beat_at if state.beat_at is not None else 0
    counted = gap if 0 < gap <= BEAT_GAP_MS_MAX else 0
    beat_at = max(at, state.beat_at or at)
    after = replace(state, total_ms=state.total_ms + counted, beat_at=beat_at)
    if after.granted or after.total_ms < earning.watch_ms:
        return after, 0
    return replace(after, granted=True), earning.watch_points


@dataclass(frozen=True, slots=True, kw_only=True)
class Talking:
    """The different lines somebody said on a day, as far as they count."""

    day: int | None = None
    lines: frozenset[str] = frozenset()


def talk(state: Talking, day: int, text: str, earning: Earning) -> tuple[Talking, int]:
    """Count a line that was shown; the same words twice on a day are one line."""
    if state.day != day:
        state = Talking(day=day)
    folded = "".join(text.split()).casefold()
    if not folded or folded in state.lines or len(state.lines) >= earning.lines:
        return state, 0
    lines = state.lines | {folded}
    return Talking(day=day, lines=lines), earning.line_points if len(lines) == earning.lines else 0
