"""PKs of two rooms, and who supported which."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, false

from liveroom.store.tables.base import count, key, metadata

pks = Table(
    "pks",
    metadata,
    key("tenant"),
    key("id"),
    Column("phase", Text, nullable=False),
    Column("seconds", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("winner", Text),
    Column("shown", Boolean, nullable=False, server_default=false()),
    Column("first_room", Text, nullable=False),
    Column("first_user", Text, nullable=False),
    Column("first_name", Text, nullable=False),
    Column("first_slot", BigInteger, nullable=False),
    count("first_supporters"),
    count("first_likes"),
    count("first_support_coins"),
    count("first_coins"),
    Column("second_room", Text, nullable=False),
    Column("second_user", Text, nullable=False),
    Column("second_name", Text, nullable=False),
    Column("second_slot", BigInteger, nullable=False),
    count("second_supporters"),
    count("second_likes"),
    count("second_support_coins"),
    count("second_coins"),
    Index(None, "shown"),
    Index(None, "tenant", "first_room"),
    Index(None, "tenant", "second_room"),
)

pk_supporters = Table(
    "pk_supporters",
    metadata,
    key("tenant"),
    key("pk"),
    key("room"),
    key("member"),
    count("likes"),
)
