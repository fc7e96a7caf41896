"""Stock moves into the ledger; refunds, parcels, room prices, flash sales and gifts."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SHELF = "'shop\\:stock/' || id || '\\:shelf'"
UNIT = "'stock/' || id"
LIMITED = "FROM products WHERE stock IS NOT NULL"


def upgrade() -> None:
    _give_back_what_checkouts_hold()
    _open_shelves()
    with op.batch_alter_table("products") as products:
        products.drop_constraint(op.f("ck_products_stock"), type_="check")
        products.add_column(sa.Column("limited", sa.Boolean(), nullable=True))
        for name in (
            "room_price", "flash_price", "flash_starts_at", "flash_ends_at", "flash_per_user",
            "gift_buy", "gift_get",
        ):  # fmt: skip
            products.add_column(sa.Column(name, sa.BigInteger(), nullable=True))
        products.add_column(sa.Column("gift_product", sa.Text(), nullable=True))
    op.execute("UPDATE products SET limited = (stock IS NOT NULL)")
    with op.batch_alter_table("products") as products:
        products.alter_column("limited", existing_type=sa.Boolean(), nullable=False)
        products.drop_column("stock")
    with op.batch_alter_table("order_lines") as lines:
        lines.add_column(sa.Column("paid", sa.BigInteger(), nullable=True))
        lines.add_column(sa.Column("gift_of", sa.Integer(), nullable=True))
        for name in ("back", "worth", "docked"):
            lines.add_column(
                sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
            )
    op.execute("UPDATE order_lines SET paid = quantity * unit_price, worth = unit_price")
    with op.batch_alter_table("order_lines") as lines:
        lines.alter_column("paid", existing_type=sa.BigInteger(), nullable=False)
    op.add_column(
        "orders", sa.Column("imported", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    _gather_checkout_lines()
    _make_refunds()
    _make_parcels()


def _gather_checkout_lines() -> None:
    """Give checkouts room for several lines, the old one first among them."""
    op.add_column("checkouts", sa.Column("lines", sa.Text(), nullable=True))
    database = op.get_bind()
    columns = ("product", "title", "quantity", "unit_price")
    asked = sa.text("SELECT order_id, product, title, quantity, unit_price FROM checkouts")
    rows = database.execute(asked)
    for row in rows.all():
        line = {name: getattr(row, name) for name in columns} | {"worth": row.unit_price}
        database.execute(
            sa.text("UPDATE checkouts SET lines = :lines WHERE order_id = :order"),
            {"lines": json.dumps([line], ensure_ascii=False), "order": row.order_id},
        )
    with op.batch_alter_table("checkouts") as checkouts:
        checkouts.alter_column("lines", existing_type=sa.Text(), nullable=False)
        for name in columns:
            checkouts.drop_column(name)


def _give_back_what_checkouts_hold() -> None:
    """End open checkouts: whoever pays one now still gets the goods while there are some."""
    op.execute(
        "UPDATE products SET stock = stock + COALESCE((SELECT SUM(quantity) FROM checkouts "
        "WHERE checkouts.tenant = products.tenant AND checkouts.product = products.id "
        "AND checkouts.state = 'pending'), 0) WHERE stock IS NOT NULL"
    )
    op.execute("UPDATE checkouts SET state = 'expired' WHERE state = 'pending'")


def _open_shelves() -> None:
    """Write an opening balance for each limited product."""
    op.execute(
        "INSERT INTO accounts (tenant, id, owner, unit, purpose, floor, balance, version) "
        f"SELECT tenant, {SHELF}, 'shop', {UNIT}, 'shelf', 0, stock, "
        f"CASE WHEN stock > 0 THEN 1 ELSE 0 END {LIMITED}"
    )
    op.execute(
        "INSERT INTO bundles (tenant, id, cause, ref, at) "
        f"SELECT tenant, 'opening/' || id, 'stock\\:opening', id, created_at {LIMITED} "
        "AND stock > 0"
    )
    for account, amount, balance, version in (
        (SHELF, "stock", "stock", "1"),
        ("'supplier\\:stock/' || id || '\\:supplied'", "-stock", "NULL", "NULL"),
    ):
        op.execute(
            "INSERT INTO ledger_lines (tenant, bundle, account, unit, amount, balance, version) "
            f"SELECT tenant, 'opening/' || id, {account}, {UNIT}, {amount}, "
            f"CAST({balance} AS BIGINT), CAST({version} AS BIGINT) {LIMITED} AND stock > 0"
        )


def _make_refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("payment", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_refunds_amount")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_refunds")),
    )
    op.create_index(op.f("ix_refunds_state_next_at"), "refunds", ["state", "next_at"])
    op.create_index(op.f("ix_refunds_tenant_order_id"), "refunds", ["tenant", "order_id"])
    # checkouts that were paid after their stock was gone: the money was due all along
    op.execute(
        "INSERT INTO refunds (tenant, id, order_id, amount, payment, reason, actor, state, "
        "next_at, at) SELECT tenant, order_id || '/late', order_id, amount, payment, "
        "'sold out before it was paid', '', 'due', 0, created_at FROM checkouts "
        "WHERE state = 'late'"
    )


def _make_parcels() -> None:
    op.create_table(
        "parcels",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("tracking", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("promised_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("alerted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_parcels")),
    )
    op.create_index(op.f("ix_parcels_tenant_member"), "parcels", ["tenant", "member"])
    op.create_index(op.f("ix_parcels_tenant_order_id"), "parcels", ["tenant", "order_id"])
    op.create_index(op.f("ix_parcels_state_promised_at"), "parcels", ["state", "promised_at"])
    op.create_table(
        "addresses",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "member", name=op.f("pk_addresses")),
    )
