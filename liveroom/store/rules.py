"""Versions of a shop's rules; the last one is in force."""

import msgspec
from sqlalchemy import insert, select

from liveroom.domain.ids import TenantId
from liveroom.domain.shop_rules import DEFAULT_RULES, ShopRules
from liveroom.store.port import Transaction
from liveroom.store.tables import shop_rules

_DECODE = msgspec.json.Decoder(ShopRules)


def in_force(tx: Transaction, tenant: TenantId) -> tuple[int, ShopRules]:
    """Read the rules and their version; 0 and the defaults for a shop that set none."""
    row = tx.execute(
        select(shop_rules.c.version, shop_rules.c.rules)
        .where(shop_rules.c.tenant == tenant)
        .order_by(shop_rules.c.version.desc())
        .limit(1)
    ).first()
    return (0, DEFAULT_RULES) if row is None else (row.version, _DECODE.decode(row.rules))


def put(tx: Transaction, tenant: TenantId, rules: ShopRules, *, actor: str, at: int) -> int:
    """Write a new version; of two at once the second fails on the key and is run again."""
    version = in_force(tx, tenant)[0] + 1
    encoded = msgspec.json.encode(rules).decode()
    tx.execute(
        insert(shop_rules).values(tenant=tenant, version=version, rules=encoded, at=at, actor=actor)
    )
    return version
