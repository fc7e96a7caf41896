"""Finding listed words in a line however it is spelled: full-width, case, zero-width, script.

A line is folded character by character, so that what is found can be masked where it stands.
What needs dictionaries (simplifying, sounds) and the search itself are passed in, so that
nothing here reads a file: `service/languages` provides them.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, Protocol

from liveroom.domain.refusals import Refused

WORD_CHARS_MAX: Final = 64
WORDS_MAX: Final = 5_000
"""Words of one list; more are refused."""
MASK: Final = "*"
SOUND_END: Final = ";"
HOMOPHONE_CHARS_MIN: Final = 2
"""Shorter words are not looked for by sound: one syllable sounds like hundreds of characters."""
FOLDED_MAX: Final = 16_384
"""Characters whose folding is remembered."""


class WordAction(StrEnum):
    """What becomes of a line with a listed word; the gravest of several counts."""

    MASK = "mask"  # the word is starred out
    REVIEW = "review"  # held back until a moderator releases it
    REFUSE = "refuse"


_GRAVITY: Final = {WordAction.MASK: 0, WordAction.REVIEW: 1, WordAction.REFUSE: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One listed word."""

    word: str
    action: WordAction


@dataclass(frozen=True, slots=True)
class Found:
    """What a line came to: the gravest action, and where words stand in the original."""

    action: WordAction | None
    spans: tuple[tuple[int, int], ...] = ()


Search = Callable[[str], Sequence[tuple[int, int, int]]]
"""Finds every pattern in a text, overlapping ones too: (which, start, end) each."""


class Languages(Protocol):
    """What dictionaries know."""

    def simplify(self, char: str) -> str:
        """Give the simplified form of one character."""
        ...

    def sound(self, char: str) -> str:
        """Give the toneless syllable of one Chinese character; other characters as they are."""
        ...

    def search(self, patterns: Sequence[str]) -> Search:
        """Make a search for many patterns at once (Aho-Corasick)."""
        ...


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text and, for each of its characters, where it stood in the original."""

    text: str
    origin: tuple[int, ...]


def fold(text: str, simplify: Callable[[str], str]) -> Folded:
    """Fold a text: compatibility form, case, script; only letters, digits and marks stay."""
    made: list[str] = []
    origin: list[int] = []
    for index, char in enumerate(text):
        for folded in _fold_char(char, simplify):
            made.append(folded)
            origin.append(index)
    return Folded("".join(made), tuple(origin))


@lru_cache(FOLDED_MAX)
def _fold_char(char: str, simplify: Callable[[str], str]) -> str:
    plain = unicodedata.normalize("NFKD", char).casefold()
    kept = "".join(one for one in plain if unicodedata.category(one)[0] in "LN")
    return unicodedata.normalize("NFC", "".join(simplify(one) for one in kept))


class WordList:
    """The words of a shop and a room, ready to be looked for.

    Args:
        words: what is listed; a word that folds to nothing is left out.
        languages: the dictionaries.
        homophones: whether words are also found by their sound.

    """

    def __init__(self, words: Iterable[Word], languages: Languages, *, homophones: bool) -> None:
        self._languages = languages
        by_text: dict[str, WordAction] = {}
        for word in words:
            folded = fold(word.word, languages.simplify).text
            if folded:
                by_text[folded] = _graver(by_text.get(folded), word.action)
        self._actions = tuple(by_text.values())
        self._patterns = tuple(by_text)
        self._search = languages.search(self._patterns) if by_text else None
        sounding = [text for text in by_text if homophones and _is_chinese_word(text)]
        self._sound_actions = tuple(by_text[text] for text in sounding)
        self._sound_search = None
        if sounding:
            spelled = [SOUND_END + self._spell(text)[0] for text in sounding]
            self._sound_search = languages.search(spelled)

    def __len__(self) -> int:
        return len(self._patterns)

    def look(self, text: str) -> Found:
        """Look for every listed word."""
        if self._search is None:
            return Found(None)
        folded = fold(text, self._languages.simplify)
        action: WordAction | None = None
        spans: set[tuple[int, int]] = set()
        for which, start, end in self._search(folded.text):
            span = folded.origin[start], folded.origin[end - 1] + 1
            if _stands_alone(text, span, self._patterns[which]):
                action = _graver(action, self._actions[which])
                spans.add(span)
        if self._sound_search is not None:
            spelled, owner = self._spell(folded.text)
            for which, start, end in self._sound_search(SOUND_END + spelled):
                # One separator was put in front: positions in `spelled` are one less.
                first, last = owner[start], owner[end - 2]
                action = _graver(action, self._sound_actions[which])
                spans.add((folded.origin[first], folded.origin[last] + 1))
        return Found(action, tuple(sorted(spans)))

    def _spell(self, folded: str) -> tuple[str, list[int]]:
        """Write a folded text as syllables; tell for each letter which character it spells."""
        spelled: list[str] = []
        owner: list[int] = []
        for index, char in enumerate(folded):
            syllable = self._languages.sound(char) + SOUND_END
            spelled.append(syllable)
            owner.extend([index] * len(syllable))
        return "".join(spelled), owner


def _graver(one: WordAction | None, other: WordAction) -> WordAction:
    return other if one is None or _GRAVITY[other] > _GRAVITY[one] else one


def _is_chinese(char: str) -> bool:
    return "\u3400" <= char <= "\u9fff" or "\U00020000" <= char <= "\U0003ffff"


def _is_chinese_word(text: str) -> bool:
    return len(text) >= HOMOPHONE_CHARS_MIN and all(_is_chinese(char) for char in text)


def _stands_alone(text: str, span: tuple[int, int], pattern: str) -> bool:
    """Whether a Latin word is a word here and not the middle of another ("class")."""
    if not pattern.isascii():
        return True
    start, end = span
    before = text[start - 1 : start] if start else ""
    after = text[end : end + 1]
    return not (_is_latin(before) or _is_latin(after))


def _is_latin(char: str) -> bool:
    plain = unicodedata.normalize("NFKC", char)
    return plain.isascii() and plain.isalnum()


def mask(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Star out what stands at some places."""
    chars = list(text)
    for start, end in spans:
        for index in range(start, end):
            if not chars[index].isspace():
                chars[index] = MASK
    return "".join(chars)


def check_word(word: str, languages: Languages) -> str:
    """Return a word as it is kept.

    Raises:
        Refused: `invalid` when it is too long or nothing of it is left after folding.

    """
    kept = unicodedata.normalize("NFC", word.strip())
    if not kept or len(kept) > WORD_CHARS_MAX or not kept.isprintable():
        raise Refused("invalid", f"word: 1 to {WORD_CHARS_MAX} visible characters.")
    if not fold(kept, languages.simplify).text:
        raise Refused("invalid", "word: it must contain a letter or a digit.")
    return kept
