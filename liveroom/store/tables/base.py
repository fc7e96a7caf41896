"""What all tables share: the metadata, the kinds of columns, how constraints are named."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text, text

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


def key(name: str) -> Column[str]:
    """Make a text column that is part of the primary key."""
    return Column(name, Text, primary_key=True)


def count(name: str) -> Column[int]:
    """Make a whole number that begins at zero."""
    return Column(name, BigInteger, nullable=False, server_default=text("0"))
