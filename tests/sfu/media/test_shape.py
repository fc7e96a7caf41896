"""What packets look like for a class of legs."""

import pytest

from sfu.media.history import Stored
from sfu.media.model import Codec, Kind, LegSpec
from sfu.media.shape import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    HURRIED,
    MID,
    PLAYOUT_DELAY,
    UNHURRIED,
    VIDEO_ORIENTATION,
    Shape,
    send_time,
    shape_key,
)
from sfu.packet import rtp

OPUS = Codec(Kind.AUDIO, "opus", 48_000, 2)


def spec(mid="0", **extensions):
    return LegSpec(
        mid=mid,
        kind=Kind.AUDIO,
        slot=0,
        ssrc=1,
        payload_types={OPUS: 63},
        extensions=extensions.get("extensions", {}),
    )


def stored(**passed):
    return Stored(1, 2, True, 111, b"p", b"\1\2\3", 0.0, passed.get("passed", {}))


def values(block):
    return rtp.parse_extensions(int.from_bytes(block[:2], "big"), block[4:])


def test_legs_that_agree_share_a_key():
    one, two = (spec(extensions={MID: 1, ABS_SEND_TIME: 2}) for _ in range(2))
    assert shape_key(one, OPUS, {}) == shape_key(two, OPUS, {})
    assert shape_key(one, OPUS, {}) != shape_key(spec(mid="1", extensions={MID: 1}), OPUS, {})


def test_a_codec_the_leg_lacks_has_no_shape():
    assert shape_key(spec(), Codec(Kind.AUDIO, "opus", 48_000, 1), {}) is None


def test_only_what_the_publisher_offers_is_passed_on():
    offered = spec(extensions={AUDIO_LEVEL: 3, VIDEO_ORIENTATION: 4})
    key = shape_key(offered, OPUS, {AUDIO_LEVEL: 9})
    assert key is not None
    passed = {AUDIO_LEVEL: b"\x85", VIDEO_ORIENTATION: b"\x01"}
    assert values(Shape(key).block(stored(passed=passed), b"")) == {3: b"\x85"}


def test_a_block_does_not_remember_the_packet_before():
    key = shape_key(spec(extensions={ABS_SEND_TIME: 2, AUDIO_LEVEL: 3}), OPUS, {AUDIO_LEVEL: 9})
    assert key is not None
    shape = Shape(key)
    loud, quiet = stored(passed={AUDIO_LEVEL: b"\1"}), stored()
    seen = [
        values(shape.block(packet, sent))
        for packet, sent in (
            (quiet, b"aaa"),
            (loud, b"aaa"),
            (quiet, b"aaa"),
            (quiet, b"bbb"),
            (quiet, b"aaa"),
        )
    ]
    assert seen == [
        {2: b"aaa"},
        {2: b"aaa", 3: b"\1"},
        {2: b"aaa"},
        {2: b"bbb"},
        {2: b"aaa"},
    ]


@pytest.mark.parametrize(
    ("seconds", "stamp"), [(0, 0), (1, 1 << 18), (63.5, 0xFE0000), (64, 0), (0.25, 1 << 16)]
)
def test_the_send_time_is_six_bits_of_seconds_and_eighteen_of_fraction(seconds, stamp):
    assert int.from_bytes(send_time(int(seconds * 2**32)), "big") == stamp


def test_playout_delay_is_none_or_up_to_ten_seconds_where_it_was_negotiated():
    asked = spec(extensions={PLAYOUT_DELAY: 9})
    for playout, least_ms, most_ms in ((HURRIED, 0, 0), (UNHURRIED, 0, 10_000)):
        key = shape_key(asked, OPUS, {}, playout=playout)
        value = int.from_bytes(values(Shape(key).block(stored(), b"\0\0\0"))[9], "big")
        assert ((value >> 12) * 10, (value & 0xFFF) * 10) == (least_ms, most_ms)
    assert shape_key(spec(), OPUS, {}, playout=HURRIED) == shape_key(spec(), OPUS, {})
