from hypothesis import given
from hypothesis import strategies as st

from sfu.packet import rtcp, rtp
from sfu.packet.transport_wide import number_of, write_transport_wide
from tests.sfu.packet.transport_wide_reader import read

GAPS = st.one_of(
    st.none(), st.integers(0, 255), st.integers(-40_000, 40_000), st.integers(-(10**6), 10**7)
)


def ticks(gaps, start):
    """Arrivals from the differences between them; None did not arrive."""
    moment, found = start, []
    for gap in gaps:
        moment = max(0, moment + (gap or 0))
        found.append(None if gap is None else moment)
    return found


@given(
    st.lists(GAPS, max_size=900) | st.integers(0, 9_000).map(lambda n: [None] * n + [1]),
    st.integers(0, 70_000),
    st.integers(0, 2**26),
    st.integers(0, 300),
)
def test_what_is_written_reads_back_whatever_arrived_when(gaps, first, start, count):
    arrivals = ticks(gaps, start)
    written = write_transport_wide(7, 8, first, arrivals, count=count)
    told = {}
    for index, data in enumerate(written):
        assert len(data) <= 1_200
        number, _, found = read(data)
        assert number == (count + index) & 0xFF
        for sequence, tick in found.items():
            assert told.get(sequence) is None, "a packet is told of twice"
            told[sequence] = tick
    # The reference has 24 bits of 64 ms; ticks here stay below its wrap or are taken modulo it.
    for index, moment in enumerate(arrivals):
        tick = told.get((first + index) & 0xFFFF)
        assert (tick is None) == (moment is None)
        if tick is not None:
            assert (tick - moment) % (1 << 32) == 0
    if all(moment is None for moment in arrivals):
        assert written == []


def test_our_own_reader_recognises_it():
    (data,) = write_transport_wide(7, 8, 65_530, [1, None, 3], count=0)
    compound = rtcp.parse(data)
    assert compound == rtcp.Compound((rtcp.TransportWide(7),))


def test_an_ordinary_report_is_small():
    (data,) = write_transport_wide(7, 8, 0, [10 * n for n in range(26)], count=0)
    assert len(data) == 20 + 2 + 26


def test_the_number_is_read_only_where_it_has_two_bytes():
    block = rtp.write_extensions([(3, b"\x12\x34"), (4, b"\x01")])
    packet = rtp.parse(
        rtp.write(
            marker=False,
            payload_type=96,
            sequence=1,
            timestamp=2,
            ssrc=3,
            payload=b"x",
            extensions=block,
        )
    )
    assert number_of(packet.profile, packet.extension, 3) == 0x1234
    assert number_of(packet.profile, packet.extension, 4) is None
    assert number_of(packet.profile, packet.extension, 5) is None
