"""The ledger: accounts, bundles and their lines, lots and holds; running gift combos."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    UniqueConstraint,
    false,
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
    Column("head", Text, nullable=False, server_default=""),
    Column("lotted", Boolean, nullable=False, server_default=false()),
    CheckConstraint("balance >= floor", name="floor"),
)
"""Guarded accounts; `head` is the hash of the last line, `lotted` tells that lots were opened."""

bundles = Table(
    "bundles",
    metadata,
    key("tenant"),
    key("id"),
    Column("cause", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("reverses", Text),
)

Index(
    None,
    bundles.c.tenant,
    bundles.c.reverses,
    unique=True,
    sqlite_where=bundles.c.reverses.is_not(None),
    postgresql_where=bundles.c.reverses.is_not(None),
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
    Column("hash", Text),
    UniqueConstraint("tenant", "bundle", "account"),
    UniqueConstraint("tenant", "account", "version"),
    CheckConstraint("amount <> 0", name="amount"),
    ForeignKeyConstraint(["tenant", "bundle"], ["bundles.tenant", "bundles.id"]),
)

lots = Table(
    "lots",
    metadata,
    key("tenant"),
    key("id"),
    Column("account", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("left", BigInteger, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("funder", Text, nullable=False),
    Column("cost", BigInteger, nullable=False),
    CheckConstraint('"left" >= 0 AND "left" <= amount', name="left"),
    Index(None, "tenant", "account"),
    Index(None, "expires_at"),
)

lot_moves = Table(
    "lot_moves",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("lot", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("of", Text),
    CheckConstraint("amount <> 0", name="amount"),
    ForeignKeyConstraint(["tenant", "bundle"], ["bundles.tenant", "bundles.id"]),
    Index(None, "tenant", "bundle"),
    Index(None, "tenant", "of"),
    Index(None, "tenant", "lot"),
)

holds = Table(
    "holds",
    metadata,
    key("tenant"),
    key("id"),
    Column("account", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("floor", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("captured", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    CheckConstraint("captured >= 0 AND captured <= amount", name="captured"),
    Index(None, "state", "expires_at"),
)

carries = Table(
    "carries",
    metadata,
    key("tenant"),
    key("id"),
    Column("weights", Text, nullable=False),
    Column("carry", Text, nullable=False),
)
"""What each side of a split is still owed: JSON lists, the carry in units of one over the sum."""

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
