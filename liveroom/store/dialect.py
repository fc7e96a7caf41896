"""The two statements that SQLite and PostgreSQL spell through their own constructs.

Statements are made once for each shape: making one costs more than running it.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from liveroom.store.port import Transaction

SHAPES_MAX = 128
"""Statements kept; more shapes than that would be made anew each time."""


@lru_cache(SHAPES_MAX)
def _insert_new(dialect: str, table: Table) -> ReturningInsert[Any]:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    first = next(iter(table.primary_key.columns))
    return insert(table).on_conflict_do_nothing().returning(first)


@lru_cache(SHAPES_MAX)
def _put(dialect: str, table: Table, replace: tuple[str, ...]) -> Any:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: statement.excluded[name] for name in replace},
    )


def insert_new(tx: Transaction, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless its key is there; waits for a concurrent twin to commit first.

    Returns whether the row is new.
    """
    return tx.execute(_insert_new(tx.dialect.name, table), values).first() is not None


def put(
    tx: Transaction, table: Table, values: Mapping[str, Any], *, replace: tuple[str, ...]
) -> None:
    """Insert a row, or replace these columns of the row that has its key."""
    tx.execute(_put(tx.dialect.name, table, replace), values)
