"""The statements that SQLite and PostgreSQL spell through their own constructs, and many rows.

Statements are made once for each shape: making one costs more than running it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import CursorResult, Dialect, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from liveroom.store.port import Transaction

SHAPES_MAX = 128
"""Statements kept; more shapes than that would be made anew each time."""


@lru_cache(SHAPES_MAX)
def _insert_new(dialect: str, table: Table) -> ReturningInsert[Any]:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing().returning(*table.primary_key.columns)


@lru_cache(SHAPES_MAX)
def _put(dialect: str, table: Table, replace: tuple[str, ...]) -> Any:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: statement.excluded[name] for name in replace},
    )


@lru_cache(SHAPES_MAX)
def _add_up(dialect: str, table: Table, add: tuple[str, ...]) -> Any:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: table.c[name] + statement.excluded[name] for name in add},
    )


def insert_new(tx: Transaction, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless its key is there; waits for a concurrent twin to commit first.

    Returns whether the row is new.
    """
    return tx.execute(_insert_new(tx.dialect.name, table), values).first() is not None


def insert_new_rows(
    tx: Transaction, table: Table, rows: Sequence[Mapping[str, Any]]
) -> set[tuple[Any, ...]]:
    """Insert rows unless their keys are there; returns the keys of those that are new.

    Give them in order of their keys, so that concurrent twins wait and never lock each other.
    """
    return {tuple(key) for key in tx.execute(_insert_new(tx.dialect.name, table), rows)}


def put(
    tx: Transaction,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    replace: tuple[str, ...],
) -> None:
    """Insert rows, or replace these columns of the rows that have their keys."""
    write_rows(tx, _put(tx.dialect.name, table, replace), rows)


def add_up(
    tx: Transaction, table: Table, rows: Sequence[Mapping[str, Any]], *, add: tuple[str, ...]
) -> None:
    """Insert rows, or add their numbers in these columns to the rows that have their keys."""
    write_rows(tx, _add_up(tx.dialect.name, table, add), rows)


def write_rows(
    tx: Transaction, statement: Executable, rows: Sequence[Mapping[str, Any]]
) -> CursorResult[Any]:
    """Run a statement once for each of some rows, whose values are all text and integers.

    The statement is Core's; its values go to the driver as they are. Core's own way costs
    more for each row than SQLite takes to write it.
    """
    text, in_order = _spelled(tx.dialect, statement, tuple(rows[0]))
    return tx.exec_driver_sql(text, [in_order(row) for row in rows])


@lru_cache(SHAPES_MAX)
def _spelled(
    dialect: Dialect, statement: Any, names: tuple[str, ...]
) -> tuple[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]]:
    """Spell a statement for a driver, and say in which order it takes the values."""
    spelled = statement.compile(dialect=dialect, column_keys=names)
    assert set(spelled.positiontup) <= set(names), "every value comes from the row"
    return str(spelled), itemgetter(*spelled.positiontup)
