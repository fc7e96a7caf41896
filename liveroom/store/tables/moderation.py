"""Order in the rooms: rules, words, sanctions, reports, and the trail of who did what.

`room` is `*` where something counts for all rooms of a shop. `chat_rules.version` rises with
every change of a room's (or shop's) rules, words or sanctions, so that a node need only look
at one row to know that what it remembers still counts.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, false

from liveroom.store.tables.base import Sequence, count, key, metadata

chat_rules = Table(
    "chat_rules",
    metadata,
    key("tenant"),
    key("room"),
    Column("rules", Text),
    count("version"),
)

words = Table(
    "words",
    metadata,
    key("tenant"),
    key("room"),
    key("word"),
    Column("action", Text, nullable=False),
)

sanctions = Table(
    "sanctions",
    metadata,
    key("tenant"),
    key("room"),
    key("member"),
    key("bar"),
    Column("until", BigInteger),
    Column("rank", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index(None, "until"),
    Index(None, "at"),
)

reports = Table(
    "reports",
    metadata,
    key("tenant"),
    key("room"),
    key("line"),
    key("reporter"),
    Column("member", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("badge", Text),
    Column("reason", Text, nullable=False),
    Column("held", Boolean, nullable=False, server_default=false()),
    Column("state", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index(None, "tenant", "room", "state", "at"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Sequence, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("room", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index(None, "tenant", "room", "seq"),
)
