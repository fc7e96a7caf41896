"""How an event is delivered, and to whom: the two words every fact carries."""

from enum import StrEnum


class Delivery(StrEnum):
    """The written contract of an event (design 3.3): what may happen to it under load."""

    MONEY = "money"  # stored, ordered, replayed, exactly once on screen
    STATE = "state"  # durable too; after a gap only the latest matters
    CUE = "cue"  # personal, in the snapshot while current
    TEXT = "text"  # weighted sample over the viewer's budget
    AMBIENT = "ambient"  # counters and greetings: dropped first


class Audience(StrEnum):
    """Whom an event is for; `ONE` means the person in `Event.to`."""

    ALL = "all"
    HOST = "host"
    ONE = "one"
