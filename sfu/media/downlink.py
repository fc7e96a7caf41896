"""What one viewer's path carries, as far as its reports show, and what to send it of each video.

In: REMB, loss, the rates of what is there to choose from. Out: a choice for each video, and
"nothing" for what does not fit at all. Down at once, up by trial: a receiver's estimate hardly
rises above what it is sent, so the only way to know is to try, more and more seldom where it
failed. Must not know packets, layers by name, or how a switch is made.
"""

from collections.abc import Sequence
from typing import final

START_BPS = 3_000_000
"""What a path of which nothing is known yet is given credit for."""
HEADROOM = 0.95
"""The part of what a path carries that video may take; sound is small beside it."""
PRESSED_BELOW = 0.85
"""An estimate below this part of what is sent may mean that the path is full: receivers whose
path is take 0.85 of what came through."""
BURST_MISSED = 5
"""Packets asked for at once: a queue has run over."""
FELL_BELOW = 0.97
"""An estimate that falls below this part of the one before has met the path's limit."""
FELL_FOR_S = 2.0
ROSE_ABOVE = 1.02
STILL_S = 3.0
"""An estimate that is too low and has not risen for so long is meant as it is."""
LOSS_MAX = 0.1
LOSS_GRAVE = 0.4
"""From this loss on repairs cannot help."""
LOSSY_REPORTS = 2
"""Reports in a row with more than `LOSS_MAX`, before it counts."""
SETTLE_S = 1.5
"""For so long after a change loss is of what was sent before it, or of the change itself."""
PATIENCE_FIRST_S = 2.0
PATIENCE_S = 5.0
PATIENCE_S_MAX = 300.0
"""How long it must go well before more is tried: the first while nothing ever said "less";
doubled by each trial that fails."""
TRIAL_S = 8.0
STARVED_PART = 0.5
STARVED_S = 4.0
"""Less than half of the least for so long: the sound is worth more than the picture."""
OFF = -1
"""The choice of sending nothing."""


@final
class Downlink:
    """One viewer's path."""

    __slots__ = (
        "_changed_at",
        "_fell_at",
        "_first_at",
        "_loss",
        "_lossy",
        "_missed_at",
        "_patience_s",
        "_pressed_at",
        "_rose_at",
        "_starving_since",
        "_trial_until",
        "remb_bps",
    )

    def __init__(self) -> None:
        self.remb_bps: int | None = None
        self._loss = 0.0
        self._lossy = 0
        self._missed_at = self._first_at = self._fell_at = self._rose_at = float("-inf")
        self._changed_at = self._pressed_at = self._trial_until = float("-inf")
        self._patience_s = PATIENCE_FIRST_S
        self._starving_since: float | None = None

    def estimated(self, bps: int, *, now: float) -> None:
        """Take the viewer's own estimate (REMB)."""
        before = self.remb_bps
        if before is None:
            self._first_at = now
        elif bps < before * FELL_BELOW:
            self._fell_at = now
        elif bps > before * ROSE_ABOVE:
            self._rose_at = now
        if before is None or not before * FELL_BELOW <= bps <= before * ROSE_ABOVE:
            self.remb_bps = bps

    def missed(self, packets: int, *, now: float) -> None:
        """Take a request for packets that did not come."""
        if packets >= BURST_MISSED:
            self._missed_at = now

    def lost(self, fraction: float) -> None:
        """Take the loss since the last report."""
        self._loss = fraction
        self._lossy = self._lossy + 1 if fraction > LOSS_MAX else 0

    def limit_bps(self, sent_bps: float, *, now: float) -> float | None:
        """Return what the path carries of `sent_bps`; None while nothing says "less"."""
        limits = []
        has_settled = now - self._changed_at >= SETTLE_S
        if self._lossy >= LOSSY_REPORTS and has_settled:
            grave = self._loss >= LOSS_GRAVE
            limits.append(sent_bps * (0.8 * (1 - self._loss) if grave else 1 - self._loss / 2))
        remb = self.remb_bps
        if remb is not None and remb < sent_bps * PRESSED_BELOW:
            fell = self._fell_at > self._changed_at and now - self._fell_at <= FELL_FOR_S
            # The first one may be of before the last change; not when packets are missing, too.
            is_new = now - self._first_at <= FELL_FOR_S >= now - self._missed_at
            still = now - max(self._rose_at, self._first_at, self._changed_at) > STILL_S
            if fell or is_new or still:
                limits.append(remb)
        return min(limits, default=None)

    def first(self, rates: Sequence[int]) -> int:
        """Choose for a video that begins; rates rise, 0 is one that is not known yet."""
        allowed = START_BPS if self.remb_bps is None else max(START_BPS, self.remb_bps)
        fitting = [n for n, rate in enumerate(rates) if 0 < rate <= allowed]
        return fitting[-1] if fitting else 0

    def decide(
        self,
        offers: Sequence[Sequence[int]],
        current: Sequence[int],
        *,
        can_starve: bool,
        now: float,
    ) -> list[int]:
        """Choose for each video, the most important first.

        Args:
            offers: for each video the rates to choose from, rising.
            current: for each the choice so far, or `OFF`.
            can_starve: whether `OFF` may be chosen.
            now: monotonic seconds.

        """
        chosen = list(current)
        sent = _sum(offers, chosen)
        limit = self.limit_bps(sent, now=now)
        if limit is None:
            self._starving_since = None
            return self._try_more(offers, chosen, now=now)
        self._pressed_at = now
        self._patience_s = max(self._patience_s, PATIENCE_S)
        if now < self._trial_until:
            self._patience_s = min(2 * self._patience_s, PATIENCE_S_MAX)
            self._trial_until = float("-inf")
        while _sum(offers, chosen) > limit * HEADROOM:
            dearest = max(
                (n for n, choice in enumerate(chosen) if choice > 0),
                key=lambda n: offers[n][chosen[n]],
                default=None,
            )
            if dearest is None:
                break
            chosen[dearest] -= 1
        if can_starve:
            self._starve(offers, chosen, limit, now=now)
        if chosen != list(current):
            self._changed_at = now
        return chosen

    def _starve(
        self, offers: Sequence[Sequence[int]], chosen: list[int], limit: float, *, now: float
    ) -> None:
        """Give up the least important video when not even half of the least fits."""
        if _sum(offers, chosen) * STARVED_PART <= limit:
            self._starving_since = None
            return
        if self._starving_since is None:
            self._starving_since = now
        shown = [n for n, choice in enumerate(chosen) if choice != OFF]
        if shown and now - self._starving_since >= STARVED_S:
            chosen[shown[-1]] = OFF
            self._starving_since = None

    def _try_more(
        self, offers: Sequence[Sequence[int]], chosen: list[int], *, now: float
    ) -> list[int]:
        if self._trial_until <= now and self._trial_until > float("-inf"):
            self._trial_until = float("-inf")
            self._patience_s = min(self._patience_s, PATIENCE_S)
        if now - max(self._changed_at, self._pressed_at) < self._patience_s:
            return chosen
        is_untroubled = self._patience_s == PATIENCE_FIRST_S
        for n, choice in enumerate(chosen):
            if choice + 1 < len(offers[n]) and offers[n][choice + 1] > 0:
                chosen[n] = max(choice + 1, self.first(offers[n]) if is_untroubled else 0)
                self._changed_at = now
                self._trial_until = now + TRIAL_S
                break
        return chosen


def _sum(offers: Sequence[Sequence[int]], chosen: Sequence[int]) -> int:
    return sum(rates[n] for rates, n in zip(offers, chosen, strict=True) if n != OFF)
