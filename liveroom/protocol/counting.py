"""Counters as people are shown them: about right, so that they need not be sent all the time."""

EXACT_MAX = 999
DIGITS_SHOWN = 3


def approximate(count: int) -> int:
    """Round a count down to its first three digits: 12,345 is shown as 12,300."""
    if count <= EXACT_MAX:
        return count
    step: int = 10 ** (len(str(count)) - DIGITS_SHOWN)
    return count - count % step
