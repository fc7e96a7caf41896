"""The contract of the store: the truth of a shop, one transaction at a time.

A command is a *synchronous* function over a SQLAlchemy Core connection; the same functions
run on SQLite and PostgreSQL. `tests/contracts/test_store.py` holds every adapter to this page.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

Transaction = Connection
"""What a command works on. A command must not commit, keep it, or block on anything else."""

Result = TypeVar("Result")

COMMANDS_WAITING_MAX = 10_000
"""Commands that may wait for the store; one more is refused as `unavailable`."""
OUTBOX_WRITTEN = "liveroom.outbox_written"
"""Set in `Transaction.info` by a command that left something to publish."""


class StoreUnusableError(Exception):
    """The store cannot be opened; the text is a sentence that says what to do."""


class Store(Protocol):
    """Runs commands atomically and durably.

    Atomicity: all of a command's writes or none; an exception undoes the command and only it.
    Durability: `run` returns only after the commit is on disk.
    Isolation: two commands never overwrite each other's decisions (SQLite runs them one after
    another; PostgreSQL through guarded updates and row locks, retried on conflicts, so a
    command may run more than once and must have no effect but its writes).
    A caller that is cancelled cannot know whether its command ran: ask again by its key.
    """

    on_written: Callable[[], None] | None
    """Called on the event loop after a commit that left something in the outbox."""

    async def run(self, command: Callable[[Transaction], Result]) -> Result:
        """Run one command in a transaction and return what it returns.

        Raises:
            Refused: `unavailable` when too many commands wait or the database does not answer.

        """
        ...

    async def close(self) -> None:
        """Finish what was accepted, then release the database."""
        ...
