"""Links and contact details in a line: where they stand, so that a room can mask or refuse them.

Text is looked at in its compatibility form with Chinese numerals as digits, position by
position, because "１３八 0013 8ooo" is how people write what is not allowed. It is a policy, not
a proof: who is determined finds a spelling.
"""

import unicodedata
from typing import Final

import regex

_DIGITS: Final = {
    **dict(zip("〇零一二三四五六七八九", "00123456789", strict=True)),
    **dict(zip("壹贰叁肆伍陆柒捌玖", "123456789", strict=True)),
}
_TOP_DOMAINS: Final = (
    "com|cn|net|org|top|xyz|vip|shop|club|site|info|link|live|online|store|app|cc|co|io|me|tv|ly|hk"
)
_LINK: Final = regex.compile(
    r"(?:https?|ftp|weixin|taobao|tbopen|alipays?)\s*:\s*/\s*/\s*\S+"
    r"|www\s*[.。．·]\s*\S+"
    rf"|(?<![a-z0-9@._-])(?:[a-z0-9-]{{1,63}}\s?[.。．]\s?)+(?:{_TOP_DOMAINS})(?![a-z0-9-])\S*",
    regex.IGNORECASE,
)
_GAP: Final = r"[\s\-_.,·*、。]{0,3}"
_PHONE: Final = regex.compile(
    rf"(?<![0-9])(?:(?:\+|00){_GAP}86{_GAP})?1{_GAP}[3-9](?:{_GAP}[0-9]){{9}}(?![0-9])"
    r"|(?<![0-9+])\+[1-9][0-9]{0,3}[\s-]?(?:[0-9][\s-]?){6,12}[0-9](?![0-9])"
    r"|(?<![0-9])400-?[0-9]{3}-?[0-9]{4}(?![0-9])"
)
_MAIL: Final = regex.compile(
    r"[a-z0-9._%+-]{1,64}\s?@\s?[a-z0-9-]{1,63}(?:\.[a-z0-9-]{2,63})+", regex.I
)
_HANDLE: Final = regex.compile(
    r"(?:[微薇威徽維维][信芯]号?|[v薇威]信|(?<![a-z])(?:vx|wx|weixin|wechat|qq|telegram|whatsapp|line)(?![a-z])"
    r"|扣扣|企鹅|加[vq](?![a-z])|电报|飞机号)"
    r"[^a-z0-9]{0,6}(?:号|id|加|是|:)?[^a-z0-9]{0,4}([a-z0-9][-_a-z0-9]{4,31})",
    regex.IGNORECASE,
)

Spans = tuple[tuple[int, int], ...]


def links_in(text: str) -> Spans:
    """Find links: with a scheme, with www, or a bare domain."""
    return _spans(_LINK, _plain(text))


def contacts_in(text: str) -> Spans:
    """Find phone numbers, mail addresses, and messenger names with the name of the messenger."""
    plain = _plain(text)
    return tuple(sorted({*_spans(_PHONE, plain), *_spans(_MAIL, plain), *_spans(_HANDLE, plain)}))


def _plain(text: str) -> str:
    """Write a text plainly, one character for each."""
    return "".join(_plain_char(char) for char in text)


def _plain_char(char: str) -> str:
    if char in _DIGITS:
        return _DIGITS[char]
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) == 1 else char


def _spans(pattern: regex.Pattern[str], text: str) -> Spans:
    return tuple(found.span() for found in pattern.finditer(text))
