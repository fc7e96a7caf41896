"""Clean what people type before anybody sees it: a text in, a safe text out, or a refusal.

Takes away what cannot be seen or turns the reading direction, stacked marks, and a flood of
emoji; then bounds what is left. Cleaning a clean text changes nothing. It knows no language:
what may be *said* is moderation, which is elsewhere.
"""

import unicodedata
from typing import Final

import emoji
import regex

from liveroom.domain.refusals import Refused

GRAPHEMES_MAX = 100
BYTES_MAX = 400
EMOJI_MAX = 10
"""Further emoji are left out."""
MARKS_MAX = 2
"""Combining marks on one base character; further ones are left out."""

_ZERO_WIDTH_JOINER: Final = "\u200d"

# Blanks that are letters or symbols to Unicode: Hangul fillers, the empty Braille cell.
_BLANK: Final = regex.compile(r"[\s\p{Z}\u115f\u1160\u2800\u3164\uffa0]+")

# Control, format (bidi, zero-width, soft hyphen, tags), surrogates, private use.
_UNSEEN: Final = regex.compile(
    rf"[\p{{Cc}}\p{{Cf}}\p{{Cs}}\p{{Co}}--{_ZERO_WIDTH_JOINER}]", regex.V1
)

_STRAY_JOINER: Final = regex.compile(
    r"(?<!\p{Extended_Pictographic}[\ufe0f\U0001f3fb-\U0001f3ff]?)\u200d"
    r"|\u200d(?!\p{Extended_Pictographic})"
)
_STACKED_MARKS: Final = regex.compile(rf"(\p{{M}}{{{MARKS_MAX}}})\p{{M}}+")
_BASELESS_MARKS: Final = regex.compile(r"(?:(?<=\A)|(?<=\s))\p{M}+")
_GRAPHEME: Final = regex.compile(r"\X")


def clean(text: str) -> str:
    """Return the text as others may see it.

    Raises:
        Refused: `text_empty` when nothing is left, `text_too_long` when too much is.

    """
    seen = text
    for _round in range(2):  # taking away may bring together what then composes
        seen = _tidy(seen)
    if not seen:
        raise Refused("text_empty")
    graphemes: list[str] = _GRAPHEME.findall(seen)
    if len(graphemes) > GRAPHEMES_MAX or len(seen.encode()) > BYTES_MAX:
        raise Refused("text_too_long")
    return seen


def _tidy(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    text = _BLANK.sub(" ", text)
    text = _UNSEEN.sub("", text)
    text = _STRAY_JOINER.sub("", text)
    text = _BASELESS_MARKS.sub("", text)
    text = _STACKED_MARKS.sub(r"\1", text)
    text = _fewer_emoji(text)
    return unicodedata.normalize("NFC", _BLANK.sub(" ", text).strip())


def _fewer_emoji(text: str) -> str:
    if text.isascii():
        return text
    kept: list[str] = []
    count = 0
    for grapheme in _GRAPHEME.findall(text):
        if emoji.is_emoji(grapheme):
            count += 1
            if count > EMOJI_MAX:
                continue
        kept.append(grapheme)
    return "".join(kept)
