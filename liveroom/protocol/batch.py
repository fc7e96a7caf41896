"""One tick of a room: what happened goes in, what each kind of viewer is shown comes out.

Durable events always pass, in order. Texts pass up to what a viewer can read: answers to the
host, buyers and levels have a budget of their own and then compete with the others by weight;
greetings pass up to a smaller bound. The host is shown everything; whoever wrote a text that
was not chosen still sees it themselves. Chance and time are passed in.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from liveroom.domain.delivery import Audience, Delivery
from liveroom.domain.events import DanmakuSaid, Entered, Event
from liveroom.domain.ids import UserId
from liveroom.domain.tiers import Tier

TEXTS_PER_S = 20
"""What a viewer can read; texts beyond it are a weighted sample."""
HIGH_PER_S = 10
"""What passes beside those of answers to the host, buyers and levels."""
ENTERS_PER_S = 10
ENTERS_ONLINE_MAX = 500
"""In a larger room only recognised members are greeted."""
ORDINARY_WEIGHT = 1.0
"""A text that weighs more has the high budget; one that weighs nothing is for host and writer."""

Chance = Callable[[], float]
"""Gives a number in [0, 1)."""

ALWAYS = frozenset({"host", "moderator"})
"""Badges whose texts everybody sees."""

URGENT = frozenset({Delivery.MONEY, Delivery.STATE, Delivery.CUE})
"""What does not wait for the tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """What each viewer of a room is shown a second; a burst may be as large."""

    texts_per_s: int = TEXTS_PER_S
    high_per_s: int = HIGH_PER_S
    enters_per_s: int = ENTERS_PER_S


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

    __slots__ = ("_chance", "_enters", "_high", "_texts")

    def __init__(self, *, chance: Chance, now: float, budgets: Budgets | None = None) -> None:
        per_s = budgets or Budgets()
        self._chance = chance
        self._texts = Budget(per_s.texts_per_s, per_s.texts_per_s, now=now)
        self._high = Budget(per_s.high_per_s, per_s.high_per_s, now=now)
        self._enters = Budget(per_s.enters_per_s, per_s.enters_per_s, now=now)

    def compose(self, events: Sequence[Event], *, online: int, now: float) -> Tick:
        """Decide what is shown of the events gathered since the last flush."""
        durable, cues, texts, enters = _sort(events)
        greeted = [event for event in enters if _is_greeted(event, online)]
        shown_enters = _at(greeted, self._choose(greeted, self._enters, now=now))
        shown_texts = self._choose_texts(texts, now=now)
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

    def _choose_texts(self, texts: Sequence[Event], *, now: float) -> list[Event]:
        """Choose texts, in their order: first from the high ones, then from all that are left."""
        shown = {i for i, event in enumerate(texts) if _is_always_shown(event)}
        high = [i for i, event in enumerate(texts) if i not in shown and _is_high(event)]
        first = self._choose([texts[index] for index in high], self._high, now=now)
        shown.update(high[index] for index in first)
        rest = [i for i, event in enumerate(texts) if i not in shown and _weight(event) > 0]
        second = self._choose([texts[index] for index in rest], self._texts, now=now)
        shown.update(rest[index] for index in second)
        return _at(texts, shown)

    def _choose(self, events: Sequence[Event], budget: Budget, *, now: float) -> Collection[int]:
        room = budget.take(len(events), now=now)
        if room == len(events):
            return range(room)
        return sample([_weight(event) for event in events], room, chance=self._chance)


def _at(events: Sequence[Event], indices: Collection[int]) -> list[Event]:
    return [events[index] for index in sorted(indices)]


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
    fact = event.fact
    return isinstance(fact, Entered) and (fact.recognised or fact.tier != Tier.BASIC)


def _is_always_shown(event: Event) -> bool:
    fact = event.fact
    return isinstance(fact, DanmakuSaid) and fact.badge in ALWAYS and fact.weight > 0


def _is_high(event: Event) -> bool:
    return _weight(event) > ORDINARY_WEIGHT


def _weight(event: Event) -> float:
    if isinstance(event.fact, DanmakuSaid):
        return event.fact.weight
    if isinstance(event.fact, Entered):
        return ORDINARY_WEIGHT if event.fact.tier == Tier.BASIC else 4.0
    return ORDINARY_WEIGHT


def _writer(event: Event) -> UserId:
    assert isinstance(event.fact, DanmakuSaid)
    return event.fact.user
