"""The named steps of a commit, at each of which a crash test can end the process.

Nothing is armed in a server; a test's own process calls `arm` with what its environment says.
"""

import os
import signal
from typing import Final

STEPS: Final = (
    "before_insert",
    "after_insert",
    "before_commit",
    "after_commit",
    "before_publish",
    "after_publish",
)
"""Around a bundle's rows, the transaction's commit, and the relay's publication."""
VARIABLE: Final = "LIVEROOM_CRASH_AT"
"""`STEP:COUNT` = kill the process when it reaches the step for the COUNTth time."""

_left: dict[str, int] = {}


def arm(where: str) -> None:
    """Have the process killed at a step."""
    step, _, count = where.partition(":")
    if step not in STEPS:
        raise ValueError(f"{step} is none of {', '.join(STEPS)}")
    _left[step] = int(count or 1)


def reached(step: str) -> None:
    """End here, as a power cut would, if a test said so."""
    if not _left or step not in _left:
        return
    _left[step] -= 1
    if _left[step] <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
