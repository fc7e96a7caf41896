"""What a shop's rules are, its coupon templates, and what members have earned towards points."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, Table, Text

from liveroom.store.tables.base import count, key, metadata

shop_rules = Table(
    "shop_rules",
    metadata,
    key("tenant"),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("rules", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
)
"""Every version stays: what was in force when something was granted can be looked up."""

coupon_templates = Table(
    "coupon_templates",
    metadata,
    key("tenant"),
    key("id"),
    Column("template", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

coupon_holders = Table(
    "coupon_holders",
    metadata,
    key("tenant"),
    key("template"),
    key("member"),
    count("issued"),
    Column("most", BigInteger, nullable=False),
    CheckConstraint("issued <= most", name="most"),
)
"""How many coupons of a kind somebody ever got, and how many at most."""

progress = Table(
    "progress",
    metadata,
    key("tenant"),
    key("member"),
    Column("state", Text, nullable=False),
)
"""How far somebody is with check-in, watching and talking, as one document."""

pending_points = Table(
    "pending_points",
    metadata,
    key("tenant"),
    key("order_id"),
    Column("member", Text, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("final_at", BigInteger, nullable=False, index=True),
)
"""Points of orders that could still come back."""

levels = Table(
    "levels",
    metadata,
    key("tenant"),
    key("member"),
    Column("tier", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("best", Text, nullable=False),
    Column("grace_until", BigInteger),
    Column("review_at", BigInteger, nullable=False, index=True),
)
"""Levels above basic, and when each is looked at again."""
