"""Webhooks: endpoints, how far each has come in each room, and pages on their way.

The journal of events is the outbox: a cursor moves in the transaction that writes the page,
so that no event is ever skipped.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, false

from liveroom.store.tables.base import Sequence, count, key, metadata

webhooks = Table(
    "webhooks",
    metadata,
    key("tenant"),
    key("id"),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("room", Text),
    Column("paused", Boolean, nullable=False, server_default=false()),
    count("failures"),
    count("open_until"),
    Column("created_at", BigInteger, nullable=False),
)

webhook_cursors = Table(
    "webhook_cursors",
    metadata,
    key("tenant"),
    key("endpoint"),
    key("room"),
    count("n"),
)

webhook_pages = Table(
    "webhook_pages",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("room", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    count("attempts"),
    Column("due_at", BigInteger, nullable=False),
    Column("dead", Boolean, nullable=False, server_default=false()),
    Column("why", Text),
    Index(None, "tenant", "endpoint", "dead", "seq"),
)
