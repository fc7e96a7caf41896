"""RTCP both ways, against aiortc where it knows the packet, by hand where it does not."""

import struct

import pytest
from aiortc import rtp as aiortc_rtp
from hypothesis import given
from hypothesis import strategies as st

from sfu.packet import rtcp

BLOCK = rtcp.ReportBlock(
    ssrc=1, fraction_lost=128, lost=-3, highest=70000, jitter=12, last_report=7, delay=9
)
REPORT = rtcp.SenderReport(
    ssrc=5, ntp=2**63 + 5, timestamp=2**32 - 1, packets=10, octets=999, blocks=(BLOCK,)
)
uint32 = st.integers(0, 2**32 - 1)
blocks = st.builds(
    rtcp.ReportBlock,
    ssrc=uint32,
    fraction_lost=st.integers(0, 255),
    lost=st.integers(-(2**23), 2**23 - 1),
    highest=uint32,
    jitter=uint32,
    last_report=uint32,
    delay=uint32,
)


def only(data):
    compound = rtcp.parse(data)
    assert (compound.malformed, compound.unknown, len(compound.parts)) == (0, 0, 1)
    return compound.parts[0]


EXAMPLES = {
    "sender report": (rtcp.write_sender_report(REPORT), REPORT),
    "receiver report": (
        rtcp.write_receiver_report(rtcp.ReceiverReport(5, (BLOCK, BLOCK))),
        rtcp.ReceiverReport(5, (BLOCK, BLOCK)),
    ),
    "source description": (
        rtcp.write_source_description(5, "liveroom"),
        rtcp.SourceDescription(((5, "liveroom"),)),
    ),
    "goodbye": (rtcp.write_goodbye([5, 6]), rtcp.Goodbye((5, 6))),
    "nack": (rtcp.write_nack(1, 5, [10, 12, 26, 27]), rtcp.Nack(1, 5, (10, 12, 26, 27))),
    "picture loss": (rtcp.write_picture_loss(1, 5), rtcp.PictureLoss(1, 5)),
    "full intra request": (
        rtcp.write_full_intra_request(1, [(5, 255), (6, 0)]),
        rtcp.FullIntraRequest(1, ((5, 255), (6, 0))),
    ),
    "remb": (rtcp.write_remb(1, 4_000_000, [5, 6]), rtcp.Remb(1, 4_000_000, (5, 6))),
}


