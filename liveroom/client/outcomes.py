"""How `liveroom publish` ends: its exit codes, apart so that reading them costs nothing."""

from typing import Final

STOPPED: Final = 0
SOURCE_UNUSABLE: Final = 2
REFUSED: Final = 3
HOST_LIVE: Final = 4
GAVE_UP: Final = 5
SESSION_LOST: Final = 6
