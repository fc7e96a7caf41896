"""How a leg's packets become runs: nothing is lost, reordered, or padded beyond the bounds."""

from hypothesis import given
from hypothesis import strategies as st

from sfu.edge.runs import (
    PADDING_BYTES_MAX,
    PADDING_PERCENT_MAX,
    RUN_BYTES_MAX,
    SEGMENTS_MAX,
    cut,
)
from sfu.media.model import Packet
from sfu.packet import rtp

VIDEO, REPAIR, AUDIO = 0x11111111, 0x22222222, 0x33333333
PADDABLE = tuple(ssrc.to_bytes(4, "big") for ssrc in (VIDEO, REPAIR))


def packet(number, size, ssrc=VIDEO):
    header = rtp.write(
        marker=False, payload_type=96, sequence=number, timestamp=1, ssrc=ssrc, payload=b""
    )
    return Packet(header, bytes((number + at) & 0xFF for at in range(size - len(header))))


def whole(given_packets):
    return [header + payload for header, payload in given_packets]


def whole_of(*sizes):
    return whole(packet(number, size) for number, size in enumerate(sizes))


def lengths(runs):
    return [[len(one) for one in run] for run in runs]


# Sizes in clusters, as encoders make them; a plain range would hardly ever meet two alike.
near = st.sampled_from([13, 200, 1100, 1300]).flatmap(lambda base: st.integers(base, base + 30))
streams = st.lists(
    st.tuples(near, st.sampled_from([VIDEO, VIDEO, VIDEO, REPAIR, AUDIO])), min_size=1, max_size=150
)


@given(streams)
def test_every_packet_comes_out_once_in_its_stream_s_order_with_its_payload(drawn):
    given_packets = [packet(n, size, ssrc) for n, (size, ssrc) in enumerate(drawn)]
    parsed = [rtp.parse(one) for run in cut(whole(given_packets), PADDABLE) for one in run]
    for stream in (VIDEO, REPAIR, AUDIO):
        expected = [
            rtp.parse(header + payload)
            for header, payload in given_packets
            if header[8:12] == stream.to_bytes(4, "big")
        ]
        assert [one for one in parsed if one.ssrc == stream] == expected


@given(streams, st.booleans())
def test_a_run_is_one_that_the_kernel_takes(drawn, may_pad):
    given_packets = [packet(n, size, ssrc) for n, (size, ssrc) in enumerate(drawn)]
    for run in cut(whole(given_packets), PADDABLE if may_pad else ()):
        sizes = [len(one) for one in run]
        assert set(sizes[:-1]) <= {sizes[0]}
        assert sizes[-1] <= sizes[0]
        assert len(run) <= SEGMENTS_MAX
        assert sum(sizes) + 16 * len(run) <= RUN_BYTES_MAX
        assert len({one[8:12] for one in run}) == 1


@given(streams)
def test_padding_stays_within_its_bounds_and_off_streams_that_must_not_have_it(drawn):
    given_packets = [packet(n, size, ssrc) for n, (size, ssrc) in enumerate(drawn)]
    plain = {header + payload for header, payload in given_packets}
    for run in cut(whole(given_packets), PADDABLE):
        padding = [one[-1] if one[0] & 0x20 else 0 for one in run]
        assert max(padding) <= PADDING_BYTES_MAX
        assert sum(padding) * 100 <= sum(map(len, run)) * PADDING_PERCENT_MAX
        if run[0][8:12] not in PADDABLE:
            assert plain.issuperset(run)


@given(streams)
def test_without_leave_to_pad_no_byte_is_changed(drawn):
    given_packets = [packet(n, size, ssrc) for n, (size, ssrc) in enumerate(drawn)]
    out = [one for run in cut(whole(given_packets)) for one in run]
    assert sorted(out) == sorted(header + payload for header, payload in given_packets)


def test_the_short_last_fragment_closes_its_frame_s_run():
    sizes = [1200, 1200, 1200, 300, 1200, 1200, 80]
    assert lengths(cut(whole_of(*sizes), PADDABLE)) == [[1200, 1200, 1200, 300], [1200, 1200, 80]]


def test_fragments_that_differ_by_a_byte_or_two_are_one_run():
    assert lengths(cut(whole_of(1101, 1102, 1101, 1102, 1103), PADDABLE)) == [[1103] * 5]
    assert lengths(cut(whole_of(1101, 1102, 1101))) == [[1101], [1102, 1101]]


def test_sound_between_pictures_does_not_cut_their_run():
    mixed = [packet(1, 1200), packet(2, 90, AUDIO), packet(3, 1200), packet(4, 700)]
    assert lengths(cut(whole(mixed), PADDABLE)) == [[1200, 1200, 700], [90]]


def test_padding_costs_no_more_than_its_share():
    assert lengths(cut(whole_of(1000, 1070), PADDABLE)) == [[1000], [1070]]
    assert lengths(cut(whole_of(1000, 1050), PADDABLE)) == [[1050, 1050]]


def test_long_bursts_are_cut_where_the_kernel_wants():
    assert lengths(cut(whole_of(*[200] * 130), ())) == [[200] * 64, [200] * 64, [200] * 2]
    assert [len(run) for run in cut(whole_of(*[1300] * 60), ())] == [49, 11]
