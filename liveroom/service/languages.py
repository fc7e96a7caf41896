"""The dictionaries behind the word lists: OpenCC, pinyin, and the Aho-Corasick search.

Read from disk at first use and kept for the process; `domain/wording` sees only plain calls.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, Final

import ahocorasick_rs

from liveroom.domain.wording import Search

CHARS_MAX: Final = 32_768
"""Characters whose form or sound is remembered."""


@cache
def _converter() -> Any:
    import opencc  # here, because it reads its dictionaries

    return opencc.OpenCC("t2s")


@cache
def _pinyin() -> Any:
    import pypinyin  # here: its dictionaries take half a second, and only homophones need them

    return pypinyin


@lru_cache(CHARS_MAX)
def _simplify(char: str) -> str:
    return char if char.isascii() else str(_converter().convert(char))


@lru_cache(CHARS_MAX)
def _sound(char: str) -> str:
    return char if char.isascii() else "".join(_pinyin().lazy_pinyin(char))


class Dictionaries:
    """What dictionaries know (`domain.wording.Languages`)."""

    def simplify(self, char: str) -> str:
        """Give the simplified form of one character."""
        return _simplify(char)

    def sound(self, char: str) -> str:
        """Give the toneless syllable of one Chinese character; others as they are."""
        return _sound(char)

    def search(self, patterns: Sequence[str]) -> Search:
        """Make a search for many patterns at once."""
        automaton = ahocorasick_rs.AhoCorasick(list(patterns))

        def find(text: str) -> Sequence[tuple[int, int, int]]:
            found: list[tuple[int, int, int]] = automaton.find_matches_as_indexes(
                text, overlapping=True
            )
            return found

        return find
