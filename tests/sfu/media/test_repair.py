"""What is asked again and what is answered again, and that both have bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.media.repair import (
    ANSWERED_KEPT,
    ANSWERS_MAX,
    ASK_INTERVAL_MIN_S,
    ASKS_MAX,
    HOLD_OFF_MIN_S,
    MISSING_AGE_MAX_S,
    MISSING_MAX,
    Answers,
    ReceiveLog,
)


class TestReceiveLog:
    def test_a_hole_is_asked_for_at_once(self):
        log = ReceiveLog()
        log.advanced(10, 14, now=1.0)
        assert log.take(now=1.0) == (11, 12, 13)
        assert log.take(now=1.0) == ()

    def test_the_next_number_leaves_no_hole(self):
        log = ReceiveLog()
        log.advanced(10, 11, now=1.0)
        assert log.due() is None

    def test_what_came_is_not_asked_for(self):
        log = ReceiveLog()
        log.advanced(10, 14, now=1.0)
        assert not log.filled(12, now=1.0)
        assert log.take(now=1.0) == (11, 13)
        assert log.filled(11, now=1.05)
        assert log.recovered == 1

    def test_it_asks_again_after_a_round_trip_that_it_learns(self):
        slow, fast = ReceiveLog(), ReceiveLog()
        for n in range(100):
            for log, delay in ((slow, 0.4), (fast, 0.001)):
                log.advanced(2 * n, 2 * n + 2, now=float(n))
                log.take(now=float(n))
                log.filled(2 * n + 1, now=n + delay)
        for log in (slow, fast):
            log.advanced(200, 202, now=200.0)
            log.take(now=200.0)
        assert 200.39 < slow.due() <= 200.4
        assert fast.due() == 200.0 + ASK_INTERVAL_MIN_S

    def test_a_number_is_given_up_after_so_many_asks_or_so_much_time(self):
        log = ReceiveLog()
        log.advanced(0, 2, now=0.0)
        asks, now = 0, 0.0
        while (due := log.due()) is not None:
            now = max(now, due)
            asks += len(log.take(now=now))
        assert asks <= ASKS_MAX
        assert now <= MISSING_AGE_MAX_S + 0.2
        assert log.given_up == 1

    def test_a_gap_of_any_size_costs_no_more_than_the_bound(self):
        log = ReceiveLog()
        log.advanced(0, 10**9, now=0.0)
        asked = log.take(now=0.0)
        assert asked == tuple(range(10**9 - MISSING_MAX, 10**9))
        assert log.given_up == 10**9 - 1 - MISSING_MAX

    @given(st.lists(st.integers(1, 2000), max_size=50))
    def test_it_never_remembers_more_than_the_bound_and_keeps_the_newest(self, steps):
        log = ReceiveLog()
        highest, missing = 0, []
        for step in steps:
            log.advanced(highest, highest + step, now=0.0)
            missing += range(highest + 1, highest + step)
            highest += step
        assert log.take(now=0.0) == tuple(missing[-MISSING_MAX:])

    def test_a_new_beginning_forgets_what_was_missing(self):
        log = ReceiveLog()
        log.advanced(0, 9, now=0.0)
        log.clear()
        assert log.take(now=0.0) == ()


class TestAnswers:
    def allow(self, answers, sequence, *, now, newest=10_000, round_trip_s=0.0):
        return answers.allow(sequence, newest=newest, round_trip_s=round_trip_s, now=now)

    def test_three_times_and_no_more(self):
        answers = Answers()
        allowed = [self.allow(answers, 9000, now=float(n)) for n in range(10)]
        assert allowed == [True] * ANSWERS_MAX + [False] * (10 - ANSWERS_MAX)

    def test_not_within_20_ms_nor_within_a_longer_round_trip(self):
        answers = Answers()
        assert self.allow(answers, 1 + 9000, now=0.0)
        assert not self.allow(answers, 9001, now=HOLD_OFF_MIN_S - 0.001)
        assert not self.allow(answers, 9001, now=0.15, round_trip_s=0.2)
        assert self.allow(answers, 9001, now=0.21, round_trip_s=0.2)

    def test_neither_the_future_nor_the_distant_past(self):
        answers = Answers()
        assert not self.allow(answers, 10_001, now=0.0)
        assert not self.allow(answers, 10_000 - ANSWERED_KEPT, now=0.0)
        assert self.allow(answers, 10_001 - ANSWERED_KEPT, now=0.0)

    @given(st.lists(st.integers(-5000, 3), max_size=300), st.integers(0, 400))
    def test_no_order_of_asking_gets_a_fourth_answer(self, asked, advance):
        answers, newest, counts = Answers(), 10_000, {}
        for turn, back in enumerate(asked * 5):
            newest += advance
            sequence = newest + back
            if self.allow(answers, sequence, now=float(turn), newest=newest):
                counts[sequence] = counts.get(sequence, 0) + 1
        assert all(count <= ANSWERS_MAX for count in counts.values())

    @pytest.mark.slow
    def test_what_it_remembers_has_a_bound(self):
        answers = Answers()
        for n in range(3 * ANSWERED_KEPT):
            assert self.allow(answers, n, newest=n, now=0.0)
        assert len(answers._answered) <= ANSWERED_KEPT
