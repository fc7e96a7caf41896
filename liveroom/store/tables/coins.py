"""Bought coins, what hosts earn with them, what people tip, and cases of taking it back."""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKeyConstraint, Index, Table, Text

from liveroom.store.tables.base import count, key, metadata

coin_purchases = Table(
    "coin_purchases",
    metadata,
    key("order_id"),
    Column("tenant", Text, nullable=False),
    Column("room", Text, nullable=False),
    Column("member", Text, nullable=False),
    Column("pack", Text, nullable=False),
    Column("coins", BigInteger, nullable=False),
    Column("bonus", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("payment", Text),
    Column("pay_url", Text),
    Column("state", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("paid_at", BigInteger),
    ForeignKeyConstraint(["tenant", "room"], ["rooms.tenant", "rooms.id"]),
    Index(None, "tenant", "member", "paid_at"),
)

earnings = Table(
    "earnings",
    metadata,
    key("tenant"),
    key("host"),
    Column("matured_until", BigInteger, nullable=False),
)
"""Up to when (UTC ms, inclusive) a host's gifts are theirs."""

tips = Table(
    "tips",
    metadata,
    key("tenant"),
    key("member"),
    Column("day", BigInteger, nullable=False),
    Column("coins", BigInteger, nullable=False),
    Column("pause_until", BigInteger, nullable=False),
)

tip_contexts = Table(
    "tip_contexts",
    metadata,
    key("tenant"),
    key("room"),
    key("context"),
    Column("coins", BigInteger, nullable=False),
    Column("gifts", BigInteger, nullable=False),
)

goals = Table(
    "goals",
    metadata,
    key("tenant"),
    key("id"),
    Column("room", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("target", BigInteger, nullable=False),
    count("coins"),
    Column("state", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    CheckConstraint("target > 0", name="target"),
    ForeignKeyConstraint(["tenant", "room"], ["rooms.tenant", "rooms.id"]),
    Index(None, "tenant", "room", "state"),
)

cases = Table(
    "cases",
    metadata,
    key("tenant"),
    key("id"),
    Column("member", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", BigInteger),
    Column("note", Text, nullable=False, server_default=""),
    count("coins"),
    count("amount"),
    Index(None, "tenant", "member"),
)
