"""Rows of order in the rooms: rules, words, sanctions, reports, the trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import Integer, and_, cast, delete, func, insert, or_, select, update

from liveroom.domain.events import DanmakuSaid, Event
from liveroom.domain.ids import EventId, RoomId, TenantId, UserId
from liveroom.domain.moderation import (
    AuditLine,
    Bar,
    ChatRules,
    Imposed,
    ReportedLine,
    ReportState,
    Sanction,
)
from liveroom.domain.wording import Word, WordAction
from liveroom.store.dialect import insert_new, put
from liveroom.store.port import Transaction
from liveroom.store.tables import audit, chat_rules, reports, sanctions, words

EVERYWHERE: Final = RoomId("*")
"""Stands for all rooms of a shop."""
AUDIT_PAGE: Final = 50
QUEUE_MAX: Final = 100
"""Lines shown in the review queue; older ones come when those are judged."""
SANCTIONS_MAX: Final = 500
"""Sanctions of one listing, newest first."""
REPORTS_KEPT_MS: Final = 90 * 24 * 60 * 60 * 1000
"""Judged reports and those nobody judged are forgotten after this; the trail stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A room of a shop, or all of them (`EVERYWHERE`)."""

    tenant: TenantId
    room: RoomId


def versions(tx: Transaction, spot: Spot) -> tuple[int, int]:
    """Read the versions of a room's and the whole shop's order."""
    table = chat_rules.c
    rows = tx.execute(
        select(table.room, table.version).where(
            table.tenant == spot.tenant, table.room.in_([spot.room, EVERYWHERE])
        )
    )
    found: dict[str, int] = {row.room: row.version for row in rows}
    return found.get(spot.room, 0), found.get(EVERYWHERE, 0)


def changed(tx: Transaction, spot: Spot) -> None:
    """Note that rules, words or sanctions changed: nodes look again."""
    insert_new(tx, chat_rules, {"tenant": spot.tenant, "room": spot.room})
    mine = and_(chat_rules.c.tenant == spot.tenant, chat_rules.c.room == spot.room)
    tx.execute(update(chat_rules).where(mine).values(version=chat_rules.c.version + 1))


def rules_of(tx: Transaction, spot: Spot) -> ChatRules:
    """Read a room's rules; the defaults when none were set."""
    table = chat_rules.c
    query = select(table.rules).where(table.tenant == spot.tenant, table.room == spot.room)
    kept = tx.execute(query).scalar_one_or_none()
    return ChatRules() if kept is None else msgspec.json.decode(kept, type=ChatRules)


def set_rules(tx: Transaction, spot: Spot, rules: ChatRules) -> None:
    """Keep a room's rules."""
    changed(tx, spot)
    mine = and_(chat_rules.c.tenant == spot.tenant, chat_rules.c.room == spot.room)
    tx.execute(update(chat_rules).where(mine).values(rules=msgspec.json.encode(rules).decode()))


def words_of(tx: Transaction, spot: Spot) -> list[Word]:
    """List the words of a room, or those of all rooms."""
    query = select(words.c.word, words.c.action).where(
        words.c.tenant == spot.tenant, words.c.room == spot.room
    )
    rows = tx.execute(query.order_by(words.c.word))
    return [Word(word=row.word, action=WordAction(row.action)) for row in rows]


def change_words(tx: Transaction, spot: Spot, *, add: Sequence[Word], remove: Sequence[str]) -> int:
    """Add words (or change their action) and remove others; returns how many there are."""
    mine = and_(words.c.tenant == spot.tenant, words.c.room == spot.room)
    if remove:
        tx.execute(delete(words).where(mine, words.c.word.in_(remove)))
    where = {"tenant": spot.tenant, "room": spot.room}
    rows = [{**where, "word": one.word, "action": one.action.value} for one in add]
    if rows:
        put(tx, words, rows, replace=("action",))
    changed(tx, spot)
    return int(tx.execute(select(func.count()).select_from(words).where(mine)).scalar_one())


def impose(tx: Transaction, spot: Spot, sanction: Sanction) -> None:
    """Keep a sanction, in place of an older one of the same kind."""
    row = {
        "tenant": spot.tenant,
        "room": spot.room,
        "member": sanction.user,
        "bar": sanction.bar.value,
        "until": sanction.until,
        "rank": sanction.rank,
        "by": sanction.by,
        "reason": sanction.reason,
        "at": sanction.at,
    }
    put(tx, sanctions, [row], replace=("until", "rank", "by", "reason", "at"))
    changed(tx, spot)


def lift(tx: Transaction, spot: Spot, user: UserId, bars: Sequence[Bar]) -> list[Sanction]:
    """Take sanctions back; returns those there were."""
    mine = and_(
        sanctions.c.tenant == spot.tenant,
        sanctions.c.room == spot.room,
        sanctions.c.member == user,
        sanctions.c.bar.in_([bar.value for bar in bars]),
    )
    found = [_sanction_of(row) for row in tx.execute(select(sanctions).where(mine))]
    if found:
        tx.execute(delete(sanctions).where(mine))
        changed(tx, spot)
    return found


def standing(tx: Transaction, spot: Spot, *, at: int, limit: int | None = None) -> list[Sanction]:
    """List the sanctions of a room that are not over, newest first."""
    query = select(sanctions).where(
        sanctions.c.tenant == spot.tenant,
        sanctions.c.room == spot.room,
        or_(sanctions.c.until.is_(None), sanctions.c.until > at),
    )
    ordered = query.order_by(sanctions.c.at.desc()).limit(limit)
    return [_sanction_of(row) for row in tx.execute(ordered)]


