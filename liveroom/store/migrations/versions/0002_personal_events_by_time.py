"""Personal events by time: what a node asks for after it lost the bus."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        op.f("ix_personal_events_room_at"), "personal_events", ["room", "at"], unique=False
    )
