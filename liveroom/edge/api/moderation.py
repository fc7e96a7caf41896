"""Routes that keep order in a room: sanctions, lines, rules, words, the review queue, the trail."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from liveroom.domain.actors import Role
from liveroom.domain.ids import EventId, UserId
from liveroom.domain.moderation import Act, Policy, ReportState
from liveroom.edge.api.table import (
    HOSTS_AND_MERCHANTS,
    MERCHANTS,
    Access,
    Call,
    Credential,
    Id,
    Number,
    Row,
)
from liveroom.service.order_commands import (
    Duration,
    Reason,
    RulesArguments,
    WordsArguments,
)

KEEPERS: Final = Access(
    Credential.REQUIRED, frozenset({Role.MODERATOR, Role.HOST, Role.MERCHANT, Role.ADMIN})
)
_LIFTS: Final = frozenset({Act.UNMUTE, Act.UNBAN})


class SanctionBody(msgspec.Struct, frozen=True, kw_only=True):
    """What to do to whom; `ms` is how long, a ban without it is for good."""

    do: Annotated[str, Meta(pattern=r"^(mute|unmute|kick|ban|unban)\Z")]
    user: Id
    ms: Duration | None = None
    reason: Reason = ""


class SanctionDone(msgspec.Struct, frozen=True, kw_only=True):
    """What holds now; `until` null = for good, or nothing any more after unmute and unban."""

    user: str
    act: str
    until: Number | None
    changed: bool


class SanctionShown(msgspec.Struct, frozen=True, kw_only=True):
    """One sanction; `until` null = for good."""

    user: str
    bar: str
    until: Number | None
    rank: Number
    by: str
    reason: str
    at: Number


class SanctionList(msgspec.Struct, frozen=True, kw_only=True):
    """Who is barred from what, newest first."""

    sanctions: list[SanctionShown]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """It is done."""

    line: str


class RulesShown(msgspec.Struct, frozen=True, kw_only=True):
    """A room's rules."""

    slow_ms: Number
    repeats: Number
    links: Policy
    contacts: Policy
    homophones: bool


class WordShown(msgspec.Struct, frozen=True, kw_only=True):
    """One listed word and what becomes of a line with it."""

    word: str
    action: str


class WordsShown(msgspec.Struct, frozen=True, kw_only=True):
    """A list of words."""

    words: list[WordShown]


class ReportShown(msgspec.Struct, frozen=True, kw_only=True):
    """A line that waits to be judged."""

    line: str
    user: str
    name: str
    text: str
    at: Number
    count: Number
    held: bool
    reason: str
    badge: str | None


class ReportList(msgspec.Struct, frozen=True, kw_only=True):
    """The review queue, oldest first."""

    reports: list[ReportShown]


