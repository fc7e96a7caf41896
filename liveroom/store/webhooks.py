"""Rows of webhooks, read and written inside a command."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Row, and_, delete, exists, func, insert, or_, select, update

from liveroom.domain.ids import RoomId, TenantId
from liveroom.domain.webhooks import Endpoint
from liveroom.store.dialect import put
from liveroom.store.port import Transaction
from liveroom.store.tables import room_counters, webhook_cursors, webhook_pages, webhooks

ROOMS_AT_ONCE: Final = 50
"""Rooms of one endpoint that are looked at in one go; the rest waits for the next."""
DEAD_LISTED_MAX: Final = 100
DEAD_KEPT_MS: Final = 30 * 24 * 60 * 60 * 1000
"""Dead pages are forgotten after this."""
WHY_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some events of one room on their way to one endpoint."""

    seq: int
    id: str
    room: RoomId
    body: str
    at: int
    attempts: int
    why: str | None = None


def create(tx: Transaction, endpoint: Endpoint) -> None:
    """Keep an endpoint; what happened in its rooms until now is not for it."""
    tx.execute(
        insert(webhooks).values(
            tenant=endpoint.tenant,
            id=endpoint.id,
            url=endpoint.url,
            secret=endpoint.secret,
            kinds=msgspec.json.encode(endpoint.kinds).decode(),
            room=endpoint.room,
            created_at=endpoint.created_at,
        )
    )
    mine = [room_counters.c.tenant == endpoint.tenant]
    if endpoint.room is not None:
        mine.append(room_counters.c.room == endpoint.room)
    rows = tx.execute(select(room_counters.c.room, room_counters.c.n).where(*mine)).all()
    if rows:
        where = {"tenant": endpoint.tenant, "endpoint": endpoint.id}
        put(
            tx,
            webhook_cursors,
            [{**where, "room": row.room, "n": row.n} for row in rows],
            replace=("n",),
        )


def count(tx: Transaction, tenant: TenantId) -> int:
    """Count the endpoints of a shop."""
    query = select(func.count()).select_from(webhooks).where(webhooks.c.tenant == tenant)
    return int(tx.execute(query).scalar_one())


def of_shop(tx: Transaction, tenant: TenantId) -> list[Endpoint]:
    """List the endpoints of a shop."""
    query = select(webhooks).where(webhooks.c.tenant == tenant).order_by(webhooks.c.created_at)
    return [_endpoint_of(row) for row in tx.execute(query)]


def ready(tx: Transaction, *, at: int) -> list[Endpoint]:
    """List the endpoints of all shops that may be sent to now and have something to get."""
    pages = webhook_pages.c
    is_due = exists().where(
        pages.tenant == webhooks.c.tenant,
        pages.endpoint == webhooks.c.id,
        ~pages.dead,
        pages.due_at <= at,
    )
    has_news = exists(
        select(room_counters.c.room)
        .select_from(_counters_and_cursors(webhooks.c.id))
        .where(
            room_counters.c.tenant == webhooks.c.tenant,
            room_counters.c.n > _come,
            or_(webhooks.c.room.is_(None), webhooks.c.room == room_counters.c.room),
        )
        .correlate(webhooks)
    )
    query = select(webhooks).where(
        ~webhooks.c.paused, webhooks.c.open_until <= at, or_(is_due, has_news)
    )
    return [_endpoint_of(row) for row in tx.execute(query)]


def find(
    tx: Transaction, tenant: TenantId, endpoint: str, *, lock: bool = False
) -> Endpoint | None:
    """Find an endpoint; `lock` keeps other nodes from moving its cursors meanwhile."""
    query = select(webhooks).where(webhooks.c.tenant == tenant, webhooks.c.id == endpoint)
    row = tx.execute(query.with_for_update() if lock else query).first()
    return None if row is None else _endpoint_of(row)


def change(tx: Transaction, tenant: TenantId, endpoint: str, values: dict[str, Any]) -> bool:
    """Change an endpoint; False when there is none."""
    mine = and_(webhooks.c.tenant == tenant, webhooks.c.id == endpoint)
    return tx.execute(update(webhooks).where(mine).values(**values)).rowcount == 1


def remove(tx: Transaction, tenant: TenantId, endpoint: str) -> bool:
    """Forget an endpoint with everything on its way; False when there is none."""
    for table in (webhook_pages, webhook_cursors):
        tx.execute(delete(table).where(table.c.tenant == tenant, table.c.endpoint == endpoint))
    mine = and_(webhooks.c.tenant == tenant, webhooks.c.id == endpoint)
    return tx.execute(delete(webhooks).where(mine)).rowcount == 1


