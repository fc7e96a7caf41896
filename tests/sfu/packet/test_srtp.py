"""Protection of both directions, on both profiles."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.packet import rtcp, rtp
from sfu.packet.srtp import INBOUND_SSRCS_MAX, PLAIN_BYTES_MAX, Profile, Srtp

pytestmark = pytest.mark.parametrize("profile", list(Profile))


def pair(profile):
    size = profile.key_bytes + profile.salt_bytes
    one, two = os.urandom(size), os.urandom(size)
    return Srtp(profile, one, two), Srtp(profile, two, one)


def media(sequence, *, ssrc=7, payload=b"picture", marker=False):
    return rtp.write(
        marker=marker,
        payload_type=96,
        sequence=sequence,
        timestamp=1,
        ssrc=ssrc,
        payload=payload,
    )


def report(ssrc=9):
    return rtcp.write_receiver_report(rtcp.ReceiverReport(ssrc))


def test_what_one_end_protects_the_other_reads(profile):
    ours, theirs = pair(profile)
    wire = ours.protect_rtp(media(1))
    assert wire is not None
    assert b"picture" not in wire
    assert theirs.unprotect_rtp(wire) == media(1)
    control = theirs.protect_rtcp(report())
    assert control is not None
    assert ours.unprotect_rtcp(control) == report()


def test_a_replayed_packet_is_refused(profile):
    ours, theirs = pair(profile)
    wire = ours.protect_rtp(media(1))
    control = ours.protect_rtcp(report())
    assert wire is not None
    assert control is not None
    assert theirs.unprotect_rtp(wire) is not None
    assert theirs.unprotect_rtp(wire) is None
    assert theirs.unprotect_rtcp(control) is not None
    assert theirs.unprotect_rtcp(control) is None


def test_a_packet_a_thousand_late_is_still_accepted(profile):
    ours, theirs = pair(profile)
    wires = [ours.protect_rtp(media(n)) for n in range(1001)]
    for wire in wires[1:]:
        assert theirs.unprotect_rtp(wire) is not None
    assert theirs.unprotect_rtp(wires[0]) == media(0)


def test_the_same_bytes_may_be_sent_again(profile):
    ours, _ = pair(profile)
    assert ours.protect_rtp(media(5)) == ours.protect_rtp(media(5))


def test_every_changed_byte_is_noticed(profile):
    ours, theirs = pair(profile)
    wire = ours.protect_rtp(media(1))
    assert wire is not None
    for at in range(len(wire)):
        changed = bytearray(wire)
        changed[at] ^= 0x40
        assert theirs.unprotect_rtp(bytes(changed)) is None, at
    assert theirs.unprotect_rtp(wire) == media(1)


def test_no_prefix_is_accepted(profile):
    ours, theirs = pair(profile)
    wire, control = ours.protect_rtp(media(1)), ours.protect_rtcp(report())
    assert wire is not None
    assert control is not None
    for size in range(len(wire)):
        assert theirs.unprotect_rtp(wire[:size]) is None
    for size in range(len(control)):
        assert theirs.unprotect_rtcp(control[:size]) is None


def test_authenticated_ssrcs_have_a_bound(profile):
    ours, theirs = pair(profile)
    passed = [
        theirs.unprotect_rtp(ours.protect_rtp(media(1, ssrc=1000 + n)) or b"") is not None
        for n in range(INBOUND_SSRCS_MAX + 20)
    ]
    assert passed == [True] * INBOUND_SSRCS_MAX + [False] * 20
    assert theirs.unprotect_rtp(ours.protect_rtp(media(2, ssrc=1000)) or b"") is not None


def test_forged_ssrcs_take_no_place(profile):
    ours, theirs = pair(profile)
    for n in range(INBOUND_SSRCS_MAX + 20):
        assert theirs.unprotect_rtp(media(1, ssrc=n) + bytes(16)) is None
    assert theirs.unprotect_rtp(ours.protect_rtp(media(1)) or b"") is not None


def test_a_packet_too_long_is_refused_not_raised(profile):
    ours, theirs = pair(profile)
    assert ours.protect_rtp(media(1, payload=bytes(PLAIN_BYTES_MAX - 12))) is not None
    assert ours.protect_rtp(media(2, payload=bytes(PLAIN_BYTES_MAX - 11))) is None
    assert theirs.unprotect_rtp(bytes(2000)) is None
    assert ours.protect_rtcp(bytes(2000)) is None


@given(data=st.binary(max_size=1600))
@settings(max_examples=60)
def test_any_bytes_are_refused_not_raised(profile, data):
    ours, _ = pair(profile)
    assert ours.unprotect_rtp(data) is None
    assert ours.unprotect_rtcp(data) is None
    ours.protect_rtp(data)
    ours.protect_rtcp(data)
