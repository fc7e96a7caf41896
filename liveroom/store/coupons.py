"""Rows of coupon templates, and coupons as the ledger holds them."""

from typing import Final

import msgspec
from sqlalchemy import func, select, update

from liveroom.domain import coupons as rules
from liveroom.domain.coupons import CouponTemplate, CouponUsage, HeldCoupon
from liveroom.domain.ids import TenantId, UserId
from liveroom.domain.ledger import Bundle, Lot, Transfer, chart
from liveroom.domain.refusals import Refused
from liveroom.store.dialect import insert_new
from liveroom.store.lots import lot_of
from liveroom.store.port import Transaction
from liveroom.store.posting import balance_of, post_bundle
from liveroom.store.tables import accounts, coupon_holders, coupon_templates, ledger_lines, lots

TEMPLATES_MAX: Final = 500
"""Templates of one shop; a further one is refused as `used_up`."""

_DECODE = msgspec.json.Decoder(CouponTemplate)


def add(tx: Transaction, tenant: TenantId, template: CouponTemplate, *, at: int) -> bool:
    """Write a template; False when there is one with its id. A template never changes."""
    mine = select(func.count()).select_from(coupon_templates)
    if tx.execute(mine.where(coupon_templates.c.tenant == tenant)).scalar_one() >= TEMPLATES_MAX:
        raise Refused("used_up", f"A shop has at most {TEMPLATES_MAX} kinds of coupons.")
    row = {
        "tenant": tenant,
        "id": template.id,
        "template": msgspec.json.encode(template).decode(),
        "created_at": at,
    }
    return insert_new(tx, coupon_templates, row)


def find(tx: Transaction, tenant: TenantId, id: str) -> CouponTemplate:
    """Read a template.

    Raises:
        Refused: `no_such_coupon`.

    """
    this = [coupon_templates.c.tenant == tenant, coupon_templates.c.id == id]
    found = tx.execute(select(coupon_templates.c.template).where(*this)).scalar()
    if found is None:
        raise Refused("no_such_coupon")
    return _DECODE.decode(found)


def all_templates(tx: Transaction, tenant: TenantId) -> list[CouponTemplate]:
    """List a shop's templates, the newest first."""
    rows = tx.execute(
        select(coupon_templates.c.template)
        .where(coupon_templates.c.tenant == tenant)
        .order_by(coupon_templates.c.created_at.desc(), coupon_templates.c.id)
        .limit(TEMPLATES_MAX)
    )
    return [_DECODE.decode(row.template) for row in rows]


def issue(
    tx: Transaction,
    tenant: TenantId,
    template: CouponTemplate,
    user: UserId,
    *,
    id: str,
    cause: str,
    ref: str,
    actor: str,
    at: int,
) -> HeldCoupon:
    """Give somebody a coupon, within their bound and the template's.

    Raises:
        Refused: `claimed` when they got as many as one may, `used_up` when there are no more.

    """
    row = {"tenant": tenant, "template": template.id, "member": user, "issued": 0}
    insert_new(tx, coupon_holders, row | {"most": template.per_member})
    counted = (
        update(coupon_holders)
        .where(coupon_holders.c.tenant == tenant, coupon_holders.c.template == template.id)
        .where(coupon_holders.c.member == user, coupon_holders.c.issued < coupon_holders.c.most)
        .values(issued=coupon_holders.c.issued + 1)
    )
    if tx.execute(counted).rowcount != 1:
        raise Refused("claimed")
    terms = template.terms(at)
    coupon = Transfer(rules.issuer(template), rules.wallet(user, template.id), 1, terms)
    bundle = Bundle(id=id, cause=cause, ref=ref, actor=actor, transfers=(coupon,))
    post_bundle(tx, tenant, bundle, at=at)
    return HeldCoupon(template=template, count=1, expires_at=terms.expires_at)


def held_by(tx: Transaction, tenant: TenantId, user: UserId, *, at: int) -> list[HeldCoupon]:
    """List the coupons somebody can use now, one row a kind, by their soonest end."""
    templates = {one.id: one for one in all_templates(tx, tenant)}
    wallets = {rules.wallet(user, id).id: id for id in templates}
    if not wallets:
        return []
    rows = tx.execute(
        select(lots).where(
            lots.c.tenant == tenant, lots.c.left > 0, lots.c.account.in_(sorted(wallets))
        )
    )
    by_kind: dict[str, list[Lot]] = {}
    for lot in map(lot_of, rows):
        if lot.ends_at > at:
            by_kind.setdefault(wallets[lot.account], []).append(lot)
    held = [
        HeldCoupon(
            template=templates[id],
            count=sum(lot.left for lot in found),
            expires_at=min(lot.ends_at for lot in found),
        )
        for id, found in by_kind.items()
    ]
    return sorted(held, key=lambda one: (one.expires_at or 0, one.template.id))


def issued_to(tx: Transaction, tenant: TenantId, user: UserId) -> dict[str, int]:
    """Say how many coupons of each kind somebody ever got."""
    mine = [coupon_holders.c.tenant == tenant, coupon_holders.c.member == user]
    rows = tx.execute(select(coupon_holders.c.template, coupon_holders.c.issued).where(*mine))
    return {row.template: row.issued for row in rows}


def usage(tx: Transaction, tenant: TenantId, template: CouponTemplate) -> CouponUsage:
    """Count what became of a template's coupons, from the books."""
    unit = rules.unit(template.id)
    by_purpose = {
        row.purpose: int(row.held)
        for row in tx.execute(
            select(accounts.c.purpose, func.sum(accounts.c.balance).label("held"))
            .where(accounts.c.tenant == tenant, accounts.c.unit == unit)
            .group_by(accounts.c.purpose)
        )
    }
    ended = {
        row.account: int(row.amount)
        for row in tx.execute(
            select(ledger_lines.c.account, func.sum(ledger_lines.c.amount).label("amount"))
            .where(ledger_lines.c.tenant == tenant, ledger_lines.c.unit == unit)
            .where(
                ledger_lines.c.account.in_(
                    [rules.redeemed(template.id).id, chart.expired_of(unit).id]
                )
            )
            .group_by(ledger_lines.c.account)
        )
    }
    return CouponUsage(
        issued=-balance_of(tx, tenant, rules.issuer(template)).amount,
        held=by_purpose.get("wallet", 0),
        reserved=by_purpose.get("wallet-reserved", 0),
        redeemed=ended.get(rules.redeemed(template.id).id, 0),
        expired=ended.get(chart.expired_of(unit).id, 0),
    )
