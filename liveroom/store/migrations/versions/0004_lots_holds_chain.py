"""Lots, holds and the chain of hashes through the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("head", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "accounts", sa.Column("lotted", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("bundles", sa.Column("actor", sa.Text(), server_default="", nullable=False))
    op.add_column("bundles", sa.Column("reason", sa.Text(), server_default="", nullable=False))
    op.add_column("bundles", sa.Column("reverses", sa.Text(), nullable=True))
    op.create_index(
        op.f("ix_bundles_tenant_reverses"), "bundles", ["tenant", "reverses"], unique=True
    )
    op.add_column("ledger_lines", sa.Column("hash", sa.Text(), nullable=True))
    op.create_table(
        "lots",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("left", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("funder", sa.Text(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.CheckConstraint('"left" >= 0 AND "left" <= amount', name=op.f("ck_lots_left")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_lots")),
    )
    op.create_index(op.f("ix_lots_tenant_account"), "lots", ["tenant", "account"])
    op.create_index(op.f("ix_lots_expires_at"), "lots", ["expires_at"])
    op.create_table(
        "lot_moves",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("lot", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("of", sa.Text(), nullable=True),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_lot_moves_amount")),
        sa.ForeignKeyConstraint(
            ["tenant", "bundle"],
            ["bundles.tenant", "bundles.id"],
            name=op.f("fk_lot_moves_bundles"),
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_lot_moves")),
    )
    for column in ("bundle", "of", "lot"):
        op.create_index(op.f(f"ix_lot_moves_tenant_{column}"), "lot_moves", ["tenant", column])
    op.create_table(
        "holds",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("captured >= 0 AND captured <= amount", name=op.f("ck_holds_captured")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_holds")),
    )
    op.create_index(op.f("ix_holds_state_expires_at"), "holds", ["state", "expires_at"])
    op.create_table(
        "carries",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("weights", sa.Text(), nullable=False),
        sa.Column("carry", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_carries")),
    )
    _keep_append_only(op.get_bind().dialect.name)


def _keep_append_only(dialect: str) -> None:
    if dialect == "postgresql":
        op.execute(
            "CREATE TRIGGER lot_moves_append_only BEFORE UPDATE OR DELETE ON lot_moves "
            "FOR EACH ROW EXECUTE FUNCTION liveroom_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER lot_moves_no_{change.lower()} BEFORE {change} ON lot_moves "
            "BEGIN SELECT RAISE(ABORT, 'lot_moves is append-only'); END"
        )
