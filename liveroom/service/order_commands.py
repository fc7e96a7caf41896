"""The `ask` commands that keep order in a room: their arguments, and what they call."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from liveroom.domain.actors import Actor
from liveroom.domain.ids import ID_PATTERN, EventId, RoomId, UserId
from liveroom.domain.moderation import (
    REPEATS_MAX,
    SANCTION_MS_MAX,
    SLOW_MS_MAX,
    Act,
    Policy,
    ReportState,
)
from liveroom.domain.wording import WORD_CHARS_MAX, Word, WordAction
from liveroom.service.moderating import Moderating
from liveroom.service.reviewing import Reviewing

WORDS_PER_COMMAND_MAX: Final = 1_000

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
Reason = Annotated[str, Meta(max_length=200)]
Duration = Annotated[int, Meta(ge=1, le=SANCTION_MS_MAX)]
ListedWord = Annotated[str, Meta(min_length=1, max_length=WORD_CHARS_MAX)]


class SanctionArguments(Struct, frozen=True):
    """Whom, for how long, and why; a ban without `ms` is for good."""

    user: Id
    ms: Duration | None = None
    reason: Reason = ""


class LineArguments(Struct, frozen=True):
    """Which line, and why."""

    line: Id
    reason: Reason = ""


class ReportArguments(Struct, frozen=True):
    """Which line; `reason` is one of spam, abuse, fraud, sexual, other."""

    line: Id
    reason: Reason = "other"


class VerdictArguments(Struct, frozen=True):
    """What a keeper decided about a line: upheld, dismissed or released."""

    line: Id
    verdict: ReportState


class RulesArguments(Struct, frozen=True):
    """The rules to change; what is left out stays as it is."""

    slow_ms: Annotated[int, Meta(ge=0, le=SLOW_MS_MAX)] | UnsetType = UNSET
    repeats: Annotated[int, Meta(ge=0, le=REPEATS_MAX)] | UnsetType = UNSET
    links: Policy | UnsetType = UNSET
    contacts: Policy | UnsetType = UNSET
    homophones: bool | UnsetType = UNSET

    def changes(self) -> dict[str, Any]:
        """List what was said."""
        named = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: value for name, value in named if value is not UNSET}


class WordArguments(Struct, frozen=True):
    """One word and what becomes of a line with it."""

    word: ListedWord
    action: WordAction = WordAction.MASK


class WordsArguments(Struct, frozen=True):
    """Words to add (or change) and to remove; neither = just list them."""

    add: Annotated[list[WordArguments], Meta(max_length=WORDS_PER_COMMAND_MAX)] = []
    remove: Annotated[list[ListedWord], Meta(max_length=WORDS_PER_COMMAND_MAX)] = []

    def words(self) -> list[Word]:
        """Give the words to add."""
        return [Word(word=one.word, action=one.action) for one in self.add]


class CursorArguments(Struct, frozen=True):
    """Where to continue."""

    cursor: Annotated[str, Meta(max_length=64)] | None = None


class NoArguments(Struct, frozen=True):
    """No arguments."""


class Keeping(Struct, frozen=True):
    """Whom the commands call."""

    moderating: Moderating
    reviewing: Reviewing


OrderHandler = Callable[[Keeping, Actor, RoomId, Any], Awaitable[object]]


def _imposing(act: Act) -> OrderHandler:
    async def impose(to: Keeping, actor: Actor, room: RoomId, given: SanctionArguments) -> object:
        return await to.moderating.sanction(
            actor, room, UserId(given.user), act, ms=given.ms, reason=given.reason
        )

    return impose


def _lifting(act: Act) -> OrderHandler:
    async def lift(to: Keeping, actor: Actor, room: RoomId, given: SanctionArguments) -> object:
        lifted = await to.moderating.lift(actor, room, UserId(given.user), act, reason=given.reason)
        return {"lifted": lifted}

    return lift


async def _sanctions(to: Keeping, actor: Actor, room: RoomId, _given: object) -> object:
    return await to.moderating.sanctions(actor, room)


async def _delete_line(to: Keeping, actor: Actor, room: RoomId, given: LineArguments) -> object:
    await to.moderating.delete_line(actor, room, EventId(given.line), reason=given.reason)
    return {}


async def _report(to: Keeping, actor: Actor, room: RoomId, given: ReportArguments) -> object:
    await to.reviewing.report(actor, room, EventId(given.line), given.reason)
    return {}


async def _reports(to: Keeping, actor: Actor, room: RoomId, _given: object) -> object:
    return await to.reviewing.queue(actor, room)


async def _resolve(to: Keeping, actor: Actor, room: RoomId, given: VerdictArguments) -> object:
    judged = await to.reviewing.resolve(actor, room, EventId(given.line), given.verdict)
    return {"judged": judged}


async def _rules(to: Keeping, actor: Actor, room: RoomId, given: RulesArguments) -> object:
    changes = given.changes()
    if not changes:
        return await to.moderating.rules(actor, room)
    return await to.moderating.set_rules(actor, room, changes)


async def _words(to: Keeping, actor: Actor, room: RoomId, given: WordsArguments) -> object:
    if given.add or given.remove:
        await to.moderating.change_words(actor, room, add=given.words(), remove=given.remove)
    return await to.moderating.words(actor, room)


async def _audit(to: Keeping, actor: Actor, room: RoomId, given: CursorArguments) -> object:
    lines, following = await to.moderating.trail(actor, room, given.cursor)
    return {"lines": lines, "next": following}


ORDER_COMMANDS: Final[dict[str, tuple[type[Struct], OrderHandler, str | None]]] = {
    "mute": (SanctionArguments, _imposing(Act.MUTE), None),
    "kick": (SanctionArguments, _imposing(Act.KICK), None),
    "ban": (SanctionArguments, _imposing(Act.BAN), None),
    "unmute": (SanctionArguments, _lifting(Act.UNMUTE), None),
    "unban": (SanctionArguments, _lifting(Act.UNBAN), None),
    "sanctions": (NoArguments, _sanctions, "sanctions"),
    "delete_line": (LineArguments, _delete_line, None),
    "report": (ReportArguments, _report, None),
    "reports": (NoArguments, _reports, "reports"),
    "resolve": (VerdictArguments, _resolve, None),
    "rules": (RulesArguments, _rules, None),
    "words": (WordsArguments, _words, "words"),
    "audit": (CursorArguments, _audit, None),
}
"""Command → its arguments, its handler, and the name of a listed answer."""
