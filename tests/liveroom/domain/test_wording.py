"""A listed word is found however it is spelled, and nothing else is taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.refusals import Refused
from liveroom.domain.wording import Found, Word, WordAction, WordList, check_word, fold, mask
from liveroom.service.languages import Dictionaries

LANGUAGES = Dictionaries()
A = WordAction


def words(*listed: str, homophones: bool = False, action: A = A.MASK) -> WordList:
    made = [Word(word=word, action=action) for word in listed]
    return WordList(made, LANGUAGES, homophones=homophones)


def masked(text: str, listed: WordList) -> str:
    return mask(text, listed.look(text).spans)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("来加微信吧", "来加**吧"),
        ("微 信", "* *"),
        ("微\u200b信", "***"),
        ("微.信!", "***!"),
        ("薇信", "薇信"),
        ("這個賭場", "這個**"),
        ("这个赌场", "这个**"),
        ("ＳＰＡＭ now", "**** now"),
        ("Spam, spam", "****, ****"),
        ("s p a m", "* * * *"),
        ("spammer", "spammer"),
        ("antispam", "antispam"),
        ("s.p.a.m", "*******"),
        ("ⓢⓟⓐⓜ", "****"),
        ("spám", "spám".replace("spám", "****")),
        ("nothing", "nothing"),
    ],
)
def test_spellings(text: str, shown: str) -> None:
    assert masked(text, words("微信", "赌场", "spam")) == shown


def test_a_traditional_entry_finds_simplified_text() -> None:
    assert masked("赌场", words("賭場")) == "**"


def test_homophones_only_when_wanted() -> None:
    assert words("微信").look("加我薇芯") == Found(None)
    listed = words("微信", "的", homophones=True)
    assert masked("加我薇芯吧", listed) == "加我**吧"
    assert masked("喂新年", listed) == "**年"
    assert masked("得到", listed) == "得到", "a single syllable is no homophone"
    assert masked("wei xin", listed) == "wei xin", "pinyin in letters is another word"


def test_the_gravest_action_counts() -> None:
    listed = WordList(
        [
            Word(word="a b", action=A.MASK),
            Word(word="bad", action=A.REVIEW),
            Word(word="BAD", action=A.REFUSE),
            Word(word="dull", action=A.REVIEW),
        ],
        LANGUAGES,
        homophones=False,
    )
    assert len(listed) == 3
    assert listed.look("bad").action is A.REFUSE
    assert listed.look("ab dull").action is A.REVIEW
    assert listed.look("ab").action is A.MASK
    assert listed.look("good") == Found(None)


def test_overlapping_words_are_all_found() -> None:
    assert masked("加微信号", words("加微信", "信号")) == "****"


@pytest.mark.parametrize("word", ["", "  ", "!!!", "x" * 65, "a\nb", "\u200b"])
def test_what_is_no_word(word: str) -> None:
    with pytest.raises(Refused, match="invalid"):
        check_word(word, LANGUAGES)
    assert check_word(" 微信 ", LANGUAGES) == "微信"


@given(st.text(max_size=40), st.text(alphabet="微信a赌場 ", min_size=1, max_size=4))
def test_masking_changes_only_what_was_found(text: str, listed: str) -> None:
    found = words(listed, homophones=True).look(text)
    shown = mask(text, found.spans)
    assert len(shown) == len(text)
    covered = {index for start, end in found.spans for index in range(start, end)}
    for index, (before, after) in enumerate(zip(text, shown, strict=True)):
        assert before == after or index in covered
    assert bool(found.spans) == (found.action is not None)


@given(st.text(max_size=30))
def test_folding_is_stable_and_keeps_its_places(text: str) -> None:
    folded = fold(text, LANGUAGES.simplify)
    assert len(folded.text) == len(folded.origin)
    assert list(folded.origin) == sorted(folded.origin)
    assert fold(folded.text, LANGUAGES.simplify).text == folded.text


def test_a_text_is_found_in_whatever_surrounds_it() -> None:
    for around in ("", "你", "!!", " x "):
        assert words("微信").look(around + "微信" + around).action is A.MASK
