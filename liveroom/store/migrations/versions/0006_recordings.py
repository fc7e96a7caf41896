"""Recordings of broadcasts, and the explanations of products in them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recordings",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("broadcast", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "broadcast"],
            ["broadcasts.tenant", "broadcasts.id"],
            name=op.f("fk_recordings_broadcasts"),
        ),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_recordings")),
    )
    op.create_index(
        op.f("ix_recordings_tenant_broadcast"), "recordings", ["tenant", "broadcast"], unique=False
    )
    op.create_table(
        "segments",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("broadcast", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "broadcast"],
            ["broadcasts.tenant", "broadcasts.id"],
            name=op.f("fk_segments_broadcasts"),
        ),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_segments")),
    )
    op.create_index(
        op.f("ix_segments_tenant_room_opened_at"),
        "segments",
        ["tenant", "room", "opened_at"],
        unique=False,
    )
