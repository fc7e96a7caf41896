"""Imports of members and of their history; reversals indexed without all other bundles."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _counter(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "imports",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        *(_counter(name) for name in ("next", "done", "failed")),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_imports")),
    )
    op.create_table(
        "import_faults",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "import_id"],
            ["imports.tenant", "imports.id"],
            name=op.f("fk_import_faults_imports"),
        ),
        sa.PrimaryKeyConstraint("tenant", "import_id", "row", name=op.f("pk_import_faults")),
    )
    op.drop_index(op.f("ix_bundles_tenant_reverses"), "bundles")
    op.create_index(
        op.f("ix_bundles_tenant_reverses"),
        "bundles",
        ["tenant", "reverses"],
        unique=True,
        sqlite_where=sa.text("reverses IS NOT NULL"),
        postgresql_where=sa.text("reverses IS NOT NULL"),
    )
