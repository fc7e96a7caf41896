"""Slow mode and repeated texts, in a time that the test holds."""

from liveroom.domain import pace as pace_module
from liveroom.domain.ids import UserId
from liveroom.domain.pace import CHORUS_MAX, REPEAT_WINDOW_MS, Pace

ANN, BO = UserId("ann"), UserId("bo")


def test_one_line_per_person_in_the_slow_time() -> None:
    pace = Pace()
    assert pace.wait_ms(ANN, 5_000, at=0) == 0
    pace.note(ANN, at=0)
    assert pace.wait_ms(ANN, 5_000, at=1_000) == 4_000
    assert pace.wait_ms(BO, 5_000, at=1_000) == 0
    assert pace.wait_ms(ANN, 5_000, at=5_000) == 0
    assert pace.wait_ms(ANN, 0, at=1_000) == 0
    assert pace.wait_ms(ANN, 5_000, at=-60_000) == 0, "a clock set back silences nobody"


def test_repeats_are_counted_for_each_person_and_text() -> None:
    pace = Pace()
    assert [pace.repeats(ANN, "a", at=at) for at in (0, 1, 2)] == [1, 2, 3]
    assert pace.repeats(ANN, "b", at=3) == 1
    assert pace.repeats(BO, "a", at=3) == 1
    assert pace.repeats(ANN, "a", at=REPEAT_WINDOW_MS + 1) == 2, "the first two are too old"


def test_a_chorus_of_many_people() -> None:
    pace = Pace()
    heard = [pace.is_chorus("666", at=index) for index in range(CHORUS_MAX + 2)]
    assert heard == [False] * CHORUS_MAX + [True] * 2
    assert not pace.is_chorus("666", at=60_000)


def test_what_is_remembered_is_bounded() -> None:
    pace = Pace()
    for index in range(pace_module.TEXTS_MAX + 10):
        pace.repeats(ANN, str(index), at=index // 1000)
        pace.note(UserId(str(index)), at=0)
    assert len(pace._own) == pace_module.TEXTS_MAX
    assert len(pace._spoke_at) <= pace_module.SPEAKERS_MAX
