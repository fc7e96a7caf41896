"""Whose replay is sent when: the pace of each, and of all together.

In: legs that wait for a picture, and moments. Out: their replays, piece by piece, until they
are live; a key frame request for those who cannot have one. The order is that of coming. A
leg waits for its turn among the waiting of its track, so a key frame that arrives meanwhile
starts it live. Must not know sessions, rooms or how a packet is made.
"""

from collections import Counter
from dataclasses import dataclass
from typing import final

from sfu.media.gop import Fallback
from sfu.media.leg import Leg, Outbox
from sfu.media.shape import PLAYOUT_DELAY
from sfu.media.stats import ReplayStats
from sfu.media.track import Track

SLOT_S = 0.005
"""Replays go on so often."""
BURST_S = 0.02
"""What a late wakeup may make up for."""
REPLAY_BPS = 32_000_000
"""The pace towards a viewer whose path is not known: 2 s at 2 Mbit/s arrive in 125 ms."""
REPLAY_BPS_MIN = 8_000_000
"""The pace towards a viewer that reports less: twice what most publishers send."""
REPLAY_PER_BUDGET = 3
"""The pace towards a viewer that reports its budget, as a multiple of it."""
TOTAL_PACKETS_S = 15_000
"""All replays together may send so much in any case ..."""
TOTAL_PER_LIVE_PACKET = 0.25
"""... or so many per live packet: a fifth of all that is sent."""
WAIT_S_MAX = 0.5
"""For a leg whose turn has not come by then a key frame is asked for; the first of both counts."""
HURRY_S = 3.0
"""A viewer is asked to show frames without delay for so long after its replay."""


@dataclass(slots=True, eq=False)
class _Turn:
    """A leg's place in the order."""

    track: Track
    since: float
    rate_bps: float
    credit_bytes: float
    is_overdue: bool = False


