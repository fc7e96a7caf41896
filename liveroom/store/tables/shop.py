"""Products, orders and checkouts."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
)

from liveroom.store.tables.base import key, metadata

products = Table(
    "products",
    metadata,
    key("tenant"),
    key("id"),
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
    key("tenant"),
    key("id"),
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
    key("tenant"),
    key("order_id"),
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
    key("order_id"),
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
