"""Key frames told from payloads."""

import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from hypothesis import given
from hypothesis import strategies as st

from sfu.packet.payload import h264_parameter_sets, keyframe_detector

KEY = {
    "vp8": [
        b"\x10\x00\x00\x00",
        b"\x90\x80\x05\x00\x9d",  # 7-bit picture id
        b"\x90\x80\x85\x05\x00\x9d",  # 15-bit picture id
        b"\x90\xf0\x85\x05\x01\x20\x00",  # all of the descriptor
    ],
    "h264": [
        b"\x65abc",  # IDR
        b"\x67abc",  # SPS
        b"\x78\x00\x02\x67\x01\x00\x02\x68\x01",  # STAP-A of SPS and PPS
        b"\x78\x00\x02\x09\x01\x00\x02\x65\x01",  # STAP-A: delimiter, IDR
        b"\x7c\x85abc",  # FU-A, start of an IDR
    ],
    "vp9": [
        b"\x8c\x05\x00",
        b"\x88\x80\x05",
        b"\xa8\x85\x05\x00\x00",  # layer indices: spatial layer 0
        b"\x08\x00",
    ],
    "av1": [b"\x18\x0a", b"\x08\x0a"],
}
NOT_KEY = {
    "vp8": [
        b"\x10\x01\x00\x00",  # an inter frame
        b"\x00\x00\x00\x00",  # not the start of the partition
        b"\x11\x00\x00\x00",  # partition 1
        b"\x90\x80\x05",  # nothing after the descriptor
    ],
    "h264": [
        b"\x61abc",  # a slice
        b"\x68abc",  # PPS alone
        b"\x7c\x05abc",  # FU-A, the middle of an IDR
        b"\x7c\x81abc",  # FU-A, start of a slice
        b"\x7c",
        b"\x78\x00\x02\x61\x01",  # STAP-A of slices
        b"\x78\x00\x00\x00\x00",
        b"\x78\xff\xff",
    ],
    "vp9": [b"\xcc\x05\x00", b"\x84\x05", b"\xa8\x05\x02\x00", b"\x28"],
    "av1": [b"\x98\x0a", b"\x10\x0a", b"\x08"],
}


def cases(table):
    return [(codec, payload) for codec, payloads in table.items() for payload in payloads]


@pytest.mark.parametrize(("codec", "payload"), cases(KEY))
def test_a_key_frame_starts_here(codec, payload):
    assert keyframe_detector(codec)(payload)


@pytest.mark.parametrize(("codec", "payload"), [*cases(NOT_KEY), *((c, b"") for c in KEY)])
def test_no_key_frame_starts_here(codec, payload):
    assert not keyframe_detector(codec)(payload)


def test_of_an_audio_codec_nobody_can_tell():
    assert keyframe_detector("opus") is None


@pytest.mark.parametrize("codec", list(KEY))
@given(payload=st.binary(max_size=12))
def test_any_bytes_get_a_yes_or_a_no(codec, payload):
    assert keyframe_detector(codec)(payload) in (True, False)


@given(
    start=st.integers(0, 1),
    partition=st.integers(0, 7),
    picture=st.none() | st.integers(0, 32767),
    key=st.booleans(),
)
def test_a_vp8_frame_is_found_behind_any_descriptor_of_aiortc(start, partition, picture, key):
    descriptor = VpxPayloadDescriptor(
        partition_start=start, partition_id=partition, picture_id=picture
    )
    payload = bytes(descriptor) + (b"\x00" if key else b"\x01") + b"frame"
    expected = key and start == 1 and partition == 0
    assert keyframe_detector("vp8")(payload) is expected


@pytest.mark.parametrize(
    ("payload", "sets"),
    [
        (b"", ()),
        (b"\x67sps", (b"\x67sps",)),
        (b"\x68pps", (b"\x68pps",)),
        (b"\x65idr", ()),
        (b"\x78\x00\x02\x67s\x00\x02\x68p\x00\x02\x65i", (b"\x67s", b"\x68p")),
        (b"\x78\x00\x02\x67s\x00\x09\x68p", (b"\x67s",)),  # the second does not fit
        (b"\x78\x00\x00\x00\x02\x68p", (b"\x68p",)),  # the first is empty
        (b"\x7c\x87sps", ()),  # a fragment is not whole
    ],
)
def test_parameter_sets_are_found_where_they_are_whole(payload, sets):
    assert h264_parameter_sets(payload) == sets


@given(st.binary(max_size=20))
def test_any_bytes_have_some_or_no_parameter_sets(payload):
    for unit in h264_parameter_sets(payload):
        assert unit in payload
