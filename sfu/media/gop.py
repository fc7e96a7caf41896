"""The newest group of pictures of one track: where it begins and whether it can be replayed.

In: the first packets of key frames. Out: the packet with which a replay begins, or what is
in its way. The packets themselves are the history's. Must not know who wants a replay.
"""

from enum import StrEnum
from typing import final

from sfu.media.history import History, Stored
from sfu.media.repair import ReceiveLog
from sfu.packet.rewrite import timestamp_ahead

GOP_S_MAX = 12.0
"""A longer group, by arrival or by media time, is not replayed."""


class Fallback(StrEnum):
    """Why a viewer was not, or not only, shown a replay: a key frame is asked for instead."""

    NO_KEYFRAME = "no_keyframe"
    TOO_LONG = "too_long"
    """The group is longer than `GOP_S_MAX`."""
    TOO_LARGE = "too_large"
    """Its beginning has left the history."""
    INCOMPLETE = "incomplete"
    """A packet is missing for good: what there is is shown, the picture stops at the hole."""
    BUSY = "busy"
    """Others were before it for too long; it has its turn if no key frame comes before."""
    OVERTAKEN = "overtaken"
    """The source is faster than the replay: its packets left the history before they were sent."""


@final
class Gop:
    """What is known of the newest group of pictures."""

    __slots__ = ("first",)

    def __init__(self) -> None:
        self.first: Stored | None = None

    def keyframe(self, stored: Stored) -> None:
        """Take a packet that starts a key frame; a frame may have several, in any order."""
        known = self.first
        if known is None:
            self.first = stored
            return
        is_same = stored.timestamp == known.timestamp
        if (stored.sequence < known.sequence) is is_same:
            self.first = stored

    def clear(self) -> None:
        """Forget it: the source began anew or changed its codec."""
        self.first = None

    def obstacle(
        self, history: History, *, highest: int, newest_timestamp: int, clock_rate: int, now: float
    ) -> Fallback | None:
        """Say what is in the way of a replay; holes are another question."""
        first = self.first
        if first is None:
            return Fallback.NO_KEYFRAME
        span = timestamp_ahead(newest_timestamp, first.timestamp)
        if now - first.arrived > GOP_S_MAX or not 0 <= span <= GOP_S_MAX * clock_rate:
            return Fallback.TOO_LONG
        if not history.reaches(first.sequence, highest):
            return Fallback.TOO_LARGE
        return None

    def is_complete(self, history: History, log: ReceiveLog | None, highest: int) -> bool:
        """Say whether each packet of the group is there or still awaited from the source."""
        if self.first is None:
            return False
        holes = history.holes(self.first.sequence, highest)
        return all(log is not None and log.awaits(hole) for hole in holes)
