"""Rooms, their counters and their broadcasts."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    UniqueConstraint,
    true,
)

from liveroom.store.tables.base import count, key, metadata

rooms = Table(
    "rooms",
    metadata,
    key("id"),
    Column("tenant", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("host", Text),
    Column("cover", Text),
    Column("language", Text, nullable=False),
    Column("planned_at", BigInteger),
    Column("anonymous", Boolean, nullable=False, server_default=true()),
    Column("created_at", BigInteger, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("stage", Text, nullable=False, server_default="[]"),
    Column("stage_session", Text),
    Column("mic_queue", Text, nullable=False, server_default="[]"),
    Column("seats", BigInteger, nullable=False, server_default="4"),
    Column("call", Text),
    Column("pin", Text),
    Column("broadcast", Text),
    UniqueConstraint("tenant", "id"),
)

room_counters = Table(
    "room_counters",
    metadata,
    key("tenant"),
    key("room"),
    count("n"),
    count("gifts"),
    count("gift_coins"),
    count("orders"),
    count("revenue"),
    count("likes"),
    count("followers"),
    count("visits"),
    ForeignKeyConstraint(["tenant", "room"], ["rooms.tenant", "rooms.id"]),
)

broadcasts = Table(
    "broadcasts",
    metadata,
    key("tenant"),
    key("id"),
    Column("room", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("cover", Text),
    Column("phase", Text, nullable=False),
    Column("planned_at", BigInteger),
    Column("started_at", BigInteger, nullable=False),
    Column("away_since", BigInteger),
    Column("ended_at", BigInteger),
    Column("opening", Text, nullable=False),
    Column("report", Text),
    ForeignKeyConstraint(["tenant", "room"], ["rooms.tenant", "rooms.id"]),
    Index(None, "tenant", "room", "started_at"),
)
