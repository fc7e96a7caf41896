"""Members, what they are to a room, and how they get in."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Table,
    Text,
    false,
    true,
)

from liveroom.store.tables.base import count, key, metadata

members = Table(
    "members",
    metadata,
    key("tenant"),
    key("id"),
    Column("name", Text),
    Column("age_band", Text),
    Column("public_orders", Boolean, nullable=False, server_default=false()),
    Column("ritual", Boolean, nullable=False, server_default=true()),
    count("spent"),
    count("orders"),
    Column("created_at", BigInteger, nullable=False),
)

room_members = Table(
    "room_members",
    metadata,
    key("tenant"),
    key("room"),
    key("member"),
    Column("nickname", Text),
    count("visits"),
    count("orders"),
    count("pn"),
    ForeignKeyConstraint(["tenant", "room"], ["rooms.tenant", "rooms.id"]),
)

visits = Table(
    "visits",
    metadata,
    key("tenant"),
    key("room"),
    key("member"),
    key("occasion"),
    Column("at", BigInteger, nullable=False),
)

follows = Table(
    "follows",
    metadata,
    key("tenant"),
    key("room"),
    key("member"),
    Column("at", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant", "room"], ["rooms.tenant", "rooms.id"]),
)

tickets = Table(
    "tickets",
    metadata,
    key("digest"),
    Column("tenant", Text, nullable=False),
    Column("member", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("room", Text, nullable=False),
    Column("name", Text),
    Column("reusable", Boolean, nullable=False),
    Column("used_at", BigInteger),
    Column("expires_at", BigInteger, nullable=False),
    Index(None, "expires_at"),
)
