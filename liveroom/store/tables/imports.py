"""Imports, how far they are, and what was wrong with their rows."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Table, Text

from liveroom.store.tables.base import count, key, metadata

imports = Table(
    "imports",
    metadata,
    key("tenant"),
    key("id"),
    Column("kind", Text, nullable=False),
    Column("total", BigInteger, nullable=False),
    count("next"),
    count("done"),
    count("failed"),
    Column("actor", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

import_faults = Table(
    "import_faults",
    metadata,
    key("tenant"),
    key("import_id"),
    Column("row", BigInteger, primary_key=True, autoincrement=False),
    Column("line", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("why", Text, nullable=False),
    ForeignKeyConstraint(["tenant", "import_id"], ["imports.tenant", "imports.id"]),
)
