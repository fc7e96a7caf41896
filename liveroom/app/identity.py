"""The clock and the ids of a process; everything else is handed them."""

import secrets
import time

ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_TIME_CHARS = 10
ID_CHANCE_CHARS = 16


def now_ms() -> int:
    """Tell server time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """Make an id that sorts by time: 50 bits of milliseconds and 80 bits of chance, base 32."""
    value = now_ms() << (5 * ID_CHANCE_CHARS) | secrets.randbits(5 * ID_CHANCE_CHARS)
    shifts = range(5 * (ID_TIME_CHARS + ID_CHANCE_CHARS - 1), -1, -5)
    return "".join(ID_ALPHABET[value >> shift & 31] for shift in shifts)
