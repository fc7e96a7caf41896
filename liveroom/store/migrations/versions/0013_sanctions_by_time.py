"""Sanctions by time: what every node looks at each second, whatever the bus does."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_sanctions_at"), "sanctions", ["at"])