@pytest.mark.parametrize(("data", "part"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_what_we_write_is_what_we_read(data, part):
    assert only(data) == part


@pytest.mark.parametrize(("data", "part"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_every_prefix_is_malformed_and_every_odd_tail_too(data, part):
    for size in range(1, len(data)):
        compound = rtcp.parse(data[:size])
        assert (compound.malformed, compound.parts) == (1, ())
    for tail in (b"\x80", b"\x80\xc9\x00", b"\x80\xc9\x00\x02\0\0\0\0", b"\x00\xc9\x00\x00"):
        compound = rtcp.parse(data + tail)
        assert (compound.malformed, compound.parts) == (1, (part,))


def test_a_compound_keeps_the_order_of_its_parts():
    compound = rtcp.parse(b"".join(data for data, _ in EXAMPLES.values()))
    assert compound == rtcp.Compound(tuple(part for _, part in EXAMPLES.values()))


def test_one_malformed_part_does_not_take_the_others_along():
    broken = b"\x9f\xc9\x00\x01\x00\x00\x00\x05"  # 31 blocks announced, none there
    data = EXAMPLES["picture loss"][0] + broken + EXAMPLES["nack"][0]
    compound = rtcp.parse(data)
    assert compound.malformed == 1
    assert [type(part) for part in compound.parts] == [rtcp.PictureLoss, rtcp.Nack]


def test_aiortc_reads_our_reports():
    (theirs,) = aiortc_rtp.RtcpPacket.parse(rtcp.write_sender_report(REPORT))
    assert (theirs.ssrc, theirs.sender_info.ntp_timestamp) == (5, 2**63 + 5)
    assert theirs.sender_info.rtp_timestamp == 2**32 - 1
    assert (theirs.reports[0].packets_lost, theirs.reports[0].fraction_lost) == (-3, 128)
    (theirs,) = aiortc_rtp.RtcpPacket.parse(rtcp.write_source_description(5, "liveroom"))
    assert theirs.chunks[0].items == [(1, b"liveroom")]
    (theirs,) = aiortc_rtp.RtcpPacket.parse(rtcp.write_goodbye([5, 6]))
    assert theirs.sources == [5, 6]


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=60, unique=True).map(sorted))
def test_aiortc_reads_our_nacks(lost):
    (theirs,) = aiortc_rtp.RtcpPacket.parse(rtcp.write_nack(1, 5, lost))
    assert (theirs.ssrc, theirs.media_ssrc, theirs.lost) == (1, 5, lost)


@given(st.integers(0, 2**40), st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_a_nack_names_the_same_numbers_across_a_wrap(start, steps):
    lost = [start]
    for step in steps:
        lost.append(lost[-1] + step)
    part = only(rtcp.write_nack(1, 5, lost))
    assert list(part.lost) == list(dict.fromkeys(n & 0xFFFF for n in lost))


@given(st.integers(0, 10**12), st.lists(uint32, max_size=5))
def test_aiortc_reads_our_remb(bitrate, ssrcs):
    (theirs,) = aiortc_rtp.RtcpPacket.parse(rtcp.write_remb(1, bitrate, ssrcs))
    read, theirs_ssrcs = aiortc_rtp.unpack_remb_fci(theirs.fci)
    ours = only(rtcp.write_remb(1, bitrate, ssrcs))
    assert (ours.bitrate_bps, list(ours.ssrcs)) == (read, theirs_ssrcs) == (read, ssrcs)
    assert bitrate * (1 - 2**-17) <= read <= bitrate


@given(st.builds(rtcp.ReceiverReport, uint32, st.lists(blocks, max_size=100).map(tuple)))
def test_reports_of_any_number_of_streams_are_split_at_31_and_lose_none(report):
    compound = rtcp.parse(rtcp.write_receiver_report(report))
    assert all(len(part.blocks) <= 31 for part in compound.parts)
    assert all(part.ssrc == report.ssrc for part in compound.parts)
    assert tuple(b for part in compound.parts for b in part.blocks) == report.blocks


def test_a_sender_report_with_40_blocks_continues_in_a_receiver_report():
    report = rtcp.SenderReport(5, 1, 2, 3, 4, (BLOCK,) * 40)
    first, second = rtcp.parse(rtcp.write_sender_report(report)).parts
    assert isinstance(first, rtcp.SenderReport)
    assert isinstance(second, rtcp.ReceiverReport)
    assert (len(first.blocks), len(second.blocks)) == (31, 9)


def test_loss_beyond_24_bits_is_clamped():
    for lost, read in ((2**30, 2**23 - 1), (-(2**30), -(2**23))):
        block = rtcp.ReportBlock(1, 0, lost, 0, 0, 0, 0)
        assert (
            only(rtcp.write_receiver_report(rtcp.ReceiverReport(5, (block,)))).blocks[0].lost
            == read
        )


def test_transport_wide_feedback_is_recognised_and_is_no_nack():
    # A run-length chunk that claims 8,191 packets, as the hostile would send.
    body = struct.pack("!IIHHIHH", 1, 5, 100, 65535, 0, 0x3FFF, 0)
    data = struct.pack("!BBH", 0x80 | 15, 205, len(body) // 4) + body
    assert only(data) == rtcp.TransportWide(1)


@pytest.mark.parametrize(
    ("data", "malformed", "unknown"),
    [
        (b"\x80\xc9\x00\x00", 1, 0),  # a report without its sender
        (b"\x81\xc8\x00\x06" + bytes(24), 1, 0),  # one block announced, none there
        (b"\x82\xcb\x00\x01" + bytes(4), 1, 0),  # two leave, one is named
        (b"\x81\xca\x00\x00", 1, 0),  # a chunk announced, none there
        (b"\x81\xca\x00\x02\0\0\0\5\x01\x09ab", 1, 0),  # a name longer than its chunk
        (b"\x81\xca\x00\x02\0\0\0\5\x01\x02ab", 1, 0),  # a chunk without an end
        (b"\x81\xcd\x00\x01" + bytes(4), 1, 0),  # feedback without media SSRC
        (b"\x81\xcd\x00\x02" + bytes(8), 1, 0),  # a NACK of nothing
        (b"\x84\xce\x00\x02" + bytes(8), 1, 0),  # a FIR of nothing
        (b"\x84\xce\x00\x03" + bytes(12), 1, 0),  # half a FIR entry
        (b"\x8f\xce\x00\x04" + bytes(8) + b"REMB\x02\x00\x00\x00", 1, 0),  # SSRCs missing
        (b"\x8f\xce\x00\x03" + bytes(8) + b"REMB", 1, 0),
        (b"\x8f\xce\x00\x03" + bytes(8) + b"ABCD", 0, 1),  # another application's
        (b"\x83\xcd\x00\x02" + bytes(8), 0, 1),  # TMMBR
        (b"\x80\xcf\x00\x01" + bytes(4), 0, 1),  # extended report
        (b"\x80\xd0\x00\x00", 0, 1),
        (b"\xa0\xc9\x00\x01\0\0\0\5" + b"\x80\xc9\x00\x01\0\0\0\5", 1, 0),  # padding not last
        (b"\xa0\xc9\x00\x01\0\0\0\x00", 1, 0),  # padding of none
        (b"\xa0\xc9\x00\x01\0\0\0\x08", 1, 0),  # padding larger than the part
        (b"\xa0\xc9\x00\x00", 1, 0),  # padding in nothing
    ],
)
def test_odd_parts_are_counted_and_dropped(data, malformed, unknown):
    compound = rtcp.parse(data)
    assert (compound.malformed, compound.unknown) == (malformed, unknown)


def test_padding_of_the_last_part_is_cut_off():
    assert only(b"\xa0\xc9\x00\x02\0\0\0\5\0\0\0\x04") == rtcp.ReceiverReport(5)


def test_a_remb_beyond_all_lines_is_read_as_the_bound():
    data = b"\x8f\xce\x00\x04" + bytes(8) + b"REMB\x00\xff\xff\xff"
    assert only(data) == rtcp.Remb(0, rtcp.BITRATE_BPS_MAX, ())


def test_a_whole_datagram_of_nacks_is_read_within_its_size():
    entries = b"\x00\x01\xff\xff" * 290
    data = struct.pack("!BBHII", 0x81, 205, 2 + 290, 1, 5) + entries
    assert len(only(data).lost) == 290 * 17


@given(st.binary(max_size=200))
def test_any_bytes_are_a_compound(data):
    compound = rtcp.parse(data)
    assert len(compound.parts) + compound.malformed + compound.unknown <= len(data) // 4 + 1


@given(
    st.lists(
        st.tuples(
            st.integers(0x80, 0xBF), st.sampled_from(range(199, 208)), st.binary(max_size=60)
        ),
        max_size=6,
    )
)
def test_any_parts_with_right_lengths_are_a_compound(parts):
    data = b"".join(
        struct.pack("!BBH", first, kind, len(body) // 4) + body[: len(body) // 4 * 4]
        for first, kind, body in parts
    )
    compound = rtcp.parse(data)
    assert len(compound.parts) + compound.malformed + compound.unknown == len(parts)
