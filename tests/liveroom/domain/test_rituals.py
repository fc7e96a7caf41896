"""From the second order on a member is thanked by name and number, unless they opted out."""

import pytest

from liveroom.domain.ids import UserId
from liveroom.domain.rituals import chinese_number, english_ordinal, ritual_for

USER = UserId("u1")


@pytest.mark.parametrize(
    ("number", "spelled"),
    [
        (1, "一"), (2, "二"), (3, "三"), (10, "十"), (11, "十一"), (19, "十九"), (20, "二十"),
        (21, "二十一"), (100, "一百"), (101, "一百零一"), (110, "一百一十"), (111, "一百一十一"),
        (210, "二百一十"), (1000, "一千"), (1001, "一千零一"), (1010, "一千零一十"),
        (2020, "二千零二十"), (9999, "九千九百九十九"), (10_000, "10000"), (0, "0"),
    ],
)  # fmt: skip
def test_numbers_are_spelled_as_they_are_read(number: int, spelled: str) -> None:
    assert chinese_number(number) == spelled


@pytest.mark.parametrize(
    ("number", "written"),
    [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st"),
     (101, "101st"), (112, "112th")],
)  # fmt: skip
def test_english_ordinals(number: int, written: str) -> None:
    assert english_ordinal(number) == written


def test_the_third_order_is_thanked_in_both_languages() -> None:
    ritual = ritual_for(user=USER, name="小明", nth=3, language="zh", opted_out=False)
    assert ritual is not None
    assert ritual.text == "感谢小明家人的第三次支持"
    assert ritual.texts["en"] == "Thank you 小明 for your 3rd order with us"
    assert (ritual.user, ritual.nth) == (USER, 3)


def test_the_text_follows_the_rooms_language() -> None:
    texts = {
        language: ritual.text
        for language in ("zh", "en", "fr")
        if (ritual := ritual_for(user=USER, name="Ann", nth=2, language=language, opted_out=False))
    }
    assert texts["zh"] == "感谢Ann家人的第二次支持"
    assert texts["en"] == texts["fr"] == "Thank you Ann for your 2nd order with us"


def test_the_first_order_and_those_who_opted_out_are_left_in_peace() -> None:
    assert ritual_for(user=USER, name="a", nth=1, language="zh", opted_out=False) is None
    assert ritual_for(user=USER, name="a", nth=2, language="zh", opted_out=True) is None
