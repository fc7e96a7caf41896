"""Seats on a room's stage, the queue for the mic, and private calls."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rooms", sa.Column("mic_queue", sa.Text(), server_default="[]", nullable=False))
    op.add_column("rooms", sa.Column("seats", sa.BigInteger(), server_default="4", nullable=False))
    op.add_column("rooms", sa.Column("call", sa.Text(), nullable=True))
