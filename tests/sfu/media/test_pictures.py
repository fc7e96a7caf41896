"""Picture numbers across layers: whoever changes layers at a key frame sees them only rise."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sfu.media.pictures import LayerPictures, Pictures
from sfu.packet.vp8 import parse_picture
from tests.sfu.packet.test_vp8 import descriptor

STARTS = st.tuples(st.integers(0, 0x7FFF), st.integers(0, 255))
STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.booleans(), st.integers(0, 2)), min_size=1, max_size=120
)


class Sender:
    """One layer of an encoder."""

    def __init__(self, shared, start):
        self.identity, self.base = start
        self.pictures = LayerPictures(shared)
        self.begun = False

    def frame(self, *, key, temporal):
        """The next frame's first packet as viewers see it."""
        key = key or not self.begun
        temporal = 0 if key else temporal
        self.begun = True
        self.identity = (self.identity + 1) & 0x7FFF
        self.base = (self.base + (temporal == 0)) & 0xFF
        payload = descriptor(self.identity, base=self.base, temporal=temporal, key=key)
        return key, parse_picture(self.pictures.renumber(payload, starts=key, is_late=False))


@given(st.lists(STARTS, min_size=3, max_size=3), STEPS)
def test_ids_rise_for_a_viewer_that_changes_layers_at_any_key_frame(starts, steps):
    shared = Pictures()
    senders = [Sender(shared, start) for start in starts]
    watched = None
    seen = []
    for index, key, temporal in steps:
        is_key, picture = senders[index].frame(key=key, temporal=temporal)
        if is_key:
            # At every key frame of any layer the viewer goes over to it.
            watched = index
        if index == watched:
            seen.append((is_key, picture))
    for (_, before), (is_key, after) in pairwise(seen):
        ahead = (after.identity - before.identity) & 0x7FFF
        assert 0 < ahead < 0x4000
        if not is_key:
            assert ahead == 1, "a delta frame follows its predecessor without a gap"
            assert (after.base - before.base) & 0xFF == (after.temporal == 0)
        else:
            assert 0 < (after.base - before.base) & 0xFF < 0x80


def test_a_packet_that_comes_late_is_numbered_as_its_group_was():
    pictures = LayerPictures(shared := Pictures())
    shared.identity = 500
    first = descriptor(10, key=True)
    late = descriptor(12, key=False)
    assert parse_picture(pictures.renumber(first, starts=True, is_late=False)).identity == 501
    shared.identity = 900
    second = descriptor(20, key=True)
    assert parse_picture(pictures.renumber(second, starts=True, is_late=False)).identity == 901
    assert parse_picture(pictures.renumber(late, starts=False, is_late=True)).identity == 503
    after = descriptor(21, key=False, starts=False)
    assert parse_picture(pictures.renumber(after, starts=False, is_late=False)).identity == 902


def test_a_key_frame_whose_beginning_comes_late_keeps_the_numbers_of_what_followed():
    pictures = LayerPictures(shared := Pictures())
    pictures.renumber(descriptor(10), starts=True, is_late=False)
    shared.identity = 900
    rest = parse_picture(
        pictures.renumber(descriptor(11, starts=False), starts=False, is_late=False)
    )
    begin = parse_picture(pictures.renumber(descriptor(11), starts=True, is_late=True))
    assert begin.identity == rest.identity


def test_without_picture_ids_nothing_changes():
    pictures = LayerPictures(Pictures())
    assert pictures.renumber(b"\x10\x00data", starts=True, is_late=False) == b"\x10\x00data"
