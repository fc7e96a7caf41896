"""Rows of tickets: only a digest is kept, so the table opens no door."""

from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Row, delete, insert, or_, update

from liveroom.domain.ids import TenantId
from liveroom.store.port import Transaction
from liveroom.store.tables import tickets

PURGE_AFTER_MS: Final = 24 * 60 * 60 * 1000
"""Expired tickets are kept this long, then removed."""


def digest_of(ticket: str) -> str:
    """Digest a ticket; its own randomness is the salt."""
    return sha256(ticket.encode()).hexdigest()


def add(
    tx: Transaction,
    tenant: TenantId,
    ticket: str,
    *,
    member: str,
    role: str,
    room: str,
    name: str | None,
    reusable: bool,
    expires_at: int,
) -> None:
    """Keep a ticket's digest and what it stands for."""
    tx.execute(
        insert(tickets).values(
            digest=digest_of(ticket),
            tenant=tenant,
            member=member,
            role=role,
            room=room,
            name=name,
            reusable=reusable,
            expires_at=expires_at,
        )
    )


def use(tx: Transaction, ticket: str, *, at: int) -> Row[Any] | None:
    """Use a ticket if it is valid still; of two at the same time one gets it."""
    used = (
        update(tickets)
        .where(tickets.c.digest == digest_of(ticket), tickets.c.expires_at > at)
        .where(or_(tickets.c.reusable, tickets.c.used_at.is_(None)))
        .values(used_at=at)
        .returning(tickets)
    )
    return tx.execute(used).first()


def purge(tx: Transaction, *, at: int) -> int:
    """Remove tickets that expired long ago; returns how many."""
    return tx.execute(delete(tickets).where(tickets.c.expires_at < at - PURGE_AFTER_MS)).rowcount
