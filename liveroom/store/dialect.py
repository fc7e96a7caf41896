"""The two statements that SQLite and PostgreSQL spell through their own constructs."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from liveroom.store.port import Transaction


def insert_new(tx: Transaction, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless its key is there; waits for a concurrent twin to commit first.

    Returns whether the row is new.
    """
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    first = next(iter(table.primary_key.columns))
    statement = insert(table).values(**values).on_conflict_do_nothing().returning(first)
    return tx.execute(statement).first() is not None


def put(
    tx: Transaction, table: Table, values: Mapping[str, Any], *, replace: Sequence[str]
) -> None:
    """Insert a row, or replace these columns of the row that has its key."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(**values)
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={name: statement.excluded[name] for name in replace},
        )
    )
