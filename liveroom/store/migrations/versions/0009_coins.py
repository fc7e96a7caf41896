"""Bought coins, matured earnings, tips by day and by what for, goals, cases of guardians."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def _text(name: str, *, optional: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=optional, server_default=default)


def _number(name: str, *, optional: bool = False, counts: bool = False) -> sa.Column[int]:
    default = sa.text("0") if counts else None
    return sa.Column(name, sa.BigInteger(), nullable=optional, server_default=default)


def _in_a_room(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant", "room"], ["rooms.tenant", "rooms.id"], name=op.f(f"fk_{table}_rooms")
    )


def upgrade() -> None:
    op.create_table(
        "coin_purchases",
        *(_text(name) for name in ("order_id", "tenant", "room", "member", "pack")),
        *(_number(name) for name in ("coins", "bonus", "amount")),
        *(_text(name, optional=True) for name in ("payment", "pay_url")),
        _text("state"),
        _number("created_at"),
        _number("paid_at", optional=True),
        _in_a_room("coin_purchases"),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_coin_purchases")),
    )
    op.create_index(
        op.f("ix_coin_purchases_tenant_member_paid_at"),
        "coin_purchases",
        ["tenant", "member", "paid_at"],
    )
    op.create_table(
        "earnings",
        _text("tenant"),
        _text("host"),
        _number("matured_until"),
        sa.PrimaryKeyConstraint("tenant", "host", name=op.f("pk_earnings")),
    )
    op.create_table(
        "tips",
        _text("tenant"),
        _text("member"),
        *(_number(name) for name in ("day", "coins", "pause_until")),
        sa.PrimaryKeyConstraint("tenant", "member", name=op.f("pk_tips")),
    )
    op.create_table(
        "tip_contexts",
        *(_text(name) for name in ("tenant", "room", "context")),
        *(_number(name) for name in ("coins", "gifts")),
        sa.PrimaryKeyConstraint("tenant", "room", "context", name=op.f("pk_tip_contexts")),
    )
    op.create_table(
        "goals",
        *(_text(name) for name in ("tenant", "id", "room", "title")),
        _number("target"),
        _number("coins", counts=True),
        _text("state"),
        *(_number(name) for name in ("opened_at", "ends_at")),
        _number("ended_at", optional=True),
        sa.CheckConstraint("target > 0", name=op.f("ck_goals_target")),
        _in_a_room("goals"),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_goals")),
    )
    op.create_index(op.f("ix_goals_tenant_room_state"), "goals", ["tenant", "room", "state"])
    op.create_table(
        "cases",
        *(_text(name) for name in ("tenant", "id", "member", "reason")),
        *(_number(name) for name in ("since", "until")),
        *(_text(name) for name in ("state", "opened_by")),
        _number("opened_at"),
        _text("decided_by", optional=True),
        _number("decided_at", optional=True),
        _text("note", default=""),
        *(_number(name, counts=True) for name in ("coins", "amount")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_cases")),
    )
    op.create_index(op.f("ix_cases_tenant_member"), "cases", ["tenant", "member"])
