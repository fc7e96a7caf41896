"""What happened, what is still to be published, and which commands were answered."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from liveroom.store.tables.base import Sequence, key, metadata

events = Table(
    "events",
    metadata,
    key("tenant"),
    key("room"),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("fact", Text, nullable=False),
    Column("cid", Text),
)

personal_events = Table(
    "personal_events",
    metadata,
    key("tenant"),
    key("room"),
    key("member"),
    Column("pn", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("fact", Text, nullable=False),
    Index(None, "room", "at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("room", Text, nullable=False),
    Column("member", Text),
    Column("number", BigInteger, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    key("tenant"),
    key("command"),
    key("subject"),
    key("key"),
    Column("fingerprint", Text, nullable=False),
    Column("answer", Text),
    Column("code", Text),
    Column("why", Text),
    Column("at", BigInteger, nullable=False),
    Index(None, "at"),
)
