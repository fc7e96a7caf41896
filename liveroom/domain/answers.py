"""Whether a line of danmaku answers the host: it names the host, or follows a question of theirs.

Answers are shown before other texts when a room talks faster than anybody can read. Pure: a
text in, a yes or no out; times are passed in.
"""

from collections.abc import Collection
from typing import Final

ANSWERS_WITHIN_MS: Final = 15_000
"""So long after a question of the host, what is said counts as an answer."""

NAMED: Final = frozenset({"主播", "host"})
"""What viewers call a host beside the name."""

MENTIONS: Final = frozenset("@＠")
"""What stands before a name that is spoken to."""

_ASKING: Final = ("?", "？", "吗", "呢", "嘛")
_CLOSING: Final = "!！.。~～ "


def is_question(text: str) -> bool:
    """Whether a line of the host asks for answers: by its last character."""
    return text.rstrip(_CLOSING).endswith(_ASKING)


def answers_host(text: str, *, names: Collection[str], asked_ms_ago: int | None) -> bool:
    """Whether a line answers the host.

    Args:
        text: the line, cleaned.
        names: what the host is called in the room, beside `NAMED`.
        asked_ms_ago: how long ago the host asked a question in writing; None = never.

    """
    if asked_ms_ago is not None and 0 <= asked_ms_ago <= ANSWERS_WITHIN_MS:
        return True
    if MENTIONS.isdisjoint(text):
        return False
    said = text.replace("＠", "@").casefold()
    return any(f"@{name.casefold()}" in said for name in NAMED.union(names) if name)