@final
class Replays:
    """All replays of an engine."""

    __slots__ = (
        "_at",
        "_fallbacks",
        "_hurried",
        "_live_before",
        "_next_at",
        "_owed",
        "_packets",
        "_running",
        "_started",
        "_waiting",
    )

    def __init__(self) -> None:
        self._started = self._packets = 0
        self._fallbacks: Counter[Fallback] = Counter()
        self._waiting: dict[Leg, _Turn] = {}
        self._running: dict[Leg, _Turn] = {}
        # Each is due `HURRY_S` after it came, so the first is the earliest.
        self._hurried: dict[Leg, tuple[Track, float]] = {}
        self._at: float | None = None
        self._next_at = 0.0
        self._live_before = 0
        self._owed = 0

    def offer(self, leg: Leg, track: Track, *, budget_bps: int | None, now: float) -> None:
        """Queue a leg that has begun to wait at a track; ask for a key frame if that is no use."""
        if not track.begun:
            # Who is there before the picture misses nothing of it, and is no fallback.
            track.want_keyframe(now=now)
            return
        obstacle = track.replay_obstacle(now=now)
        if obstacle is not None:
            self._fall_back(track, obstacle, now=now)
            return
        rate = REPLAY_BPS
        if budget_bps is not None:
            rate = min(rate, max(REPLAY_BPS_MIN, REPLAY_PER_BUDGET * budget_bps))
        if not self._running and not self._waiting:
            self._at, self._next_at = None, now
        self._waiting[leg] = _Turn(track, now, rate, rate / 8 * SLOT_S)

    def forget(self, leg: Leg) -> None:
        """Drop a leg that leaves its track."""
        self._waiting.pop(leg, None)
        self._running.pop(leg, None)
        self._hurried.pop(leg, None)

    def due(self) -> float | None:
        """Return when `step` has something to do."""
        calm = next((until for _, until in self._hurried.values()), None)
        if not self._running and not self._waiting:
            return calm
        return self._next_at if calm is None else min(self._next_at, calm)

    def step(
        self, *, now: float, packets_out: int, sent: bytes, touched: list[Outbox]
    ) -> list[Track]:
        """Send the next pieces; return the tracks of which a key frame is needed after all.

        Args:
            now: monotonic seconds.
            packets_out: all media packets ever sent, to know what is live beside the replays.
            sent: the abs-send-time of now.
            touched: collects the outboxes that were empty before.

        """
        self._calm_down(now=now)
        if not (self._running or self._waiting) or now < self._next_at:
            return []
        elapsed = SLOT_S if self._at is None else min(now - self._at, BURST_S)
        allowed = self._allowance(elapsed, packets_out, is_first=self._at is None)
        self._at, self._next_at = now, now + SLOT_S
        needy: list[Track] = []
        for leg, turn in list(self._running.items()):
            if leg.cursor is None:
                del self._running[leg]
            elif not turn.track.history.reaches(max(leg.cursor, leg.first), turn.track.highest):
                del self._running[leg]
                turn.track.followers.abandon_replay(leg)
                needy.append(self._fall_back(turn.track, Fallback.OVERTAKEN, now=now))
            elif allowed > 0:
                turn.credit_bytes += min(turn.rate_bps / 8 * elapsed, turn.rate_bps / 8 * BURST_S)
                allowed -= self._advance(leg, turn, now=now, sent=sent, touched=touched)
        for leg, turn in list(self._waiting.items()):
            if leg not in turn.track.followers.waiting:
                del self._waiting[leg]
            elif allowed > 0:
                del self._waiting[leg]
                obstacle = self._begin(leg, turn, now=now)
                if obstacle is not None:
                    needy.append(self._fall_back(turn.track, obstacle, now=now))
                if leg.cursor is not None:
                    allowed -= self._advance(leg, turn, now=now, sent=sent, touched=touched)
            elif now - turn.since > WAIT_S_MAX and not turn.is_overdue:
                turn.is_overdue = True
                needy.append(self._fall_back(turn.track, Fallback.BUSY, now=now))
        self._owed = min(0, allowed)
        return needy

    def stats(self) -> ReplayStats:
        """Return the numbers."""
        fallbacks = {str(reason): count for reason, count in self._fallbacks.items()}
        return ReplayStats(started=self._started, packets=self._packets, fallbacks=fallbacks)

    def _allowance(self, elapsed: float, packets_out: int, *, is_first: bool) -> int:
        """Return how many packets all replays may send now."""
        live = packets_out - self._packets
        share = 0.0 if is_first else TOTAL_PER_LIVE_PACKET * (live - self._live_before)
        self._live_before = live
        if is_first:
            self._owed = 0
        return self._owed + round(max(TOTAL_PACKETS_S * elapsed, share))

    def _begin(self, leg: Leg, turn: _Turn, *, now: float) -> Fallback | None:
        obstacle = turn.track.start_replay(leg, now=now)
        if leg.cursor is not None:
            self._started += 1
            self._running[leg] = turn
        return obstacle

    def _advance(
        self, leg: Leg, turn: _Turn, *, now: float, sent: bytes, touched: list[Outbox]
    ) -> int:
        packets, size = turn.track.followers.advance_replay(
            leg, int(turn.credit_bytes), sent=sent, touched=touched
        )
        turn.credit_bytes -= size
        self._packets += packets
        if leg.cursor is None:
            del self._running[leg]
            if PLAYOUT_DELAY in leg.spec.extensions:
                self._hurried.pop(leg, None)
                self._hurried[leg] = (turn.track, now + HURRY_S)
        return packets

    def _fall_back(self, track: Track, reason: Fallback, *, now: float) -> Track:
        self._fallbacks[reason] += 1
        track.want_keyframe(now=now)
        return track

    def _calm_down(self, *, now: float) -> None:
        """Let legs that have been live for long enough look like all others."""
        while self._hurried:
            leg, (track, until) = next(iter(self._hurried.items()))
            if until > now:
                return
            del self._hurried[leg]
            if leg.active and leg.source is track:
                track.reshape(leg)
