"""The H264 parameter sets of one track, for key frames that come without them.

Some senders (ffmpeg copying a file) send them with some key frames only; a viewer whose
stream begins with another would see nothing. In: payloads. Out: the sets to send ahead.
"""

from typing import final

from sfu.packet.payload import h264_parameter_sets, is_sequence_parameter_set

SETS_MAX = 5
"""One sequence set and the newest four picture sets; older picture sets are forgotten."""


@final
class ParameterSets:
    """The sets as last seen."""

    __slots__ = ("_sets",)

    def __init__(self) -> None:
        self._sets: list[bytes] = []

    def seen(self, payload: bytes) -> bool:
        """Keep the sets in a packet; say whether there were any."""
        units = h264_parameter_sets(payload)
        for unit in units:
            if unit in self._sets:
                continue
            if is_sequence_parameter_set(unit):
                self._sets = [unit]
            elif self._sets:
                self._sets.append(unit)
                if len(self._sets) > SETS_MAX:
                    del self._sets[1]
        return bool(units)

    def ahead(self) -> tuple[bytes, ...]:
        """Return the payloads that belong ahead of a key frame, the sequence's first."""
        return tuple(self._sets)
