"""The ritual: somebody's nth paid order in a room, thanked in public from the second on."""

from liveroom.domain.events import RitualPerformed
from liveroom.domain.ids import UserId

FIRST_RITUAL = 2
"""The first order is a purchase; the second is a return."""

_DIGITS = "零一二三四五六七八九"
_UNITS = ((1000, "千"), (100, "百"), (10, "十"))
SPELLED_MAX = 9_999
"""Ordinals above are written in digits."""


def chinese_number(number: int) -> str:
    """Spell a positive number the way it is read: 十二, 一百零一, 二百一十."""
    if not 1 <= number <= SPELLED_MAX:
        return str(number)
    spelled, rest, gap = "", number, False
    for unit, sign in _UNITS:
        digit, rest = divmod(rest, unit)
        if digit:
            spelled += ("零" if gap else "") + _DIGITS[digit] + sign
            gap = False
        elif spelled:
            gap = True
    if rest:
        spelled += ("零" if gap else "") + _DIGITS[rest]
    return spelled.removeprefix("一") if 10 <= number < 20 else spelled


def english_ordinal(number: int) -> str:
    """Write 2nd, 3rd, 11th, 21st."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def texts_of(name: str, nth: int) -> dict[str, str]:
    """Write the thanks in every language the pages speak."""
    return {
        "zh": f"感谢{name}家人的第{chinese_number(nth)}次支持",
        "en": f"Thank you {name} for your {english_ordinal(nth)} order with us",
    }


def ritual_for(
    *, user: UserId, name: str, nth: int, language: str, opted_out: bool
) -> RitualPerformed | None:
    """Decide whether an nth order is thanked in public; None when not."""
    if opted_out or nth < FIRST_RITUAL:
        return None
    texts = texts_of(name, nth)
    text = texts.get(language, texts["en"])
    return RitualPerformed(user=user, name=name, nth=nth, text=text, texts=texts)
