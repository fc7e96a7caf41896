from hypothesis import given
from hypothesis import strategies as st

from sfu.media.arrivals import JUMP_MAX, REPORT_AFTER_S, Arrivals
from tests.sfu.packet.transport_wide_reader import read


def told(reports):
    """Number -> tick over several reports; a later one may repeat an earlier, never deny it."""
    found = {}
    for data in reports:
        for number, tick in read(data)[2].items():
            if tick is None:
                assert found.get(number) is None
            else:
                assert found.setdefault(number, tick) in (None, tick)
                found[number] = tick
    return found


def test_nothing_is_due_until_something_arrives_and_then_in_time():
    arrivals = Arrivals()
    assert arrivals.due() is None
    arrivals.arrived(5, now=10.0)
    arrivals.arrived(6, now=10.05)
    assert arrivals.due() == 10.0 + REPORT_AFTER_S
    assert arrivals.take(1, 2, now=10.06) == []
    (report,) = arrivals.take(1, 2, now=10.08)
    assert read(report)[2] == {5: 40_000, 6: 40_200}
    assert arrivals.due() is None


def test_a_packet_that_comes_after_its_report_is_told_of_in_the_next():
    arrivals = Arrivals()
    for number in (1, 2, 4):
        arrivals.arrived(number, now=1.0)
    first = arrivals.take(1, 2, now=2.0)
    assert read(first[0])[2][3] is None
    arrivals.arrived(3, now=2.1)
    arrivals.arrived(5, now=2.1)
    (second,) = arrivals.take(1, 2, now=3.0)
    assert read(second)[2] == {3: 8_400, 4: 4_000, 5: 8_400}
    assert (read(first[0])[0], read(second)[0]) == (0, 1)


def test_a_new_numbering_is_followed():
    arrivals = Arrivals()
    arrivals.arrived(10, now=1.0)
    arrivals.take(1, 2, now=2.0)
    arrivals.arrived(10 + JUMP_MAX + 1, now=3.0)
    (report,) = arrivals.take(1, 2, now=4.0)
    assert read(report)[2] == {10 + JUMP_MAX + 1: 12_000}


@given(st.sampled_from([0, 1, 65_500, 65_535, 32_768]), st.data())
def test_every_arrival_is_told_of_whatever_is_lost_late_or_doubled(start, data):
    order = data.draw(st.permutations(range(60)))
    near = sorted(range(60), key=lambda n: n + order[n] % 9)
    kept = [n for n in near if data.draw(st.booleans())]
    twice = [n for n in kept for _ in range(1 + (n % 5 == 0))]
    arrivals, reports, came = Arrivals(), [], {}
    now = 50.0
    for n in twice:
        number = (start + n) & 0xFFFF
        now += data.draw(st.floats(0, 0.1))
        arrivals.arrived(number, now=now)
        came.setdefault(number, int(now * 4_000))
        if data.draw(st.booleans()):
            reports += arrivals.take(1, 2, now=now)
    reports += arrivals.take(1, 2, now=now + 1)
    assert {number: tick for number, tick in told(reports).items() if tick is not None} == came
    assert arrivals.due() is None
