"""One numbering of VP8 pictures for all simulcast layers of an m-line.

Each layer comes with picture ids of its own. Here every key frame gets an id above all that
were given out, whatever their layer, and what follows in its layer counts on from there: so
to a viewer that is switched at a key frame, ids only rise, and no viewer needs a payload of
its own. In: payloads of the layers. Out: the same, renumbered. Must not know viewers.
"""

from collections import deque
from typing import NamedTuple, final

from sfu.packet.vp8 import BASE_MASK, PICTURE_MASK, Picture, parse_picture, write_picture

GROUPS_KEPT = 8
"""Groups of pictures a late packet can still be numbered in; older ones stay as they are."""


def unwrap_bits(value: int, near: int, mask: int) -> int:
    """Return the integer nearest to `near` whose low bits are `value`."""
    ahead = (value - near) & mask
    return near + ahead - (mask + 1 if ahead > mask >> 1 else 0)


class _Group(NamedTuple):
    """From this picture of the layer on, add these shifts."""

    first: int
    shift: int
    base_shift: int


@final
class Pictures:
    """The newest numbers given out to any layer."""

    __slots__ = ("base", "identity")

    def __init__(self) -> None:
        self.identity = self.base = 0


@final
class LayerPictures:
    """The numbering of one layer.

    Args:
        shared: what all layers of the m-line have in common.

    """

    __slots__ = ("_groups", "_highest", "_highest_base", "_shared")

    def __init__(self, shared: Pictures) -> None:
        self._shared = shared
        self._groups: deque[_Group] = deque(maxlen=GROUPS_KEPT)
        self._highest: int | None = None
        self._highest_base = 0

    def clear(self) -> None:
        """Expect other numbers: the sender began anew."""
        self._groups.clear()
        self._highest = None

    def renumber(self, payload: bytes, *, starts: bool, is_late: bool) -> bytes:
        """Return a packet's payload with the ids that viewers see.

        Args:
            payload: of any packet of the layer.
            starts: a key frame starts here.
            is_late: later packets have been numbered already.

        """
        picture = parse_picture(payload)
        if picture is None:
            return payload
        identity, base = self._unwrap(picture)
        # What follows a late one bears numbers already: then it is numbered as they are.
        if starts and (not self._groups or (not is_late and identity > self._groups[-1].first)):
            shared = self._shared
            self._groups.append(
                _Group(identity, shared.identity + 1 - identity, shared.base + 1 - base)
            )
        group = next((g for g in reversed(self._groups) if g.first <= identity), None)
        if group is None:
            return payload
        shown, shown_base = identity + group.shift, base + group.base_shift
        self._shared.identity = max(self._shared.identity, shown)
        if picture.base is not None:
            self._shared.base = max(self._shared.base, shown_base)
        return write_picture(payload, picture, identity=shown, base=shown_base)

    def _unwrap(self, picture: Picture) -> tuple[int, int]:
        mask = PICTURE_MASK if picture.bits == 15 else PICTURE_MASK >> 8
        if self._highest is None:
            self._highest, self._highest_base = picture.identity, picture.base or 0
        identity = unwrap_bits(picture.identity, self._highest, mask)
        base = unwrap_bits(picture.base or 0, self._highest_base, BASE_MASK)
        self._highest = max(self._highest, identity)
        self._highest_base = max(self._highest_base, base)
        return identity, base
