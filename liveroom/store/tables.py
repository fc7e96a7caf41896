"""Every table of a shop. The tenant is part of every key; a room's id is unique by itself.

Times are UTC milliseconds, amounts minor units. `migrations/` makes these tables;
a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

Sequence = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit number that the database counts up."""


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


rooms = Table(
    "rooms",
    metadata,
    _key("id"),
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
    Column("pin", Text),
    Column("broadcast", Text),
    UniqueConstraint("tenant", "id"),
)

room_counters = Table(
    "room_counters",
    metadata,
    _key("tenant"),
    _key("room"),
    _count("n"),
    _count("gifts"),
    _count("gift_coins"),
    _count("orders"),
    _count("revenue"),
    _count("likes"),
    _count("followers"),
    _count("visits"),
    ForeignKeyConstraint(["tenant", "room"], ["rooms.tenant", "rooms.id"]),
)

broadcasts = Table(
    "broadcasts",
    metadata,
    _key("tenant"),
    _key("id"),
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

members = Table(
    "members",
    metadata,
    _key("tenant"),
    _key("id"),
    Column("name", Text),
    Column("age_band", Text),
    Column("public_orders", Boolean, nullable=False, server_default=false()),
    Column("ritual", Boolean, nullable=False, server_default=true()),
    _count("spent"),
    _count("orders"),
    Column("created_at", BigInteger, nullable=False),
)

room_members = Table(
    "room_members",
    metadata,
    _key("tenant"),
    _key("room"),
    _key("member"),
    Column("nickname", Text),
    _count("visits"),
    _count("orders"),
    _count("pn"),
    ForeignKeyConstraint(["tenant", "room"], ["rooms.tenant", "rooms.id"]),
)

visits = Table(
    "visits",
    metadata,
    _key("tenant"),
    _key("room"),
    _key("member"),
    _key("occasion"),
    Column("at", BigInteger, nullable=False),
)

follows = Table(
    "follows",
    metadata,
    _key("tenant"),
    _key("room"),
    _key("member"),
    Column("at", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant", "room"], ["rooms.tenant", "rooms.id"]),
)

products = Table(
    "products",
    metadata,
    _key("tenant"),
    _key("id"),
    Column("title", Text, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("stock", BigInteger),
    Column("category", Text),
    Column("image", Text),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint("stock IS NULL OR stock >= 0", name="stock"),
    CheckConstraint("price > 0", name="price"),
)

orders = Table(
    "orders",
    metadata,
    _key("tenant"),
    _key("id"),
    Column("member", Text, nullable=False),
    Column("room", Text),
    Column("broadcast", Text),
    Column("total", BigInteger, nullable=False),
    Column("paid_at", BigInteger, nullable=False),
    Column("placed_at", BigInteger, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("nth", BigInteger, nullable=False),
    Column("tier", Text, nullable=False),
    CheckConstraint("total > 0", name="total"),
    Index(None, "tenant", "member", "paid_at"),
)

order_lines = Table(
    "order_lines",
    metadata,
    _key("tenant"),
    _key("order_id"),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("product", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("category", Text),
    Column("quantity", BigInteger, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant", "order_id"], ["orders.tenant", "orders.id"]),
)

checkouts = Table(
    "checkouts",
    metadata,
    _key("order_id"),
    Column("tenant", Text, nullable=False),
    Column("room", Text, nullable=False),
    Column("member", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("unit_price", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("payment", Text),
    Column("pay_url", Text),
    Column("state", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant", "room"], ["rooms.tenant", "rooms.id"]),
    Index(None, "state", "expires_at"),
)

accounts = Table(
    "accounts",
    metadata,
    _key("tenant"),
    _key("id"),
    Column("owner", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("floor", BigInteger, nullable=False),
    _count("balance"),
    _count("version"),
    CheckConstraint("balance >= floor", name="floor"),
)

bundles = Table(
    "bundles",
    metadata,
    _key("tenant"),
    _key("id"),
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

events = Table(
    "events",
    metadata,
    _key("tenant"),
    _key("room"),
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
    _key("tenant"),
    _key("room"),
    _key("member"),
    Column("pn", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("fact", Text, nullable=False),
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
    _key("tenant"),
    _key("command"),
    _key("subject"),
    _key("key"),
    Column("fingerprint", Text, nullable=False),
    Column("answer", Text),
    Column("code", Text),
    Column("why", Text),
    Column("at", BigInteger, nullable=False),
    Index(None, "at"),
)

tickets = Table(
    "tickets",
    metadata,
    _key("digest"),
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

combos = Table(
    "combos",
    metadata,
    _key("tenant"),
    _key("room"),
    _key("member"),
    _key("gift"),
    Column("count", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)
