"""Which lines count as answers to the host."""

import pytest

from liveroom.domain.answers import ANSWERS_WITHIN_MS, answers_host, is_question


@pytest.mark.parametrize(
    "text", ["要不要上链接？", "Do you like it?", "喜欢吗", "好看嘛！", "几号呢~ "]
)
def test_a_question_is_known_by_its_end(text: str) -> None:
    assert is_question(text)


@pytest.mark.parametrize("text", ["今天九折", "", "？好的", "Thanks."])
def test_other_lines_are_no_questions(text: str) -> None:
    assert not is_question(text)


@pytest.mark.parametrize("text", ["@主播 要", "＠主播要", "yes @Host", "hi @Mei Lin!"])
def test_who_names_the_host_answers(text: str) -> None:
    assert answers_host(text, names=("Mei Lin", ""), asked_ms_ago=None)


@pytest.mark.parametrize("text", ["要", "mei lin", "@somebody", "@"])
def test_who_does_not_name_the_host_does_not(text: str) -> None:
    assert not answers_host(text, names=("Mei Lin", ""), asked_ms_ago=None)


def test_what_follows_a_question_answers_it_for_a_while() -> None:
    for ago, answers in ((0, True), (ANSWERS_WITHIN_MS, True), (ANSWERS_WITHIN_MS + 1, False)):
        assert answers_host("要", names=(), asked_ms_ago=ago) is answers
