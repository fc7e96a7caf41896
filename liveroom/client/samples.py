"""What a source yields: encoded packets with the media time at which they are due.

The vocabulary between producers (`pattern`, `media_file`) and the thread that paces them
(`sources`).
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from liveroom.client.encoding import MediaPacket


class SourceUnusable(Exception):  # noqa: N818 - said to the person who named the source
    """The source cannot be opened, or cannot be sent as asked; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One encoded packet and the media time at which it is due, in seconds from the start."""

    kind: str
    packet: MediaPacket
    due_s: float


class KeyframeRequest:
    """A flag set by the network side and taken by the encoder's thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ask(self) -> None:
        """Ask for a key frame."""
        self._event.set()

    def take(self) -> bool:
        """Say whether one was asked for since the last call."""
        if not self._event.is_set():
            return False
        self._event.clear()
        return True


class Producer(Protocol):
    """Makes encoded packets in the order of their time."""

    codec: str | None
    has_audio: bool
    is_live: bool
    """True when packets come at their own pace and need no waiting."""

    def samples(self, keyframe: KeyframeRequest) -> Iterator[Sample]:
        """Produce until the source ends; blocks between packets."""
        ...

    def close(self) -> None:
        """Free the source; called from the producing thread."""
        ...


def seconds(pts: int | None, time_base: Fraction | None) -> float | None:
    """Turn a timestamp into seconds, where there is one."""
    if pts is None or time_base is None:
        return None
    return float(pts * time_base)
