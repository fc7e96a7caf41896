"""RTP packets and header extensions, against aiortc's own serialiser."""

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st

from sfu.packet import rtp

HEADER = bytes.fromhex("80e0 1234 00000001 000000ff".replace(" ", ""))


def test_a_plain_packet_is_read():
    assert rtp.parse(HEADER + b"payload") == rtp.RtpPacket(
        True, 96, 0x1234, 1, 255, 0, b"", b"payload"
    )


def test_contributing_sources_extension_and_padding_are_cut_off():
    data = bytes.fromhex("b2600001 00000002 00000003 00000004 00000005 bede0001 11aabb00")
    parsed = rtp.parse(data + b"PAY" + b"\0\0\x03")
    assert parsed is not None
    assert parsed.payload == b"PAY"
    assert rtp.parse_extensions(parsed.profile, parsed.extension) == {1: b"\xaa\xbb"}


def test_a_packet_of_nothing_but_padding_has_an_empty_payload():
    parsed = rtp.parse(b"\xa0" + HEADER[1:] + bytes(9) + b"\x0a")
    assert parsed is not None
    assert parsed.payload == b""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEADER[:11],
        b"\x40" + HEADER[1:] + b"payload",  # version 1
        b"\xc0" + HEADER[1:] + b"payload",  # version 3
        b"\x8f" + HEADER[1:] + bytes(56),  # 15 contributing sources in 14 places
        b"\x90" + HEADER[1:],  # an extension without its header
        b"\x90" + HEADER[1:] + b"\xbe\xde\x00",
        b"\x90" + HEADER[1:] + b"\xbe\xde\x00\x02" + bytes(7),  # two words in seven bytes
        b"\x90" + HEADER[1:] + b"\xbe\xde\xff\xff" + bytes(40),
        b"\xa0" + HEADER[1:] + b"\x00",  # padding of none
        b"\xa0" + HEADER[1:] + b"ab\x04",  # padding larger than the payload
        b"\xa0" + HEADER[1:],  # padding that would eat the header
    ],
)
def test_a_packet_that_does_not_fit_itself_is_none(data):
    assert rtp.parse(data) is None


def test_every_prefix_is_a_value_or_none_and_never_longer_than_given():
    data = bytes.fromhex("92600001 00000002 00000003 00000004 00000005 bede0001 11aabb00") + b"PAY"
    for size in range(len(data)):
        parsed = rtp.parse(data[:size])
        assert parsed is None or len(parsed.payload) <= size
        assert (parsed is None) == (size < 28)


@given(st.binary(max_size=120))
def test_any_bytes_are_a_value_or_none(data):
    parsed = rtp.parse(data)
    if parsed is not None:
        rtp.parse_extensions(parsed.profile, parsed.extension)
    rtp.parse_rtx_payload(data)


@given(st.sampled_from([0xBEDE, 0x1000, 0x100F, 0x0000, 0x1234]), st.binary(max_size=80))
def test_any_extension_block_yields_values(profile, block):
    for identity, value in rtp.parse_extensions(profile, block).items():
        assert 1 <= identity <= 255
        assert value in block


elements = st.dictionaries(st.integers(1, 255), st.binary(max_size=40), max_size=8)


@given(elements)
def test_extensions_survive_the_way_there_and_back(values):
    block = rtp.write_extensions(values.items())
    assert len(block) % 4 == 0
    if not values:
        assert block == b""
        return
    profile = int.from_bytes(block[:2], "big")
    assert rtp.parse_extensions(profile, block[4:]) == values
    # aiortc's reader is a second opinion on the layout.
    assert dict(aiortc_rtp.unpack_header_extensions(profile, block[4:])) == values


@pytest.mark.parametrize(
    ("values", "profile"),
    [
        ({1: b"a", 14: b"b" * 16}, 0xBEDE),
        ({15: b"a"}, 0x1000),
        ({1: b""}, 0x1000),
        ({1: b"b" * 17}, 0x1000),
    ],
)
def test_the_two_byte_form_is_used_only_where_it_must_be(values, profile):
    assert rtp.write_extensions(values.items())[:2] == profile.to_bytes(2, "big")


@pytest.mark.parametrize(
    ("profile", "block", "values"),
    [
        (0xBEDE, b"\x10a\x20b\xf0c\x30d", {1: b"a", 2: b"b"}),  # 15 ends it
        (0xBEDE, b"\x00\x00\x10a", {1: b"a"}),  # padding between
        (0xBEDE, b"\x10a\x0fzz", {1: b"a"}),  # id 0 with a length ends it
        (0xBEDE, b"\x10a\x27bc", {1: b"a"}),  # a length beyond the end
        (0x1000, b"\x01\x01a\x00\x02\x00\x03\x05zz", {1: b"a", 2: b""}),
        (0x1000, b"\x01\x01a\x02", {1: b"a"}),
        (0x7777, b"\x10a\x10b", {}),
    ],
)
def test_a_broken_block_yields_what_came_before_the_break(profile, block, values):
    assert rtp.parse_extensions(profile, block) == values


@given(
    marker=st.booleans(),
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 65535),
    timestamp=st.integers(0, 2**32 - 1),
    ssrc=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=50),
    values=elements,
)
def test_what_we_write_aiortc_and_we_read_alike(
    marker, payload_type, sequence, timestamp, ssrc, payload, values
):
    data = rtp.write(
        marker=marker,
        payload_type=payload_type,
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=payload,
        extensions=rtp.write_extensions(values.items()),
    )
    theirs = aiortc_rtp.RtpPacket.parse(data)
    ours = rtp.parse(data)
    assert ours is not None
    given_values = (marker, payload_type, sequence, timestamp, ssrc, payload)
    assert (*ours[:5], ours.payload) == given_values
    assert given_values == (
        bool(theirs.marker),
        theirs.payload_type,
        theirs.sequence_number,
        theirs.timestamp,
        theirs.ssrc,
        theirs.payload,
    )


def test_a_retransmission_is_what_aiortc_makes_of_it():
    original = aiortc_rtp.RtpPacket(payload_type=96, sequence_number=65535, payload=b"picture")
    wrapped = aiortc_rtp.wrap_rtx(original, payload_type=97, sequence_number=5, ssrc=9)
    assert rtp.write_rtx_payload(65535, b"picture") == wrapped.payload
    assert rtp.parse_rtx_payload(wrapped.payload) == (65535, b"picture")


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\1"])
def test_a_retransmission_of_nothing_is_a_probe(payload):
    assert rtp.parse_rtx_payload(payload) is None
