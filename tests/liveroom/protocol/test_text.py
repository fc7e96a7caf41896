"""What others see of a text: nothing unseen, nothing stacked, nothing turned around."""

import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.refusals import Refused
from liveroom.protocol.text import BYTES_MAX, EMOJI_MAX, GRAPHEMES_MAX, clean

FAMILY = "👨\u200d👩\u200d👧"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("你好", "你好"),
        ("  a \t\r\n b\u3000c\u00a0\u2028d ", "a b c d"),
        ("a\u202eb\u2066c\u200fd\u061ce", "abcde"),
        ("a\u200bb\u2060c\ufeffd\u00ade", "abcde"),
        ("a\x00b\x1b[31mc\x7f\x85d", "a b[31mc d".replace("a b", "ab")),
        ("e\u0301", "é"),
        ("z\u0337\u0322\u0327\u031b\u0361", None),
        (FAMILY, FAMILY),
        ("👍🏽", "👍🏽"),
        ("❤️\u200d🔥", "❤️\u200d🔥"),
        ("a\u200db", "ab"),
        ("👍\u200dx", "👍x"),
        ("\u200d👍", "👍"),
        ("\u0301a", "a"),
        ("😀" * 30, "😀" * EMOJI_MAX),
        ("a\u3164b", "a b"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        ("\ue000a\U000f0000", "a"),
    ],
)
def test_texts_are_cleaned(text: str, cleaned: str | None) -> None:
    if cleaned is None:
        assert len(regex.findall(r"\p{M}", unicodedata.normalize("NFD", clean(text)))) <= 2
    else:
        assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text", ["", " ", "\u200b", "\u3164\u115f", "\u202e\u202c", "\u0301", "\x00"]
)
def test_nothing_left_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        clean(text)
    assert refused.value.code == "text_empty"


@pytest.mark.parametrize(
    "text", ["a" * 101, "长" * 101, FAMILY * 9 + "长" * 80, "\U00020000" * 101]
)
def test_too_much_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        clean(text)
    assert refused.value.code == "text_too_long"


@pytest.mark.parametrize("text", ["a" * 100, "长" * 100, "\U00020000" * 100])
def test_a_hundred_characters_pass(text: str) -> None:
    assert clean(text) == text


PIECES = st.sampled_from(
    list("a 1\u3000\u200b\u200d\u202e\u0301\u0327\ufe0f\u20e3\u3164\x00\ue000©")
    + list("👍🏽👨❤🏴\U0001f1e8\U0001f1f3\U000e0067ก\u0e49가\u1100\u1161")
)


@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=40))
def test_a_cleaned_text_is_safe_bounded_and_stays_as_it_is(text: str) -> None:
    try:
        cleaned = clean(text)
    except Refused as refused:
        assert refused.code in ("text_empty", "text_too_long")  # noqa: PT017 - both may come
        return
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert cleaned == cleaned.strip()
    assert not regex.search(r"[\p{Cc}\p{Cs}\p{Co}]|[\p{Cf}--\u200d]", cleaned, regex.V1)
    assert not regex.search(r"\p{M}{3}", cleaned)
    assert len(regex.findall(r"\X", cleaned)) <= GRAPHEMES_MAX
    assert len(cleaned.encode()) <= BYTES_MAX
