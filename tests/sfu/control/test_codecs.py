"""When two descriptions mean the same codec, and which decoder plays what."""

import pytest

from sfu.control.codecs import identity, with_aliases
from sfu.media.model import Codec, Kind


def h264(fmtp: str) -> Codec:
    return identity(Kind.VIDEO, "H264", 90000, 1, fmtp)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("42e01f", "1"), ("42E034", "1"), True),
        (("42e01f", "1"), ("42c00d", "1"), True),
        (("42e01f", "1"), ("4d801f", "1"), True),
        (("42e01f", "1"), ("42e01f", "0"), False),
        (("42e01f", "1"), ("42001f", "1"), False),
        (("64001f", "1"), ("640c1f", "1"), False),
    ],
)
def test_h264_is_the_same_by_profile_and_mode_not_by_level(
    one: tuple[str, str], other: tuple[str, str], same: bool
) -> None:
    made = [
        h264(f"packetization-mode={mode}; profile-level-id={level}") for level, mode in (one, other)
    ]
    assert (made[0] == made[1]) is same


def test_h264_without_parameters_is_baseline_in_single_units() -> None:
    assert h264("") == h264("profile-level-id=42001f;packetization-mode=0")


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("VP9", "", "profile-id=0", True),
        ("VP9", "profile-id=2", "profile-id=0", False),
        ("AV1", "level-idx=5;profile=0;tier=0", "", True),
        ("H265", "level-id=93;tx-mode=SRST", "level-id=180;profile-id=1;tier-flag=0", True),
        ("H265", "profile-id=2", "profile-id=1", False),
        ("VP8", "max-fr=30", "", True),
    ],
)
def test_other_codecs_are_the_same_by_profile(name: str, one: str, other: str, same: bool) -> None:
    made = [identity(Kind.VIDEO, name, 90000, 1, fmtp) for fmtp in (one, other)]
    assert (made[0] == made[1]) is same


def test_a_viewer_of_one_profile_plays_the_smaller_ones() -> None:
    high = h264("profile-level-id=640034;packetization-mode=1")
    table = with_aliases({high: 100})
    for profile in ("42e01f", "42001f", "4d001f", "640c1f"):
        for mode in ("0", "1"):
            assert table[h264(f"profile-level-id={profile};packetization-mode={mode}")] == 100


def test_a_viewer_is_not_sent_what_it_cannot_decode() -> None:
    table = with_aliases({h264("profile-level-id=42e01f;packetization-mode=1"): 100})
    assert h264("profile-level-id=640034;packetization-mode=1") not in table
    assert h264("profile-level-id=4d001f;packetization-mode=1") not in table
    single = with_aliases({h264("profile-level-id=42e01f;packetization-mode=0"): 100})
    assert h264("profile-level-id=42e01f;packetization-mode=1") not in single


def test_what_a_viewer_named_itself_is_never_replaced() -> None:
    baseline = h264("profile-level-id=42001f;packetization-mode=1")
    constrained = h264("profile-level-id=42e01f;packetization-mode=1")
    table = with_aliases({baseline: 102, constrained: 108})
    assert (table[baseline], table[constrained]) == (102, 108)


def test_other_codecs_have_no_aliases() -> None:
    vp8 = identity(Kind.VIDEO, "VP8", 90000, 1, "")
    assert with_aliases({vp8: 96}) == {vp8: 96}
