"""Rows of levels: who stands where, and whose turn it is to be looked at."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import bindparam, case, func, select

from liveroom.domain.ids import TenantId, UserId
from liveroom.domain.levels import DAY_MS, Ladder, Level, Spending
from liveroom.domain.tiers import NextTier, Tier, next_tier, tier_of
from liveroom.store import rules
from liveroom.store.dialect import put
from liveroom.store.port import Transaction
from liveroom.store.tables import levels, members, orders, refunds

REVIEWED_MAX: Final = 200
"""Levels looked at by one sweep; the rest waits for the next."""

_TIERS = select(levels.c.member, levels.c.tier).where(
    levels.c.tenant == bindparam("of_tenant"),
    levels.c.member.in_(bindparam("of_members", expanding=True)),
)


def find(tx: Transaction, tenant: TenantId, user: UserId) -> Level | None:
    """Read a level; None for who never rose above basic."""
    row = tx.execute(
        select(levels).where(levels.c.tenant == tenant, levels.c.member == user)
    ).first()
    if row is None:
        return None
    return Level(
        tier=Tier(row.tier), since=row.since, best=Tier(row.best), grace_until=row.grace_until
    )


def tiers_of(tx: Transaction, tenant: TenantId, spent: Mapping[UserId, int]) -> dict[UserId, Tier]:
    """Tell people's levels; who has no row yet stands where their lifetime spending puts them."""
    return {user: tier for user, (tier, _) in places_of(tx, tenant, spent).items()}


def places_of(
    tx: Transaction, tenant: TenantId, spent: Mapping[UserId, int]
) -> dict[UserId, tuple[Tier, NextTier | None]]:
    """Tell people's levels and what is missing to the next one."""
    if not spent:
        return {}
    reach = rules.in_force(tx, tenant)[1].ladder.reach
    rows = tx.execute(_TIERS, {"of_tenant": tenant, "of_members": list(spent)})
    written = {row.member: Tier(row.tier) for row in rows}
    return {
        user: (written.get(user, tier_of(total, reach)), next_tier(total, reach))
        for user, total in spent.items()
    }


def write(tx: Transaction, tenant: TenantId, user: UserId, level: Level, ladder: Ladder) -> None:
    """Write a level, and when it is to be looked at again."""
    due = level.since + ladder.period_days * DAY_MS
    row = {
        "tenant": tenant,
        "member": user,
        "tier": level.tier,
        "since": level.since,
        "best": level.best,
        "grace_until": level.grace_until,
        "review_at": due if level.grace_until is None else level.grace_until,
    }
    put(tx, levels, [row], replace=("tier", "since", "best", "grace_until", "review_at"))


def due(tx: Transaction, *, at: int) -> list[tuple[TenantId, UserId]]:
    """List whose level is to be looked at, in all shops."""
    rows = tx.execute(
        select(levels.c.tenant, levels.c.member)
        .where(levels.c.review_at <= at, levels.c.tier != Tier.BASIC)
        .order_by(levels.c.review_at)
        .limit(REVIEWED_MAX)
    )
    return [(TenantId(row.tenant), UserId(row.member)) for row in rows]


def spending(
    tx: Transaction, tenant: TenantId, user: UserId, ladder: Ladder, *, at: int, just_now: int = 0
) -> Spending:
    """Add up what somebody spent, ever and within the ladder's period.

    `just_now` is an order that the lifetime counts already and that has no row yet.
    """
    lifetime = tx.execute(
        select(members.c.spent).where(members.c.tenant == tenant, members.c.id == user)
    ).scalar()
    since = at - ladder.period_days * DAY_MS
    recent = case((orders.c.paid_at > since, orders.c.total), else_=0)
    within = tx.execute(
        select(func.coalesce(func.sum(recent), 0)).where(
            orders.c.tenant == tenant, orders.c.member == user
        )
    ).scalar_one()
    gone = tx.execute(
        select(func.coalesce(func.sum(refunds.c.amount), 0))
        .join(orders, (orders.c.tenant == refunds.c.tenant) & (orders.c.id == refunds.c.order_id))
        .where(orders.c.tenant == tenant, orders.c.member == user, orders.c.paid_at > since)
    ).scalar_one()
    net = int(within) - int(gone) + just_now
    return Spending(lifetime=lifetime or 0, within_period=net, just_now=just_now)


def people(
    tx: Transaction, tenant: TenantId, ladder: Ladder, *, at: int
) -> list[tuple[Tier, Spending]]:
    """List every member's level and spending, to try out another ladder."""
    since = at - ladder.period_days * DAY_MS
    recent = func.sum(case((orders.c.paid_at > since, orders.c.total), else_=0)).label("within")
    within = (
        select(orders.c.member, recent)
        .where(orders.c.tenant == tenant)
        .group_by(orders.c.member)
        .subquery()
    )
    rows = tx.execute(
        select(members.c.spent, within.c.within, levels.c.tier)
        .outerjoin(within, within.c.member == members.c.id)
        .outerjoin(
            levels, (levels.c.tenant == members.c.tenant) & (levels.c.member == members.c.id)
        )
        .where(members.c.tenant == tenant)
    )
    return [
        (
            Tier(row.tier) if row.tier else tier_of(row.spent),
            Spending(lifetime=row.spent, within_period=int(row.within or 0)),
        )
        for row in rows
    ]
