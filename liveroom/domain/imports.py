"""Imports: a shop's members and its history come in rows, each whole or not at all.

An import knows which row comes next, so that whoever was interrupted goes on there; what is
wrong with a row is kept with its line in the file.
"""

from dataclasses import dataclass
from enum import StrEnum

from liveroom.domain.refusals import Refused

ROWS_MAX = 10_000_000
"""Rows of one import."""
CHUNK_ROWS_MAX = 500
"""Rows carried out in one transaction."""


class ImportKind(StrEnum):
    """What the rows are."""

    MEMBERS = "members"
    ORDERS = "orders"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """How far an import is: rows before `next` are done or have failed."""

    id: str
    kind: ImportKind
    total: int
    next: int = 0
    done: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFault:
    """Why one row was left out; `line` as the file counts."""

    line: int
    code: str
    why: str


def new_rows(state: Import, first: int, count: int) -> int:
    """Say how many rows of a chunk were carried out before; the rest is new.

    Raises:
        Refused: `import_elsewhere` for a chunk that leaves rows out, `invalid` for more rows
            than the import has.

    """
    if first > state.next:
        raise Refused("import_elsewhere", f"Go on with row {state.next}.")
    if first + count > state.total:
        raise Refused("invalid", f"The import has {state.total} rows.")
    return min(count, state.next - first)
