"""The sieve by first bytes (RFC 7983)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.packet.demux import Kind, demux


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (0, 1, Kind.STUN),
        (3, 0, Kind.STUN),
        (4, 0, Kind.UNKNOWN),
        (19, 0, Kind.UNKNOWN),
        (20, 254, Kind.DTLS),
        (63, 254, Kind.DTLS),
        (64, 0, Kind.UNKNOWN),  # TURN channels are not for us
        (127, 0, Kind.UNKNOWN),
        (128, 96, Kind.RTP),
        (191, 111, Kind.RTP),
        (128, 191, Kind.RTP),
        (128, 192, Kind.RTCP),
        (129, 200, Kind.RTCP),
        (128, 223, Kind.RTCP),
        (128, 224, Kind.RTP),  # marker and payload type 96
        (192, 0, Kind.UNKNOWN),
        (255, 0, Kind.UNKNOWN),
    ],
)
def test_the_first_two_bytes_decide(first, second, kind):
    assert demux(bytes((first, second)) + bytes(40)) is kind


def test_an_empty_datagram_is_unknown():
    assert demux(b"") is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("head", "least"), [(b"\x00\x01", 20), (b"\x16\xfe", 13), (b"\x80\x60", 12), (b"\x80\xc8", 8)]
)
def test_a_datagram_shorter_than_its_header_is_unknown(head, least):
    for size in range(2, least):
        assert demux(head.ljust(size, b"\0")[:size]) is Kind.UNKNOWN
    assert demux(head.ljust(least, b"\0")) is not Kind.UNKNOWN


@given(st.binary(max_size=64))
def test_any_bytes_get_a_kind(data):
    assert demux(data) in Kind