def fresh(tx: Transaction, bars: Sequence[Bar], *, since: int, at: int) -> list[Imposed]:
    """List sanctions of all rooms that were imposed since a time and are not over."""
    query = select(sanctions).where(
        sanctions.c.at >= since,
        sanctions.c.bar.in_([bar.value for bar in bars]),
        or_(sanctions.c.until.is_(None), sanctions.c.until > at),
    )
    return [Imposed(RoomId(row.room), _sanction_of(row)) for row in tx.execute(query)]


def purge(tx: Transaction, *, at: int) -> None:
    """Remove sanctions that are over and reports of long ago."""
    tx.execute(delete(sanctions).where(sanctions.c.until <= at))
    tx.execute(delete(reports).where(reports.c.at < at - REPORTS_KEPT_MS))


def report(
    tx: Transaction, spot: Spot, line: Event, *, reporter: str, reason: str, held: bool, at: int
) -> bool:
    """Put a line into the review queue; False when this person did so before."""
    assert isinstance(line.fact, DanmakuSaid)
    row = {
        "tenant": spot.tenant,
        "room": spot.room,
        "line": line.id,
        "reporter": reporter,
        "member": line.fact.user,
        "name": line.fact.name,
        "text": line.fact.text,
        "badge": line.fact.badge,
        "reason": reason,
        "held": held,
        "state": ReportState.OPEN.value,
        "at": at,
    }
    return insert_new(tx, reports, row)


def open_by(tx: Transaction, spot: Spot, reporter: UserId) -> int:
    """Count how many of somebody's reports wait in a room."""
    mine = and_(
        reports.c.tenant == spot.tenant,
        reports.c.room == spot.room,
        reports.c.reporter == reporter,
        reports.c.state == ReportState.OPEN.value,
    )
    return int(tx.execute(select(func.count()).select_from(reports).where(mine)).scalar_one())


def held_of(tx: Transaction, spot: Spot, writer: UserId) -> int:
    """Count how many of somebody's lines are held back in a room."""
    mine = and_(
        reports.c.tenant == spot.tenant,
        reports.c.room == spot.room,
        reports.c.member == writer,
        reports.c.held,
        reports.c.state == ReportState.OPEN.value,
    )
    return int(tx.execute(select(func.count()).select_from(reports).where(mine)).scalar_one())


def queue(tx: Transaction, spot: Spot, line: EventId | None = None) -> list[ReportedLine]:
    """List the lines that wait to be judged, oldest first; or just one of them."""
    table = reports.c
    query = select(
        table.line,
        func.min(table.member).label("member"),
        func.min(table.name).label("name"),
        func.min(table.text).label("text"),
        func.min(table.badge).label("badge"),
        func.min(table.reason).label("reason"),
        func.min(table.at).label("first_at"),
        func.count().label("voices"),
        func.max(cast(table.held, Integer)).label("held"),
    ).where(
        table.tenant == spot.tenant,
        table.room == spot.room,
        table.state == ReportState.OPEN.value,
    )
    if line is not None:
        query = query.where(table.line == line)
    ordered = query.group_by(table.line).order_by(func.min(table.at)).limit(QUEUE_MAX)
    return [
        ReportedLine(
            line=EventId(row.line),
            user=UserId(row.member),
            name=row.name,
            text=row.text,
            at=row.first_at,
            count=row.voices,
            held=bool(row.held),
            reason=row.reason,
            badge=row.badge,
        )
        for row in tx.execute(ordered)
    ]


def judge(tx: Transaction, spot: Spot, line: EventId, state: ReportState) -> int:
    """Close a line's reports; returns how many were open (0: somebody else was faster)."""
    mine = and_(
        reports.c.tenant == spot.tenant,
        reports.c.room == spot.room,
        reports.c.line == line,
        reports.c.state == ReportState.OPEN.value,
    )
    return tx.execute(update(reports).where(mine).values(state=state.value)).rowcount


def note(
    tx: Transaction,
    spot: Spot,
    *,
    at: int,
    actor: UserId,
    role: str,
    act: str,
    target: str,
    reason: str = "",
    detail: str = "",
) -> None:
    """Add a line to the trail."""
    tx.execute(
        insert(audit).values(
            tenant=spot.tenant,
            room=spot.room,
            at=at,
            actor=actor,
            role=role,
            act=act,
            target=target,
            reason=reason,
            detail=detail,
        )
    )


def trail(tx: Transaction, spot: Spot, *, before: int | None) -> list[AuditLine]:
    """List the trail of a room, newest first: one line more than a page when there is more."""
    query = select(audit).where(audit.c.tenant == spot.tenant, audit.c.room == spot.room)
    if before is not None:
        query = query.where(audit.c.seq < before)
    rows = tx.execute(query.order_by(audit.c.seq.desc()).limit(AUDIT_PAGE + 1))
    return [
        AuditLine(
            seq=row.seq,
            at=row.at,
            actor=UserId(row.actor),
            role=row.role,
            act=row.act,
            target=row.target,
            reason=row.reason,
            detail=row.detail,
        )
        for row in rows
    ]


def _sanction_of(row: Any) -> Sanction:
    return Sanction(
        user=UserId(row.member),
        bar=Bar(row.bar),
        until=row.until,
        rank=row.rank,
        by=UserId(row.by),
        reason=row.reason,
        at=row.at,
    )