class VerdictBody(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided; `released` shows a line that was held back."""

    verdict: Annotated[str, Meta(pattern=r"^(upheld|dismissed|released)\Z")]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the line was still waiting."""

    judged: bool


class TrailLine(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to whom, and why."""

    seq: Number
    at: Number
    actor: str
    role: str
    act: str
    target: str
    reason: str
    detail: str


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the trail, newest first."""

    lines: list[TrailLine]
    next: str | None


async def sanction(call: Call, body: SanctionBody) -> SanctionDone:
    """Mute, kick or ban somebody, or take it back."""
    moderating, act = call.backend.services.moderating, Act(body.do)
    actor, room, user = call.bearer(), call.place().id, UserId(body.user)
    if act in _LIFTS:
        changed = await moderating.lift(actor, room, user, act, reason=body.reason)
        return SanctionDone(user=user, act=act.value, until=None, changed=changed)
    made = await moderating.sanction(actor, room, user, act, ms=body.ms, reason=body.reason)
    return SanctionDone(user=user, act=act.value, until=made.until, changed=True)


async def list_sanctions(call: Call) -> dict[str, Any]:
    """List who is barred from what."""
    found = await call.backend.services.moderating.sanctions(call.bearer(), call.place().id)
    return {"sanctions": found}


async def delete_line(call: Call) -> Done:
    """Take a line off all screens."""
    line = call.path_id("line", "no_such_line")
    await call.backend.services.moderating.delete_line(
        call.bearer(), call.place().id, EventId(line)
    )
    return Done(line=line)


async def show_rules(call: Call) -> object:
    """Show a room's rules."""
    return await call.backend.services.moderating.rules(call.bearer(), call.place().id)


async def set_rules(call: Call, body: RulesArguments) -> object:
    """Change some of a room's rules."""
    return await call.backend.services.moderating.set_rules(
        call.bearer(), call.place().id, body.changes()
    )


async def show_words(call: Call) -> dict[str, Any]:
    """List the words of a room, or of the whole shop."""
    room = None if call.room is None else call.room.id
    return {"words": await call.backend.services.moderating.words(call.bearer(), room)}


async def change_words(call: Call, body: WordsArguments) -> dict[str, Any]:
    """Add and remove words of a room, or of the whole shop."""
    room = None if call.room is None else call.room.id
    await call.backend.services.moderating.change_words(
        call.bearer(), room, add=body.words(), remove=body.remove
    )
    return await show_words(call)


async def list_reports(call: Call) -> dict[str, Any]:
    """List the lines that wait to be judged."""
    found = await call.backend.services.reviewing.queue(call.bearer(), call.place().id)
    return {"reports": found}


async def judge(call: Call, body: VerdictBody) -> Judged:
    """Judge a line."""
    line = EventId(call.path_id("line", "no_such_line"))
    judged = await call.backend.services.reviewing.resolve(
        call.bearer(), call.place().id, line, ReportState(body.verdict)
    )
    return Judged(judged=judged)


async def show_trail(call: Call) -> dict[str, Any]:
    """Show who did what."""
    lines, following = await call.backend.services.moderating.trail(
        call.bearer(), call.place().id, call.query.get("cursor")
    )
    return {"lines": lines, "next": following}


ROWS = (
    Row(
        method="POST",
        path="/v1/rooms/{room}/sanctions",
        summary="Mute, kick or ban somebody, or take it back.",
        handle=sanction,
        access=KEEPERS,
        body=SanctionBody,
        answer=SanctionDone,
        refusals=("forbidden", "invalid"),
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/sanctions",
        summary="List who is barred from what.",
        handle=list_sanctions,
        access=KEEPERS,
        answer=SanctionList,
    ),
    Row(
        method="DELETE",
        path="/v1/rooms/{room}/lines/{line}",
        summary="Take a line of danmaku off all screens.",
        handle=delete_line,
        access=KEEPERS,
        answer=Done,
        refusals=("no_such_line",),
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/rules",
        summary="Show a room's rules of talk.",
        handle=show_rules,
        access=KEEPERS,
        answer=RulesShown,
    ),
    Row(
        method="PUT",
        path="/v1/rooms/{room}/rules",
        summary="Change some of a room's rules of talk.",
        handle=set_rules,
        access=HOSTS_AND_MERCHANTS,
        body=RulesArguments,
        answer=RulesShown,
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/words",
        summary="List the words that are looked for in a room.",
        handle=show_words,
        access=HOSTS_AND_MERCHANTS,
        answer=WordsShown,
    ),
    Row(
        method="POST",
        path="/v1/rooms/{room}/words",
        summary="Add words to a room's list, and remove others.",
        handle=change_words,
        access=HOSTS_AND_MERCHANTS,
        body=WordsArguments,
        answer=WordsShown,
    ),
    Row(
        method="GET",
        path="/v1/words",
        summary="List the words that are looked for in all rooms of the shop.",
        handle=show_words,
        access=MERCHANTS,
        answer=WordsShown,
    ),
    Row(
        method="POST",
        path="/v1/words",
        summary="Add words for all rooms of the shop, and remove others.",
        handle=change_words,
        access=MERCHANTS,
        body=WordsArguments,
        answer=WordsShown,
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/reports",
        summary="List the lines that wait to be judged.",
        handle=list_reports,
        access=KEEPERS,
        answer=ReportList,
    ),
    Row(
        method="POST",
        path="/v1/rooms/{room}/reports/{line}",
        summary="Judge a reported or held line.",
        handle=judge,
        access=KEEPERS,
        body=VerdictBody,
        answer=Judged,
        refusals=("no_such_line",),
    ),
    Row(
        method="GET",
        path="/v1/rooms/{room}/audit",
        summary="Show who did what to keep order, newest first.",
        handle=show_trail,
        access=KEEPERS,
        answer=Trail,
        query=("cursor",),
    ),
)
