"""Takes of broadcasts and the explanations of products in them."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, Table, Text

from liveroom.store.tables.base import count, key, metadata

recordings = Table(
    "recordings",
    metadata,
    key("tenant"),
    key("id"),
    Column("room", Text, nullable=False),
    Column("broadcast", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("reason", Text),
    count("bytes"),
    ForeignKeyConstraint(["tenant", "broadcast"], ["broadcasts.tenant", "broadcasts.id"]),
    Index(None, "tenant", "broadcast"),
)

segments = Table(
    "segments",
    metadata,
    key("tenant"),
    key("id"),
    Column("room", Text, nullable=False),
    Column("broadcast", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    ForeignKeyConstraint(["tenant", "broadcast"], ["broadcasts.tenant", "broadcasts.id"]),
    Index(None, "tenant", "room", "opened_at"),
)
