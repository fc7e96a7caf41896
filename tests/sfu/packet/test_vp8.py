from hypothesis import given
from hypothesis import strategies as st

from sfu.packet.payload import keyframe_detector
from sfu.packet.vp8 import parse_picture, write_picture


def descriptor(identity, *, bits=15, base=None, temporal=None, starts=True, key=True):
    """A VP8 payload with these numbers in its descriptor."""
    flags = 0x80 | (0x40 if base is not None else 0) | (0x20 if temporal is not None else 0)
    head = bytes((0x80 | (0x10 if starts else 0), flags))
    head += (0x8000 | identity).to_bytes(2, "big") if bits == 15 else bytes((identity,))
    head += b"" if base is None else bytes((base,))
    head += b"" if temporal is None else bytes((temporal << 6,))
    return head + bytes((0 if key else 1,)) + b"picture"


@given(st.binary(max_size=12))
def test_any_bytes_are_a_picture_or_none(data):
    picture = parse_picture(data)
    if picture is not None:
        assert picture.size <= len(data)
        again = parse_picture(write_picture(data, picture, identity=5, base=6))
        assert (again.identity, again.bits) == (5, 15)
        assert again.base == (None if picture.base is None else 6)
        assert again.temporal == picture.temporal


@given(st.integers(0, 127), st.sampled_from([7, 15]), st.booleans(), st.booleans())
def test_only_the_numbers_change(identity, bits, has_base, key):
    base, temporal = (9, 2) if has_base else (None, None)
    payload = descriptor(identity, bits=bits, base=base, temporal=temporal, key=key)
    picture = parse_picture(payload)
    assert picture[:4] == (identity, bits, base, temporal)
    written = write_picture(payload, picture, identity=40_000, base=300)
    again = parse_picture(written)
    assert again[:4] == (40_000 & 0x7FFF, 15, None if base is None else 300 & 0xFF, temporal)
    assert written[again.size :] == payload[picture.size :]
    starts = keyframe_detector("vp8")
    assert starts(written) == starts(payload) == key
