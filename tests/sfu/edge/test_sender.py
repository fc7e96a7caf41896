"""Batches are sent in order, never two at a time, large ones beside the event loop."""

import gc
import threading
import weakref

import pytest

from sfu.control.route import Route
from sfu.edge.fanout import Job, Sent
from sfu.edge.sender import INLINE_PACKETS_MAX, QUEUED_PACKETS_MAX, Sender, joined
from sfu.media.model import Packet
from tests.waiting import wait_until

LARGE = INLINE_PACKETS_MAX + 1
WAIT_S = 5.0


class Keys:
    """Stands for an SRTP context, of somebody."""

    def __init__(self, name):
        self.name = name


class Way:
    """A fan-out that notes what it is given and can be held up."""

    def __init__(self, *, releases_lock=True):
        self.releases_lock = releases_lock
        self.batches = []
        self.jobs = []
        self.threads = []
        self.running = 0
        self.overlapped = False
        self.gate = threading.Event()
        self.gate.set()
        self.failure = None

    def send(self, jobs):
        self.running += 1
        self.overlapped |= self.running > 1
        assert self.gate.wait(WAIT_S)
        self.jobs.append(jobs)
        self.batches.append(jobs[0].routes[0].srtp.name)
        self.threads.append(threading.current_thread())
        self.running -= 1
        if self.failure is not None:
            raise self.failure
        return Sent(packets=sum(len(job.media) for job in jobs))


def jobs(name, packets, keys=None, header=b"header", address=("127.0.0.1", 9)):
    route = Route(address, keys or Keys(name))
    return [Job((route,), (Packet(header, b""),) * packets)]


class Desk:
    """What the sender says."""

    def __init__(self, way):
        self.reports, self.broken = [], []
        self.sender = Sender(way, lambda *what: self.reports.append(what), self.broken.append)


@pytest.fixture
def made():
    opened = []

    def make(way):
        desk = Desk(way)
        opened.append((way, desk))
        return desk, desk.sender

    yield make
    for way, desk in opened:
        way.gate.set()
        desk.sender.close()


def until(condition):
    wait_until(condition, seconds=WAIT_S, what="what the sender does", every_s=0.001)


def test_a_small_batch_is_sent_before_the_offer_returns(made):
    way = Way()
    desk, sender = made(way)
    sender.offer(jobs("small", INLINE_PACKETS_MAX), INLINE_PACKETS_MAX, (1.0,))
    assert way.threads == [threading.current_thread()]
    assert desk.reports == [(Sent(packets=INLINE_PACKETS_MAX), (1.0,))]


def test_a_large_batch_does_not_hold_the_caller_up(made):
    way = Way()
    desk, sender = made(way)
    way.gate.clear()
    sender.offer(jobs("large", LARGE), LARGE, (1.0,))
    assert sender.queued == LARGE
    assert not desk.reports
    way.gate.set()
    until(lambda: sender.queued == 0)
    assert way.threads[0] is not threading.current_thread()
    assert desk.reports == [(Sent(packets=LARGE), (1.0,))]


def test_what_gathers_behind_a_large_batch_is_sent_in_order_in_one_go(made):
    """Contexts are never in two hands, and no packet overtakes another of its leg."""
    way = Way()
    _, sender = made(way)
    way.gate.clear()
    ann, bob = Keys("ann"), Keys("bob")
    sender.offer(jobs("large", LARGE), LARGE, ())
    until(lambda: way.running)
    for number in range(3):
        for name, keys in (("ann", ann), ("bob", bob)):
            sender.offer(jobs(name, 1, keys, header=b"%d" % number), 1, ())
    way.gate.set()
    until(lambda: sender.queued == 0)
    sender.offer(jobs("after", 1), 1, ())
    assert way.batches == ["large", "ann", "after"]
    assert not way.overlapped
    assert way.threads[-1] is threading.current_thread()
    joined = {job.routes[0].srtp.name: [header for header, _ in job.media] for job in way.jobs[1]}
    assert joined == {"ann": [b"0", b"1", b"2"], "bob": [b"0", b"1", b"2"]}


def test_a_session_that_moved_is_sent_all_where_it_is_now():
    keys = Keys("ann")
    old, new = jobs("ann", 1, keys)[0], jobs("ann", 2, keys, address=("::1", 8))[0]
    (found,) = joined([old, new])
    assert found.routes[0].address == ("::1", 8)
    assert len(found.media) == 3


def test_fans_of_one_roster_become_one_and_others_stay_apart():
    routes = tuple(Route(("127.0.0.1", 9), Keys(name)) for name in ("ann", "bob"))
    both, one = (b"ann", b"bob"), (b"ann",)
    fans = [
        Job(routes, (Packet(b"1", b""),), (), both),
        Job(routes[:1], (Packet(b"2", b""),), (), one),
        Job(routes, (Packet(b"3", b""),), (), both),
        Job(routes, (Packet(b"4", b""),), (), (*both,)),
    ]
    found = [([header for header, _ in job.media], job.numbers) for job in joined(fans)]
    assert found == [([b"1", b"3"], both), ([b"2"], one), ([b"4"], both)]


def test_a_fan_out_that_keeps_the_lock_has_no_thread(made):
    way = Way(releases_lock=False)
    _, sender = made(way)
    sender.offer(jobs("large", 5000), 5000, ())
    assert way.threads == [threading.current_thread()]


def test_what_does_not_fit_into_the_queue_is_dropped_whole_and_counted(made):
    way = Way()
    desk, sender = made(way)
    way.gate.clear()
    sender.offer(jobs("first", QUEUED_PACKETS_MAX), QUEUED_PACKETS_MAX, (1.0,))
    sender.offer(jobs("second", 70), 70, (2.0,))
    assert desk.reports == [(Sent(dropped=70), ())]
    way.gate.set()
    until(lambda: sender.queued == 0)
    assert way.batches == ["first"]


def test_nothing_to_send_is_no_call(made):
    way = Way()
    desk, sender = made(way)
    sender.offer([], 0, ())
    assert not way.batches
    assert not desk.reports


def test_a_bug_on_the_thread_is_told_and_the_next_batch_is_sent(made):
    way = Way()
    desk, sender = made(way)
    way.failure = ZeroDivisionError()
    sender.offer(jobs("broken", LARGE), LARGE, ())
    until(lambda: sender.queued == 0)
    assert desk.broken == [way.failure]
    way.failure = None
    sender.offer(jobs("whole", LARGE), LARGE, ())
    until(lambda: way.batches == ["broken", "whole"])


def test_closing_sends_what_is_queued_first(made):
    way = Way()
    _, sender = made(way)
    way.gate.clear()
    sender.offer(jobs("one", LARGE), LARGE, ())
    sender.offer(jobs("two", LARGE), LARGE, ())
    threading.Timer(0.05, way.gate.set).start()
    sender.close()
    assert [job.routes[0].srtp.name for sent in way.jobs for job in sent] == ["one", "two"]
    assert sender.queued == 0


def test_the_keys_of_a_session_that_closed_live_until_its_last_packet_is_sent(made):
    way = Way()
    _, sender = made(way)
    way.gate.clear()
    keys = Keys("ann")
    kept = weakref.ref(keys)
    sender.offer(jobs("large", LARGE, keys), LARGE, ())
    del keys
    gc.collect()
    assert kept() is not None
    way.gate.set()
    until(lambda: sender.queued == 0)
    way.jobs.clear()
    until(lambda: kept() is None)
