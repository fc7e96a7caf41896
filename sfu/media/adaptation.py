"""Which layer each video of a viewer follows, and when it follows none.

In: a viewer's reports (through its `Downlink`), the layers that its slots show. Out: legs that
wait to be taken over by another layer at that layer's next key frame, that begin anew where
theirs has died, that are let go while only sound fits. Must not know slots, rooms or publishers.
"""

from collections.abc import Callable, Sequence
from typing import final

from sfu.media.downlink import OFF, Downlink
from sfu.media.leg import Leg
from sfu.media.model import Kind, PictureEvent
from sfu.media.track import Track
from sfu.media.viewer import Viewer

Video = tuple[Leg, Sequence[Track]]
"""A leg and all the layers of what its slot shows."""


@final
class Adaptation:
    """The changes under way.

    Args:
        attach: lets a leg begin to follow a track.
        detach: lets a leg go.

    """

    __slots__ = ("_attach", "_coming", "_detach")

    def __init__(self, attach: Callable[[Leg, Track], None], detach: Callable[[Leg], None]) -> None:
        self._attach = attach
        self._detach = detach
        self._coming: dict[Leg, Track] = {}

    def first(self, layers: Sequence[Track], downlink: Downlink, *, now: float) -> Track:
        """Return the layer that a leg begins with."""
        choices = _rising(layers, now=now) or layers[:1]
        return choices[downlink.first([track.meter.bps for track in choices])]

    def forget(self, leg: Leg) -> None:
        """Drop a change that a leg was to go through."""
        target = self._coming.pop(leg, None)
        if target is not None:
            target.followers.candidates.pop(leg, None)

    def adapt(
        self, viewer: Viewer, videos: Sequence[Video], *, now: float
    ) -> tuple[list[Track], list[PictureEvent]]:
        """Follow a viewer's reports; return the tracks that need key frames, and the news."""
        legs: list[Leg] = []
        choices: list[list[Track]] = []
        current: list[int] = []
        needy: list[Track] = []
        for leg, layers in videos:
            flowing = _rising(layers, now=now)
            if not flowing:
                continue
            if leg in viewer.starved:
                at = OFF
            else:
                before = self._coming.get(leg, leg.source)
                if before is leg.source:
                    self.forget(leg)
                if before in flowing:
                    at = next(n for n, track in enumerate(flowing) if track is before)
                else:
                    # Its layer has died: the best that fits, without waiting for a report.
                    at = viewer.downlink.first([track.meter.bps for track in flowing])
                    needy += self._change(leg, flowing[at])
            legs.append(leg)
            choices.append(flowing)
            current.append(at)
        rates = [[track.meter.bps for track in flowing] for flowing in choices]
        chosen = viewer.downlink.decide(rates, current, can_starve=_hears(viewer), now=now)
        events: list[PictureEvent] = []
        for leg, flowing, before_at, at in zip(legs, choices, current, chosen, strict=True):
            if at == before_at:
                continue
            if at == OFF:
                viewer.starved.add(leg)
                self._detach(leg)
            elif before_at == OFF:
                viewer.starved.discard(leg)
                self._attach(leg, flowing[at])
                needy.append(flowing[at])
            else:
                needy += self._change(leg, flowing[at], is_full=at < before_at)
                continue
            events.append(PictureEvent(viewer.session, viewer.room, leg.spec.slot, at != OFF))
        return needy, events

    def _change(self, leg: Leg, target: Track, *, is_full: bool = False) -> list[Track]:
        """Let a leg go over to another layer; return what is needed for that."""
        self.forget(leg)
        if target is leg.source:
            return []
        if not leg.active:
            # Nothing is on its way: begin there at once, by a replay when there is one.
            self._detach(leg)
            self._attach(leg, target)
            return [target]
        self._coming[leg] = target
        target.followers.candidates[leg] = is_full
        target.requests.want()
        return [target]


def _rising(layers: Sequence[Track], *, now: float) -> list[Track]:
    """Return the layers that flow, by what they cost; of one alone nothing is asked."""
    if len(layers) == 1:
        return list(layers)
    return sorted((t for t in layers if t.flows(now=now)), key=lambda track: track.meter.bps)


def _hears(viewer: Viewer) -> bool:
    """Say whether sound reaches a viewer; without it no report would ever bring a picture back."""
    return any(leg.active and leg.spec.kind is Kind.AUDIO for leg in viewer.legs)
