"""The Range header of a request for a file (RFC 9110 section 14)."""

import re
from typing import Final

_ONE = re.compile(r"\Abytes=(\d{0,18})-(\d{0,18})\Z", re.ASCII)
HEADER_CHARS_MAX: Final = 64


def read_range(header: str | None, size: int, *, longest: int) -> tuple[int, int] | None:
    """Return first byte and length of what to send; None when nothing of it is there.

    What is no single range of bytes is answered with the whole file, as the RFC allows. A
    range is cut to `longest` bytes: the answer says which bytes it has.
    """
    found = _ONE.match(header) if header is not None and len(header) < HEADER_CHARS_MAX else None
    if found is None or found.group() == "bytes=-":
        return 0, size
    begin, end = found.groups()
    if not begin:
        count = min(int(end), size)
        first = size - count
    else:
        first = int(begin)
        last = min(int(end), size - 1) if end else size - 1
        count = last - first + 1
        if end and int(end) < first:
            return 0, size
    if count <= 0:
        return None
    return first, min(count, longest)
