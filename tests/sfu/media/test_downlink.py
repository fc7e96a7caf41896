"""What is sent over a path by what its reports say."""

import pytest

from sfu.media.downlink import (
    OFF,
    PATIENCE_S,
    SETTLE_S,
    START_BPS,
    STARVED_S,
    TRIAL_S,
    Downlink,
)

RATES = [150_000, 500_000, 2_000_000]


class Path:
    """A viewer that reports once a second, and what it is then sent."""

    def __init__(self, *, videos=1, rates=RATES):
        self.downlink = Downlink()
        self.offers = [rates] * videos
        self.now = 100.0
        self.chosen = [self.downlink.first(rates)] * videos
        self.history = []

    def report(self, *, remb=None, loss=0.0, seconds=1, can_starve=True):
        for _ in range(seconds):
            self.now += 1
            if remb is not None:
                self.downlink.estimated(remb, now=self.now)
            self.downlink.lost(loss)
            self.chosen = self.downlink.decide(
                self.offers, self.chosen, can_starve=can_starve, now=self.now
            )
            self.history.append(self.chosen[0])
        return self.chosen


def test_it_begins_with_what_most_paths_carry():
    assert Downlink().first([*RATES, START_BPS + 1]) == 2
    assert Downlink().first([START_BPS + 1]) == 0
    assert Downlink().first([0, 0]) == 0


def test_an_easy_path_gets_the_best_at_once_and_keeps_it():
    path = Path()
    assert path.report() == [2]
    assert path.report(seconds=60) == [2]


def test_an_estimate_that_fell_brings_it_down_to_what_fits():
    path = Path()
    path.report(remb=3_000_000, seconds=5)
    assert path.chosen == [2]
    assert path.report(remb=700_000) == [1]
    path.report(remb=300_000, seconds=3)
    assert path.chosen == [0]


def test_an_estimate_that_is_only_slow_to_rise_is_no_limit():
    path = Path()
    remb = 400_000
    for _ in range(20):
        remb = int(remb * 1.08)
        path.report(remb=remb)
    assert path.chosen == [2]


def test_an_estimate_that_stays_low_is_obeyed():
    path = Path()
    path.report(remb=600_000, seconds=8)
    assert path.chosen == [1]


def test_more_is_tried_ever_more_seldom_where_it_fails():
    path = Path()
    for _ in range(600):
        # The path carries 800 kbit/s: whatever is more is met by an estimate that falls.
        sent = RATES[path.chosen[0]]
        path.report(remb=700_000 if sent > 800_000 else int(1.5 * sent))
    trials = sum(b == 2 and a == 1 for a, b in zip(path.history, path.history[1:], strict=False))
    assert 5 <= trials <= 18
    assert path.history.count(2) / len(path.history) < 0.1


def test_a_trial_that_goes_well_makes_it_patient_no_longer_than_at_first():
    path = Path()
    path.report(remb=3_000_000, seconds=3)
    path.report(remb=700_000)
    assert path.chosen == [1]
    path.report(remb=750_000, seconds=int(PATIENCE_S) + 1)
    assert path.chosen == [2]
    # The trial fails: twice as long until the next.
    path.report(remb=700_000)
    assert path.chosen == [1]
    path.report(remb=750_000, seconds=2 * int(PATIENCE_S) - 1)
    assert path.chosen == [1]
    path.report(remb=750_000, seconds=2)
    assert path.chosen == [2]
    path.report(remb=3_000_000, seconds=int(TRIAL_S) + 2)
    path.report(remb=700_000)
    assert path.chosen == [1]
    path.report(remb=750_000, seconds=int(PATIENCE_S) + 1)
    assert path.chosen == [2]


def test_loss_counts_when_it_lasts():
    path = Path()
    path.report(seconds=3)
    assert path.report(loss=0.3) == [2]
    assert path.report(loss=0.05, seconds=5) == [2]
    path.report(loss=0.3, seconds=2 + int(SETTLE_S))
    assert path.chosen == [1]


def test_ordinary_loss_never_takes_the_only_picture():
    path = Path(rates=[2_500_000])
    assert path.report(loss=0.25, seconds=60) == [0]


@pytest.mark.parametrize("reports", [{"remb": 50_000}, {"loss": 0.6}])
def test_a_path_that_carries_nothing_keeps_the_sound_and_gets_the_picture_back(reports):
    path = Path()
    path.report(seconds=2)
    path.report(**reports, seconds=int(STARVED_S) + 12)
    assert path.chosen == [OFF]
    path.report(remb=1_000_000, seconds=2 * int(PATIENCE_S) + 1)
    assert path.chosen[0] >= 0


def test_without_sound_the_picture_stays():
    path = Path()
    path.report(remb=20_000, seconds=30, can_starve=False)
    assert path.chosen == [0]


def test_of_several_videos_the_last_gives_way_first_and_the_first_gets_more_first():
    path = Path(videos=3)
    path.report(remb=10_000_000, seconds=40)
    assert path.chosen == [2, 2, 2]
    path.report(remb=700_000, seconds=4)
    assert path.chosen == [0, 0, 0]
    path.report(remb=100_000, seconds=int(STARVED_S) + 2)
    assert path.chosen[0] != OFF
    assert path.chosen[2] == OFF
