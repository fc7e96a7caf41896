"""Every table of a shop. The tenant is part of every key; a room's id is unique by itself.

Times are UTC milliseconds, amounts minor units. `migrations/` makes these tables;
a test compares the two.
"""

from liveroom.store.tables.base import metadata
from liveroom.store.tables.coins import (
    cases,
    coin_purchases,
    earnings,
    goals,
    tip_contexts,
    tips,
)
from liveroom.store.tables.imports import import_faults, imports
from liveroom.store.tables.loyalty import (
    coupon_holders,
    coupon_templates,
    levels,
    pending_points,
    progress,
    shop_rules,
)
from liveroom.store.tables.moderation import (
    audit,
    chat_rules,
    reports,
    sanctions,
    words,
)
from liveroom.store.tables.money import (
    accounts,
    bundles,
    carries,
    combos,
    holds,
    ledger_lines,
    lot_moves,
    lots,
)
from liveroom.store.tables.news import events, idempotency, outbox, personal_events
from liveroom.store.tables.people import follows, members, room_members, tickets, visits
from liveroom.store.tables.pks import pk_supporters, pks
from liveroom.store.tables.recordings import recordings, segments
from liveroom.store.tables.rooms import broadcasts, room_counters, rooms
from liveroom.store.tables.shop import (
    addresses,
    checkouts,
    order_lines,
    orders,
    parcels,
    products,
    refunds,
)
from liveroom.store.tables.webhooks import webhook_cursors, webhook_pages, webhooks

__all__ = [
    "accounts",
    "addresses",
    "audit",
    "broadcasts",
    "bundles",
    "carries",
    "cases",
    "chat_rules",
    "checkouts",
    "coin_purchases",
    "combos",
    "coupon_holders",
    "coupon_templates",
    "earnings",
    "events",
    "follows",
    "goals",
    "holds",
    "idempotency",
    "import_faults",
    "imports",
    "ledger_lines",
    "levels",
    "lot_moves",
    "lots",
    "members",
    "metadata",
    "order_lines",
    "orders",
    "outbox",
    "parcels",
    "pending_points",
    "personal_events",
    "pk_supporters",
    "pks",
    "products",
    "progress",
    "recordings",
    "refunds",
    "reports",
    "room_counters",
    "room_members",
    "rooms",
    "sanctions",
    "segments",
    "shop_rules",
    "tickets",
    "tip_contexts",
    "tips",
    "visits",
    "webhook_cursors",
    "webhook_pages",
    "webhooks",
    "words",
]
