"""Waiting for a condition, with a deadline: the only way a test lets real time pass."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

_never = threading.Event()


def wait_until(
    condition: Callable[[], Found], *, seconds: float, what: str, every_s: float = 0.05
) -> Found:
    """Look until the condition holds and return what it gave; fail at the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        _never.wait(every_s)
    return found
