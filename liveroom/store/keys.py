"""Idempotency keys: the effect and the memory of its answer are one transaction.

The first command with a key leaves its answer or its 409; a later one with the same content
gets that back, another content is refused. A concurrent twin waits at the row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import bindparam, delete, select, update

from liveroom.domain.ids import TenantId
from liveroom.domain.refusals import Refused
from liveroom.store.dialect import insert_new, insert_new_rows, write_rows
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
_FORGOTTEN = delete(idempotency).where(*_THIS)
_KNOWN = select(idempotency).where(*_THIS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where a key is unique: the shop, the command, and the viewer if a viewer asks."""

    tenant: TenantId
    command: str
    subject: str
    key: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A key and the digest of the command it was sent with."""

    scope: Scope
    fingerprint: str


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
    claimed = Claim(scope, fingerprint_of(command))
    if not insert_new(tx, idempotency, _row_of(claimed, at)):
        return _stored(tx, claimed, answer_type)
    this = _this(scope)
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


def claim(
    tx: Transaction, claims: Sequence[Claim], *, at: int, answer_type: type[Answer]
) -> list[Outcome | None]:
    """Take the keys of commands that are carried out together, each key at most once.

    Returns in their order: None where the command is new and to be carried out now, else
    what it came to before. `settle` the new ones in the same transaction.
    """
    rows = sorted(
        (_row_of(one, at) for one in claims), key=lambda row: (row["subject"], row["key"])
    )
    new = insert_new_rows(tx, idempotency, rows)
    return [
        None if _key_of(one.scope) in new else _recalled(tx, one, answer_type) for one in claims
    ]


def _recalled(tx: Transaction, claimed: Claim, answer_type: type[Answer]) -> Outcome:
    try:
        return _stored(tx, claimed, answer_type)
    except Refused as refused:
        return Outcome(None, refused, again=True)


def settle(tx: Transaction, answers: Sequence[tuple[Scope, object | Refused]]) -> list[Outcome]:
    """Leave with claimed keys what their commands came to: an answer, or a refusal.

    A refusal with 409 is remembered; another one gives its key back.
    """
    said: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    forgotten: list[dict[str, Any]] = []
    outcomes: list[Outcome] = []
    for scope, answer in answers:
        this = _this(scope)
        if not isinstance(answer, Refused):
            said.append({**this, "said": msgspec.json.encode(answer).decode()})
            outcomes.append(Outcome(answer))
            continue
        if answer.status == STORED_STATUS:
            refused.append({**this, "said": answer.code, "because": answer.why})
        else:
            forgotten.append(this)
        outcomes.append(Outcome(None, answer))
    for statement, rows in ((_ANSWERED, said), (_REFUSED, refused), (_FORGOTTEN, forgotten)):
        if rows:
            write_rows(tx, statement, rows)
    return outcomes


def _key_of(scope: Scope) -> tuple[str, str, str, str]:
    return (scope.tenant, scope.command, scope.subject, scope.key)


def _this(scope: Scope) -> dict[str, Any]:
    return {
        "of_tenant": scope.tenant,
        "of_command": scope.command,
        "of_subject": scope.subject,
        "of_key": scope.key,
    }


def _row_of(claimed: Claim, at: int) -> dict[str, Any]:
    scope = claimed.scope
    return {
        "tenant": scope.tenant,
        "command": scope.command,
        "subject": scope.subject,
        "key": scope.key,
        "fingerprint": claimed.fingerprint,
        "at": at,
    }


def _stored(tx: Transaction, claimed: Claim, answer_type: type[Answer]) -> Outcome:
    row = tx.execute(_KNOWN, _this(claimed.scope)).one()
    if row.fingerprint != claimed.fingerprint:
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