def behind(tx: Transaction, endpoint: Endpoint) -> list[tuple[RoomId, int]]:
    """List rooms with events that an endpoint has not been given, and how far it has come."""
    query = (
        select(room_counters.c.room, _come.label("come"))
        .select_from(_counters_and_cursors(endpoint.id))
        .where(room_counters.c.tenant == endpoint.tenant, room_counters.c.n > _come)
    )
    if endpoint.room is not None:
        query = query.where(room_counters.c.room == endpoint.room)
    return [(RoomId(row.room), row.come) for row in tx.execute(query.limit(ROOMS_AT_ONCE))]


def advance(tx: Transaction, endpoint: Endpoint, room: RoomId, n: int) -> None:
    """Note how far an endpoint has come in a room."""
    row = {"tenant": endpoint.tenant, "endpoint": endpoint.id, "room": room, "n": n}
    put(tx, webhook_cursors, [row], replace=("n",))


def add_page(
    tx: Transaction, tenant: str, endpoint: str, *, id: str, room: RoomId, body: str, at: int
) -> None:
    """Put a page on its way."""
    tx.execute(
        insert(webhook_pages).values(
            tenant=tenant, endpoint=endpoint, id=id, room=room, body=body, at=at, due_at=at
        )
    )


def claim(tx: Transaction, endpoint: Endpoint, *, at: int, lease_ms: int) -> Page | None:
    """Take the oldest page that is due; nobody else gets it before the lease is over."""
    table = webhook_pages.c
    query = (
        select(webhook_pages)
        .where(table.tenant == endpoint.tenant, table.endpoint == endpoint.id)
        .where(~table.dead, table.due_at <= at)
        .order_by(table.seq)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = tx.execute(query).first()
    if row is None:
        return None
    tx.execute(update(webhook_pages).where(table.seq == row.seq).values(due_at=at + lease_ms))
    return _page_of(row)


def delivered(tx: Transaction, endpoint: Endpoint, page: Page) -> None:
    """Forget a page that arrived; the target works again."""
    tx.execute(delete(webhook_pages).where(webhook_pages.c.seq == page.seq))
    if endpoint.failures:
        change(tx, TenantId(endpoint.tenant), endpoint.id, {"failures": 0, "open_until": 0})


def failed(tx: Transaction, page: Page, *, due_at: int | None, why: str) -> None:
    """Note an attempt that failed; without a next one the page is dead."""
    values: dict[str, Any] = {"attempts": page.attempts + 1, "why": why[:WHY_CHARS_MAX]}
    values |= {"dead": True} if due_at is None else {"due_at": due_at}
    tx.execute(update(webhook_pages).where(webhook_pages.c.seq == page.seq).values(**values))


def dead(tx: Transaction, tenant: TenantId, endpoint: str) -> list[Page]:
    """List pages that were given up, newest first."""
    table = webhook_pages.c
    query = select(webhook_pages).where(
        table.tenant == tenant, table.endpoint == endpoint, table.dead
    )
    return [
        _page_of(row) for row in tx.execute(query.order_by(table.seq.desc()).limit(DEAD_LISTED_MAX))
    ]


def waiting(tx: Transaction, tenant: TenantId, endpoint: str) -> int:
    """Count pages on their way."""
    table = webhook_pages.c
    query = select(func.count()).select_from(webhook_pages)
    mine = (table.tenant == tenant, table.endpoint == endpoint, ~table.dead)
    return int(tx.execute(query.where(*mine)).scalar_one())


def revive(tx: Transaction, tenant: TenantId, endpoint: str, *, at: int) -> int:
    """Put dead pages on their way again; returns how many."""
    table = webhook_pages.c
    mine = and_(table.tenant == tenant, table.endpoint == endpoint, table.dead)
    values = {"dead": False, "attempts": 0, "due_at": at}
    return tx.execute(update(webhook_pages).where(mine).values(**values)).rowcount


def purge(tx: Transaction, *, at: int) -> None:
    """Forget dead pages of long ago."""
    table = webhook_pages.c
    tx.execute(delete(webhook_pages).where(table.dead, table.at < at - DEAD_KEPT_MS))


_come = func.coalesce(webhook_cursors.c.n, 0)
"""How far an endpoint has come in a room."""


def _counters_and_cursors(endpoint: Any) -> Any:
    return room_counters.outerjoin(
        webhook_cursors,
        (webhook_cursors.c.tenant == room_counters.c.tenant)
        & (webhook_cursors.c.room == room_counters.c.room)
        & (webhook_cursors.c.endpoint == endpoint),
    )


def _endpoint_of(row: Row[Any]) -> Endpoint:
    return Endpoint(
        id=row.id,
        tenant=row.tenant,
        url=row.url,
        secret=row.secret,
        kinds=msgspec.json.decode(row.kinds, type=tuple[str, ...]),
        room=row.room,
        paused=row.paused,
        failures=row.failures,
        open_until=row.open_until,
        created_at=row.created_at,
    )


def _page_of(row: Row[Any]) -> Page:
    return Page(
        seq=row.seq,
        id=row.id,
        room=RoomId(row.room),
        body=row.body,
        at=row.at,
        attempts=row.attempts,
        why=row.why,
    )
