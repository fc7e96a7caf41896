"""Keeping order: sanctions, deleted lines, rules and words; each act leaves a line in the trail.

What is done is committed together with its trail and its event, so that it reaches every node
through the outbox, and then the sockets it concerns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec

from liveroom.domain.actors import Actor
from liveroom.domain.events import ChatRulesChanged, DanmakuSaid, LinesDeleted, Sanctioned
from liveroom.domain.ids import EventId, RoomId, UserId
from liveroom.domain.moderation import (
    KICK_DEFAULT_MS,
    MUTE_DEFAULT_MS,
    REASON_CHARS_MAX,
    Act,
    AuditLine,
    Bar,
    ChatRules,
    Imposed,
    ReportState,
    Sanction,
    check_rules,
    permit,
    rank_of,
)
from liveroom.domain.refusals import Refused
from liveroom.domain.wording import WORDS_MAX, Word, check_word
from liveroom.service.access import Access, Door
from liveroom.service.languages import Dictionaries
from liveroom.service.lines import Lines
from liveroom.service.ports import Ports
from liveroom.service.standing import Standing
from liveroom.store import journal, moderation
from liveroom.store.journal import Place
from liveroom.store.moderation import EVERYWHERE, Spot
from liveroom.store.port import Transaction

BARS: Final[Mapping[Act, Bar]] = {Act.MUTE: Bar.MUTE, Act.KICK: Bar.KICK, Act.BAN: Bar.BAN}
LIFTED: Final[Mapping[Act, tuple[Bar, ...]]] = {
    Act.UNMUTE: (Bar.MUTE,),
    Act.UNBAN: (Bar.BAN, Bar.KICK),
}
_DEFAULT_MS: Final = {Act.MUTE: MUTE_DEFAULT_MS, Act.KICK: KICK_DEFAULT_MS}
_MERCHANT_RANK: Final = 3


class Moderating:
    """Carries out what keepers of order decide."""

    def __init__(self, ports: Ports, access: Access, standing: Standing, lines: Lines) -> None:
        self._ports = ports
        self._access = access
        self._standing = standing
        self._lines = lines
        self._languages = Dictionaries()

    async def sanction(
        self,
        actor: Actor,
        room: RoomId,
        user: UserId,
        act: Act,
        *,
        ms: int | None = None,
        reason: str = "",
    ) -> Sanction:
        """Mute, kick or ban somebody; the socket and media of the last two are cut.

        Raises:
            Refused: `forbidden` beyond the role's power or over somebody as high, `invalid`.

        """
        bar = BARS[act]
        ms = _DEFAULT_MS.get(act) if ms is None else ms
        permit(actor.role, act, ms=ms)
        actor, door = await self._access.enter(actor, room)
        _check_target(actor, door, user)
        at = self._ports.now_ms()
        imposed = Sanction(
            user=user,
            bar=bar,
            until=None if ms is None else at + ms,
            rank=rank_of(actor.role),
            by=actor.user,
            reason=_reason(reason),
            at=at,
        )
        fact = Sanctioned(
            act=act.value, until=imposed.until, rank=imposed.rank, reason=imposed.reason
        )

        def command(tx: Transaction) -> None:
            spot = Spot(tenant=door.tenant, room=room)
            _check_rank(moderation.lift(tx, spot, user, [bar]), imposed.rank)
            moderation.impose(tx, spot, imposed)
            detail = "" if ms is None else f"{ms} ms"
            self._note(tx, actor, door, at, act, user, imposed.reason, detail)
            journal.append_personal(tx, _place(door, at), user, fact, new_id=self._ports.new_id)

        await self._ports.store.run(command)
        self._standing.forget(door.tenant, room)
        return imposed

    async def fresh(self, since: int) -> Sequence[Imposed]:
        """List kicks and bans of all rooms since a time: for nodes that the bus may not reach."""
        at = self._ports.now_ms()
        return await self._ports.store.run(
            lambda tx: moderation.fresh(tx, (Bar.KICK, Bar.BAN), since=since, at=at)
        )

    async def lift(
        self, actor: Actor, room: RoomId, user: UserId, act: Act, *, reason: str = ""
    ) -> bool:
        """Take a mute, or a ban and a kick, back; False when there was none."""
        permit(actor.role, act)
        actor, door = await self._access.enter(actor, room)
        at = self._ports.now_ms()
        fact = Sanctioned(act=act.value, until=None, rank=rank_of(actor.role))

        def command(tx: Transaction) -> bool:
            spot = Spot(tenant=door.tenant, room=room)
            found = moderation.lift(tx, spot, user, LIFTED[act])
            _check_rank(found, rank_of(actor.role))
            if found:
                self._note(tx, actor, door, at, act, user, _reason(reason))
                place = _place(door, at)
                journal.append_personal(tx, place, user, fact, new_id=self._ports.new_id)
            return bool(found)

        was = await self._ports.store.run(command)
        self._standing.forget(door.tenant, room)
        return was

    async def sanctions(self, actor: Actor, room: RoomId) -> Sequence[Sanction]:
        """List who is barred from what in a room, newest first."""
        permit(actor.role, Act.REVIEW)
        actor, door = await self._access.enter(actor, room)
        spot, at = Spot(tenant=door.tenant, room=room), self._ports.now_ms()
        return await self._ports.store.run(
            lambda tx: moderation.standing(tx, spot, at=at, limit=moderation.SANCTIONS_MAX)
        )

    async def delete_line(
        self, actor: Actor, room: RoomId, line: EventId, *, reason: str = ""
    ) -> None:
        """Take a line off all screens and out of the snapshot."""
        permit(actor.role, Act.DELETE_LINE)
        actor, door = await self._access.enter(actor, room)
        at = self._ports.now_ms()
        said = self._lines.find(room, line)
        detail = ""
        if said is not None and isinstance(said.fact, DanmakuSaid):
            detail = f"{said.fact.user}: {said.fact.text}"

        def command(tx: Transaction) -> None:
            spot = Spot(tenant=door.tenant, room=room)
            moderation.judge(tx, spot, line, ReportState.UPHELD)
            self._note(tx, actor, door, at, Act.DELETE_LINE, line, _reason(reason), detail)
            fact = LinesDeleted(lines=(line,))
            journal.append(tx, _place(door, at), [fact], new_id=self._ports.new_id)

        await self._ports.store.run(command)

    async def rules(self, actor: Actor, room: RoomId) -> ChatRules:
        """Show a room's rules to its keepers."""
        permit(actor.role, Act.REVIEW)
        actor, door = await self._access.enter(actor, room)
        return (await self._standing.of(door.tenant, room)).rules

    async def set_rules(self, actor: Actor, room: RoomId, changes: Mapping[str, Any]) -> ChatRules:
        """Change some of a room's rules; viewers hear of slow mode."""
        permit(actor.role, Act.SET_RULES)
        actor, door = await self._access.enter(actor, room)
        at = self._ports.now_ms()

        def command(tx: Transaction) -> ChatRules:
            spot = Spot(tenant=door.tenant, room=room)
            moderation.changed(tx, spot)  # holds the row: two changes go one after the other
            before = moderation.rules_of(tx, spot)
            after = replace(before, **changes)
            check_rules(after)
            moderation.set_rules(tx, spot, after)
            detail = msgspec.json.encode(changes, order="deterministic").decode()
            self._note(tx, actor, door, at, Act.SET_RULES, room, "", detail)
            if after.slow_ms != before.slow_ms:
                fact = ChatRulesChanged(slow_ms=after.slow_ms)
                journal.append(tx, _place(door, at), [fact], new_id=self._ports.new_id)
            return after

        after = await self._ports.store.run(command)
        self._standing.forget(door.tenant, room)
        return after

    async def words(self, actor: Actor, room: RoomId | None) -> Sequence[Word]:
        """List the words of a room, or those that count in all rooms of the shop (None)."""
        permit(actor.role, Act.SET_WORDS)
        spot = await self._spot(actor, room)
        return await self._ports.store.run(lambda tx: moderation.words_of(tx, spot))

    async def change_words(
        self,
        actor: Actor,
        room: RoomId | None,
        *,
        add: Sequence[Word],
        remove: Sequence[str],
    ) -> int:
        """Add words (or change what becomes of them) and remove others; returns their number."""
        permit(actor.role, Act.SET_WORDS)
        spot = await self._spot(actor, room)
        at = self._ports.now_ms()
        kept = [replace(one, word=check_word(one.word, self._languages)) for one in add]

        def command(tx: Transaction) -> int:
            count = moderation.change_words(tx, spot, add=kept, remove=remove)
            if count > WORDS_MAX:
                raise Refused("invalid", f"words: a list holds at most {WORDS_MAX}.")
            moderation.note(
                tx,
                spot,
                at=at,
                actor=actor.user,
                role=actor.role.value,
                act=Act.SET_WORDS.value,
                target=spot.room,
                detail=f"{len(kept)} added, {len(remove)} removed",
            )
            return count

        count = await self._ports.store.run(command)
        self._standing.forget(spot.tenant, spot.room)
        return count

    async def trail(
        self, actor: Actor, room: RoomId, cursor: str | None
    ) -> tuple[Sequence[AuditLine], str | None]:
        """Show who did what, newest first, and where to continue."""
        permit(actor.role, Act.READ_AUDIT)
        actor, door = await self._access.enter(actor, room)
        before = _seq_of(cursor)
        spot = Spot(tenant=door.tenant, room=room)
        found = await self._ports.store.run(lambda tx: moderation.trail(tx, spot, before=before))
        page = found[: moderation.AUDIT_PAGE]
        return page, str(page[-1].seq) if len(found) > len(page) else None

    async def _spot(self, actor: Actor, room: RoomId | None) -> Spot:
        if room is None:
            if rank_of(actor.role) < _MERCHANT_RANK:
                raise Refused("forbidden")
            return Spot(tenant=await self._access.tenant(actor), room=EVERYWHERE)
        _, door = await self._access.enter(actor, room)
        return Spot(tenant=door.tenant, room=room)

    @staticmethod
    def _note(
        tx: Transaction,
        actor: Actor,
        door: Door,
        at: int,
        act: Act,
        target: str,
        reason: str,
        detail: str = "",
    ) -> None:
        moderation.note(
            tx,
            Spot(tenant=door.tenant, room=door.room),
            at=at,
            actor=actor.user,
            role=actor.role.value,
            act=act.value,
            target=target,
            reason=reason,
            detail=detail,
        )


def _place(door: Door, at: int) -> Place:
    return Place(tenant=door.tenant, room=door.room, at=at)


def _check_target(actor: Actor, door: Door, user: UserId) -> None:
    if user == actor.user:
        raise Refused("invalid", "user: that is you.")
    if user == door.host and rank_of(actor.role) < _MERCHANT_RANK:
        raise Refused("forbidden", "Only the shop may do that to the host.")


def _check_rank(standing: Sequence[Sanction], rank: int) -> None:
    """Refuse to change what somebody higher imposed (the transaction undoes it)."""
    if any(sanction.rank > rank for sanction in standing):
        raise Refused("forbidden", "Somebody with a higher role decided that; ask them.")


def _reason(text: str) -> str:
    reason = "".join(char for char in text if char.isprintable()).strip()
    if len(reason) > REASON_CHARS_MAX:
        raise Refused("invalid", f"reason: at most {REASON_CHARS_MAX} characters.")
    return reason


def _seq_of(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise Refused("invalid", "The cursor is not one of ours; start without it.")
    return int(cursor)
