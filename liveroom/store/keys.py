"""Idempotency keys: the effect and the memory of its answer are one transaction.

The first command with a key leaves its answer or its 409; a later one with the same content
gets that back, another content is refused. A concurrent twin waits at the row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import bindparam, delete, select, update

from liveroom.domain.ids import TenantId
from liveroom.domain.refusals import Refused
from liveroom.store.dialect import insert_new
from liveroom.store.port import Transaction
from liveroom.store.tables import idempotency

KEPT_MS: Final = 48 * 60 * 60 * 1000
"""How long answers are kept (the contract asks for at least 24 hours)."""
PURGED_MAX: Final = 1_000
"""Old keys removed by one purge; the rest waits for the next."""
STORED_STATUS: Final = 409
"""Refusals with this status are answers and kept; others changed nothing and are not."""

Answer = TypeVar("Answer")

_THIS = (
    idempotency.c.tenant == bindparam("of_tenant"),
    idempotency.c.command == bindparam("of_command"),
    idempotency.c.subject == bindparam("of_subject"),
    idempotency.c.key == bindparam("of_key"),
)
_ANSWERED = update(idempotency).where(*_THIS).values(answer=bindparam("said"))
_REFUSED = (
    update(idempotency).where(*_THIS).values(code=bindparam("said"), why=bindparam("because"))
)
_KNOWN = select(idempotency).where(*_THIS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where a key is unique: the shop, the command, and the viewer if a viewer asks."""

    tenant: TenantId
    command: str
    subject: str
    key: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to; `again` tells that it was answered before."""

    answer: Any
    refused: Refused | None = None
    again: bool = False

    def unwrap(self) -> Any:
        """Return the answer or raise the refusal."""
        if self.refused is not None:
            raise self.refused
        return self.answer


def fingerprint_of(command: object) -> str:
    """Digest a decoded command, so that only its meaning counts."""
    return sha256(msgspec.json.encode(command, order="deterministic")).hexdigest()


def once(
    tx: Transaction,
    scope: Scope,
    *,
    command: object,
    at: int,
    answer_type: type[Answer],
    effect: Callable[[Transaction], Answer],
) -> Outcome:
    """Carry a command out unless its key was answered before.

    A refusal with 409 undoes the effect but is remembered; any other exception undoes the
    key as well, because the caller's transaction fails with it.
    """
    fingerprint = fingerprint_of(command)
    where = {
        "tenant": scope.tenant,
        "command": scope.command,
        "subject": scope.subject,
        "key": scope.key,
    }
    if not insert_new(tx, idempotency, {**where, "fingerprint": fingerprint, "at": at}):
        return _stored(tx, where, fingerprint, answer_type)
    this = {f"of_{name}": value for name, value in where.items()}
    savepoint = tx.begin_nested()
    try:
        answer = effect(tx)
    except Refused as refused:
        savepoint.rollback()
        if refused.status != STORED_STATUS:
            raise
        tx.execute(_REFUSED, {**this, "said": refused.code, "because": refused.why})
        return Outcome(None, refused)
    savepoint.commit()
    encoded = msgspec.json.encode(answer).decode()
    tx.execute(_ANSWERED, {**this, "said": encoded})
    return Outcome(answer)


def _stored(
    tx: Transaction, where: dict[str, str], fingerprint: str, answer_type: type[Answer]
) -> Outcome:
    row = tx.execute(_KNOWN, {f"of_{name}": value for name, value in where.items()}).one()
    if row.fingerprint != fingerprint:
        raise Refused("idempotency_mismatch")
    if row.code is not None:
        return Outcome(None, Refused(row.code, row.why), again=True)
    return Outcome(msgspec.json.decode(row.answer, type=answer_type), again=True)


def purge(tx: Transaction, *, at: int) -> int:
    """Forget the oldest answers that are no longer promised; returns how many."""
    old = select(idempotency.c.at).where(idempotency.c.at < at - KEPT_MS)
    oldest = tx.execute(old.order_by(idempotency.c.at).limit(PURGED_MAX)).scalars().all()
    if not oldest:
        return 0
    return tx.execute(delete(idempotency).where(idempotency.c.at <= oldest[-1])).rowcount
