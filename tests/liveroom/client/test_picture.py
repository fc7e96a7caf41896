"""The test picture and tone: right size, moving, with a clock that changes."""

import numpy as np

from liveroom.client.picture import (
    AUDIO_FRAME_SAMPLES,
    CLOCK_LINE,
    CLOCK_TOP,
    HEIGHT,
    RATE_FPS,
    WIDTH,
    TestPicture,
    TestTone,
)


def test_a_picture_is_640_by_360_in_planes_of_yuv420() -> None:
    planes = TestPicture().draw(0, 0)

    assert (WIDTH, HEIGHT, RATE_FPS) == (640, 360, 15)
    assert planes.shape == (HEIGHT * 3 // 2, WIDTH)
    assert planes.dtype == np.uint8


def test_the_picture_moves() -> None:
    picture = TestPicture()
    first = picture.draw(0, 0).copy()

    assert not np.array_equal(first, picture.draw(1, 0))


def test_only_the_clock_differs_when_only_the_time_does() -> None:
    picture = TestPicture()
    first = picture.draw(7, 1_000).copy()
    second = picture.draw(7, 60_000)

    rows = np.flatnonzero((first != second).any(axis=1))
    assert rows.size
    assert rows.min() >= CLOCK_TOP
    assert rows.max() < CLOCK_TOP + 2 * CLOCK_LINE


def test_the_clock_fits_into_an_upright_cut_of_the_middle() -> None:
    picture = TestPicture()
    first = picture.draw(7, 1_000).copy()
    second = picture.draw(7, 83_456_789)

    columns = np.flatnonzero((first != second).any(axis=0))
    cut = HEIGHT * 390 / 844
    assert columns.min() >= (WIDTH - cut) / 2
    assert columns.max() <= (WIDTH + cut) / 2


def test_the_ball_never_leaves_the_picture() -> None:
    picture = TestPicture()

    for frame in range(0, 1_000, 7):
        assert picture.draw(frame, 0).shape == (HEIGHT * 3 // 2, WIDTH)


def test_a_second_of_tone_is_fifty_frames_and_the_beep_comes_each_second() -> None:
    tone = TestTone()

    assert tone.play(3).shape == (AUDIO_FRAME_SAMPLES,)
    assert np.array_equal(tone.play(0), tone.play(50))
    assert np.abs(tone.play(2)).max() > np.abs(tone.play(30)).max()
