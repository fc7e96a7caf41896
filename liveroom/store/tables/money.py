"""The ledger: accounts, bundles and their lines; running gift combos."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from liveroom.store.tables.base import Sequence, count, key, metadata

accounts = Table(
    "accounts",
    metadata,
    key("tenant"),
    key("id"),
    Column("owner", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("floor", BigInteger, nullable=False),
    count("balance"),
    count("version"),
    CheckConstraint("balance >= floor", name="floor"),
)

bundles = Table(
    "bundles",
    metadata,
    key("tenant"),
    key("id"),
    Column("cause", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

ledger_lines = Table(
    "ledger_lines",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("balance", BigInteger),
    Column("version", BigInteger),
    UniqueConstraint("tenant", "bundle", "account"),
    UniqueConstraint("tenant", "account", "version"),
    CheckConstraint("amount <> 0", name="amount"),
    ForeignKeyConstraint(["tenant", "bundle"], ["bundles.tenant", "bundles.id"]),
)

combos = Table(
    "combos",
    metadata,
    key("tenant"),
    key("room"),
    key("member"),
    key("gift"),
    Column("count", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)
