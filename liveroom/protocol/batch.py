"""One tick of a room: what happened goes in, what each kind of viewer is shown comes out.

Durable events always pass, in order. Text passes up to what a viewer can read, chosen by
weight; greetings up to a smaller bound. The host is shown everything; whoever wrote a text
that was not chosen still sees it themselves. Chance and time are passed in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

from liveroom.domain.events import Audience, DanmakuSaid, Delivery, Entered, Event
from liveroom.domain.ids import UserId
from liveroom.domain.tiers import Tier

TEXTS_PER_S = 20
"""What a viewer can read; texts beyond it are a weighted sample."""
TEXTS_BURST = 20
ENTERS_PER_S = 10
ENTERS_BURST = 10
ENTERS_ONLINE_MAX = 500
"""In a larger room only members above the basic tier are greeted."""

Chance = Callable[[], float]
"""Gives a number in [0, 1)."""

ALWAYS = frozenset({"host", "moderator"})
"""Badges whose texts everybody sees."""

URGENT = frozenset({Delivery.MONEY, Delivery.STATE, Delivery.CUE})
"""What does not wait for the tick."""


class Budget:
    """So many items a second, saved up to a burst."""

    __slots__ = ("_at", "_burst", "_level", "_per_s")

    def __init__(self, per_s: float, burst: float, *, now: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._level = burst
        self._at = now

    def take(self, wanted: int, *, now: float) -> int:
        """Take up to `wanted` whole items."""
        self._level = min(self._burst, self._level + (now - self._at) * self._per_s)
        self._at = now
        taken = min(wanted, int(self._level))
        self._level -= taken
        return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What one flush shows.

    `everyone` and `host` are in order, durable ones first; `durable` is what nobody may
    miss; `own` holds the texts that only their writers see; `counts` what was left out,
    by class and reason.
    """

    everyone: tuple[Event, ...] = ()
    host: tuple[Event, ...] = ()
    durable: tuple[Event, ...] = ()
    own: tuple[tuple[UserId, Event], ...] = ()
    left_out: tuple[tuple[Delivery, str, int], ...] = ()


class Sampler:
    """Carries a room's budgets from tick to tick."""

    __slots__ = ("_chance", "_enters", "_texts")

    def __init__(self, *, chance: Chance, now: float) -> None:
        self._chance = chance
        self._texts = Budget(TEXTS_PER_S, TEXTS_BURST, now=now)
        self._enters = Budget(ENTERS_PER_S, ENTERS_BURST, now=now)

    def compose(self, events: Sequence[Event], *, online: int, now: float) -> Tick:
        """Decide what is shown of the events gathered since the last flush."""
        durable, cues, texts, enters = _sort(events)
        greeted = [event for event in enters if _is_greeted(event, online)]
        shown_enters = self._choose(greeted, self._enters, now=now)
        said = [event for event in texts if _weight(event) > 0]  # the others were damped
        shown_texts = self._choose(said, self._texts, now=now)
        shown = {event.id for event in shown_texts}
        hidden = [event for event in texts if event.id not in shown]
        left_out = (
            (Delivery.TEXT, "sampled", len(hidden)),
            (Delivery.AMBIENT, "crowd", len(enters) - len(greeted)),
            (Delivery.AMBIENT, "sampled", len(greeted) - len(shown_enters)),
        )
        return Tick(
            everyone=(*durable, *shown_texts, *shown_enters),
            host=(*durable, *cues, *texts, *shown_enters),
            durable=tuple(durable),
            own=tuple((_writer(event), event) for event in hidden),
            left_out=tuple(row for row in left_out if row[2]),
        )

    def _choose(self, events: list[Event], budget: Budget, *, now: float) -> list[Event]:
        always = [_is_always_shown(event) for event in events]
        wanted = len(events) - sum(always)
        room = budget.take(wanted, now=now)
        if room == wanted:
            return events
        others = [index for index, shown in enumerate(always) if not shown]
        chosen = sample([_weight(events[index]) for index in others], room, chance=self._chance)
        for index in chosen:
            always[others[index]] = True
        return list(compress(events, always))


def sample(weights: Sequence[float], size: int, *, chance: Chance) -> list[int]:
    """Choose indices without replacement, heavier ones more often (Efraimidis and Spirakis)."""
    keys = [chance() ** (1 / weight) if weight > 0 else -1.0 for weight in weights]
    ranked = sorted(range(len(weights)), key=keys.__getitem__, reverse=True)
    return ranked[:size]


def is_urgent(event: Event) -> bool:
    """Whether an event is flushed at once."""
    return event.fact.DELIVERY in URGENT


def _sort(
    events: Sequence[Event],
) -> tuple[list[Event], list[Event], list[Event], list[Event]]:
    durable: list[Event] = []
    cues: list[Event] = []
    texts: list[Event] = []
    enters: list[Event] = []
    for event in events:
        if event.n is not None:
            durable.append(event)
        elif event.fact.AUDIENCE is Audience.HOST:
            cues.append(event)
        elif event.fact.DELIVERY is Delivery.TEXT:
            texts.append(event)
        elif event.fact.DELIVERY is Delivery.AMBIENT:
            enters.append(event)
        else:
            durable.append(event)
    return durable, cues, texts, enters


def _is_greeted(event: Event, online: int) -> bool:
    if online <= ENTERS_ONLINE_MAX:
        return True
    return isinstance(event.fact, Entered) and event.fact.tier != Tier.BASIC


def _is_always_shown(event: Event) -> bool:
    return isinstance(event.fact, DanmakuSaid) and event.fact.badge in ALWAYS


def _weight(event: Event) -> float:
    if isinstance(event.fact, DanmakuSaid):
        return event.fact.weight
    if isinstance(event.fact, Entered):
        return 1.0 if event.fact.tier == Tier.BASIC else 4.0
    return 1.0


def _writer(event: Event) -> UserId:
    assert isinstance(event.fact, DanmakuSaid)
    return event.fact.user
