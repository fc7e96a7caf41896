"""PKs of two rooms, and who supported which."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SIDES = ("first", "second")


def upgrade() -> None:
    op.create_table(
        "pks",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("winner", sa.Text(), nullable=True),
        sa.Column("shown", sa.Boolean(), server_default=sa.false(), nullable=False),
        *(column for side in SIDES for column in _side(side)),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_pks")),
    )
    op.create_index(op.f("ix_pks_shown"), "pks", ["shown"])
    for side in SIDES:
        op.create_index(op.f(f"ix_pks_tenant_{side}_room"), "pks", ["tenant", f"{side}_room"])
    op.create_table(
        "pk_supporters",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("pk", sa.Text(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        _count("likes"),
        sa.PrimaryKeyConstraint("tenant", "pk", "room", "member", name=op.f("pk_pk_supporters")),
    )


def _side(name: str) -> list[sa.Column]:
    return [
        sa.Column(f"{name}_room", sa.Text(), nullable=False),
        sa.Column(f"{name}_user", sa.Text(), nullable=False),
        sa.Column(f"{name}_name", sa.Text(), nullable=False),
        sa.Column(f"{name}_slot", sa.BigInteger(), nullable=False),
        _count(f"{name}_supporters"),
        _count(f"{name}_likes"),
        _count(f"{name}_support_coins"),
        _count(f"{name}_coins"),
    ]


def _count(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
