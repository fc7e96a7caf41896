"""The test picture and tone: drawn cheaply, so that a test stream costs little.

Pure: the time comes in, planes go out. The picture shows a burnt-in clock (to measure how far
a viewer is behind by looking), a frame counter, and a ball that shows a frozen stream at once.
"""

from datetime import UTC, datetime
from math import tau
from typing import Final

import numpy as np
import numpy.typing as npt

WIDTH: Final = 640
HEIGHT: Final = 360
RATE_FPS: Final = 15
CLOCK_TOP: Final = 146
CLOCK_LINE: Final = 40
TONE_HZ: Final = 440.0
BEEP_HZ: Final = 880.0
AUDIO_RATE_HZ: Final = 48_000
AUDIO_FRAME_SAMPLES: Final = 960
_TONE_LEVEL: Final = 1_200
_BEEP_LEVEL: Final = 4_000
_BEEP_SAMPLES: Final = AUDIO_RATE_HZ // 10

Planes = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.int16]

# 5 columns by 7 rows, one number a row, top first.
_GLYPHS: Final = {
    "0": (14, 17, 19, 21, 25, 17, 14),
    "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 2, 4, 8, 31),
    "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (6, 8, 16, 30, 17, 17, 14),
    "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14),
    "9": (14, 17, 17, 15, 1, 2, 12),
    ":": (0, 4, 4, 0, 4, 4, 0),
    ".": (0, 0, 0, 0, 0, 12, 12),
    "#": (10, 10, 31, 10, 31, 10, 10),
    " ": (0, 0, 0, 0, 0, 0, 0),
    "L": (16, 16, 16, 16, 16, 16, 31),
    "I": (14, 4, 4, 4, 4, 4, 14),
    "V": (17, 17, 17, 17, 17, 10, 4),
    "E": (31, 16, 16, 30, 16, 16, 31),
    "R": (30, 17, 17, 30, 20, 18, 17),
    "O": (14, 17, 17, 17, 17, 17, 14),
    "M": (17, 27, 21, 21, 17, 17, 17),
}


class TestPicture:
    """Draws one yuv420p picture after the other into the same array."""

    __test__ = False

    def __init__(self) -> None:
        self._background = _background()
        self._planes = self._background.copy()
        self._glyphs = {sign: _glyph(rows, 4) for sign, rows in _GLYPHS.items()}
        self._small = {sign: _glyph(rows, 3) for sign, rows in _GLYPHS.items()}
        self._ball = _ball(48)
        self._write("LIVEROOM", self._background, 24, 28, self._small)

    def draw(self, frame: int, at_ms: int) -> Planes:
        """Return the picture number `frame`, its clock at `at_ms` (UTC); valid until the next."""
        np.copyto(self._planes, self._background)
        self._place_ball(frame)
        now = datetime.fromtimestamp(at_ms / 1000, UTC)
        # In two short lines, so that a phone's upright cut of the middle shows it whole.
        self._write_centred(f"{now:%H:%M}", CLOCK_TOP)
        self._write_centred(f"{now:%S}.{at_ms % 1000:03d}", CLOCK_TOP + CLOCK_LINE)
        self._write(f"#{frame:06d}", self._planes, HEIGHT - 45, 28, self._small)
        return self._planes

    def _place_ball(self, frame: int) -> None:
        size = self._ball.shape[0]
        left = _bounce(frame * 9, WIDTH - size)
        top = _bounce(frame * 5, HEIGHT - size)
        view = self._planes[top : top + size, left : left + size]
        np.maximum(view, self._ball, out=view)

    def _write_centred(self, text: str, top: int) -> None:
        width = sum(self._glyphs[sign].shape[1] for sign in text)
        self._write(text, self._planes, top, (WIDTH - width) // 2, self._glyphs)

    def _write(
        self, text: str, planes: Planes, top: int, left: int, glyphs: dict[str, Planes]
    ) -> None:
        for sign in text:
            glyph = glyphs[sign]
            height, width = glyph.shape
            view = planes[top : top + height, left : left + width]
            np.maximum(view, glyph, out=view)
            left += width


class TestTone:
    """A quiet steady tone with a short beep at every full second."""

    __test__ = False

    def __init__(self) -> None:
        second = np.arange(AUDIO_RATE_HZ)
        wave = _TONE_LEVEL * np.sin(second * (tau * TONE_HZ / AUDIO_RATE_HZ))
        beep = _BEEP_LEVEL * np.sin(second[:_BEEP_SAMPLES] * (tau * BEEP_HZ / AUDIO_RATE_HZ))
        wave[:_BEEP_SAMPLES] += beep * np.hanning(_BEEP_SAMPLES)
        self._second: Samples = wave.astype(np.int16)

    def play(self, frame: int) -> Samples:
        """Return the 20 ms of sound number `frame`, mono."""
        start = frame * AUDIO_FRAME_SAMPLES % AUDIO_RATE_HZ
        return self._second[start : start + AUDIO_FRAME_SAMPLES]


def _bounce(distance: int, span: int) -> int:
    there = distance % (2 * span)
    return there if there <= span else 2 * span - there


def _background() -> Planes:
    """Shade the luma from top to bottom and give it a violet that turns to teal."""
    planes = np.empty((HEIGHT * 3 // 2, WIDTH), dtype=np.uint8)
    planes[:HEIGHT] = np.linspace(58, 104, HEIGHT, dtype=np.uint8)[:, None]
    chroma = planes[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    chroma[0] = np.linspace(158, 142, WIDTH // 2, dtype=np.uint8)[None, :]
    chroma[1] = np.linspace(146, 104, WIDTH // 2, dtype=np.uint8)[None, :]
    return planes


def _glyph(rows: tuple[int, ...], scale: int) -> Planes:
    bits = np.array([[row >> shift & 1 for shift in (4, 3, 2, 1, 0)] for row in rows])
    padded = np.pad(bits, ((0, 0), (0, 1)))
    return (np.kron(padded, np.ones((scale, scale))) * 235).astype(np.uint8)


def _ball(size: int) -> Planes:
    axis = np.arange(size) - (size - 1) / 2
    inside = axis[:, None] ** 2 + axis[None, :] ** 2 <= (size / 2) ** 2
    shade = np.linspace(210, 150, size)[:, None]
    return np.where(inside, shade, 0).astype(np.uint8)
