"""A publisher's packets in order, for somebody who is in no hurry: the recording.

A tap costs the packets on their way nothing: it reads what the track's history keeps anyway,
behind the live edge. In: moments. Out: packets by number, each once; what repairs may still
bring is waited for, what is missing for good is counted. Must not know who reads.
"""

from collections.abc import Callable
from typing import NamedTuple, final

from sfu.media.history import Stored
from sfu.media.model import Codec, Kind
from sfu.media.track import Track

HOLE_S = 1.0
"""A missing packet is waited for so long; repairs that take longer are too late for viewers too."""

TAKEN_MAX = 1_000
"""Packets of one take: a group of pictures that waits is not handed over in one breath."""


class Picture(NamedTuple):
    """The payloads of one key frame, parameter sets first."""

    codec: str
    payloads: tuple[bytes, ...]


class Taken(NamedTuple):
    """Packets in order; before those in `after_gap` others are missing."""

    packets: list[Stored]
    after_gap: frozenset[int]
    missing: int


NOTHING_TAKEN = Taken([], frozenset(), 0)


def newest_picture(track: Track) -> Picture | None:
    """Return the newest key frame of a track, if all of it is there."""
    first = track.newest_keyframe
    if first is None or track.codec is None:
        return None
    payloads = list(track.parameter_sets)
    for number in range(first.sequence, track.highest + 1):
        stored = track.history.get(number)
        if stored is None:
            return None
        if stored.timestamp != first.timestamp:
            return Picture(track.codec.name, tuple(payloads))
        payloads.append(stored.payload)
        if stored.marker:
            return Picture(track.codec.name, tuple(payloads))
    return None


@final
class Tap:
    """A reader of one track.

    Args:
        track: what is read.
        since: begin with what arrived then or later; by default with the newest key frame, or
            with the newest packet where there are none.
        is_muted: says whether nobody may get this kind now; it is left out then.

    """

    def __init__(
        self,
        track: Track,
        since: float | None = None,
        is_muted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._track = track
        self._since = since
        self._is_muted = is_muted
        self._was_muted = False
        self._next = self._begin()

    @property
    def kind(self) -> Kind:
        """Whether it is sound or picture."""
        return self._track.spec.kind

    @property
    def first_arrived(self) -> float | None:
        """When the packet it reads next had arrived; None when it is still to come."""
        stored = None if self._next is None else self._track.history.get(self._next)
        return None if stored is None else stored.arrived

    @property
    def parameter_sets(self) -> tuple[bytes, ...]:
        """The H264 parameter sets last seen, for key frames that come without them."""
        return self._track.parameter_sets

    def codec(self, stored: Stored) -> Codec:
        """Return the codec of a packet."""
        return self._track.spec.codecs[stored.payload_type]

    def take(self, *, now: float, is_last: bool = False) -> Taken:
        """Return what came since the last call; the last one waits for nothing any more."""
        track = self._track
        history, highest = track.history, track.highest
        if self._next is None:
            self._next = self._begin()
        if self._next is None or not track.begun or highest < self._next:
            return NOTHING_TAKEN
        packets: list[Stored] = []
        after_gap: set[int] = set()
        missing, at = 0, self._next
        oldest = highest - history.capacity + 1
        if at < oldest:
            # Too slow, or the source began anew with other numbers: first the rest of the old.
            while (stored := history.get(at)) is not None:
                packets.append(stored)
                at += 1
            missing, at = 1, max(at, oldest)
        hole = missing > 0 or self._was_muted
        skipped = 0
        while at <= highest and (is_last or len(packets) < TAKEN_MAX):
            stored = history.get(at)
            at += 1
            if stored is None:
                skipped += 1
                continue
            if skipped and not is_last and now - stored.arrived < HOLE_S:
                at -= 1 + skipped
                break
            if skipped or hole:
                after_gap.add(stored.sequence)
                missing += skipped
                skipped, hole = 0, False
            packets.append(stored)
        else:
            at -= skipped
        self._next = at
        if self._is_muted():
            self._was_muted = self._was_muted or bool(packets)
            return NOTHING_TAKEN
        self._was_muted = self._was_muted and not packets
        return Taken(packets, frozenset(after_gap), missing)

    def _begin(self) -> int | None:
        """Return the number to begin with: the newest key frame's, or the newest of all."""
        track = self._track
        if not track.begun:
            return None
        first = track.newest_keyframe
        if first is not None:
            return first.sequence
        number = track.highest
        while self._since is not None:
            earlier = track.history.get(number - 1)
            if earlier is None or earlier.arrived < self._since:
                break
            number -= 1
        return number
