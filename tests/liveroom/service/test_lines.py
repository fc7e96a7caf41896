"""The last lines of a room: shown to who comes in, without what was damped or deleted."""

import pytest

from liveroom.bus.port import Publication
from liveroom.domain.events import DanmakuSaid, Event, Fact, LinesDeleted
from liveroom.domain.ids import EventId, RoomId, UserId
from liveroom.service import lines as lines_module
from liveroom.service.lines import KEPT_MAX, SHOWN_MAX, Lines

ROOM = RoomId("r1")


def news(id: str, fact: Fact, room: RoomId = ROOM) -> Publication:
    return Publication(room, (Event(id=EventId(id), room=room, at=1, fact=fact),))


def line(id: str, *, weight: float = 1.0, room: RoomId = ROOM) -> Publication:
    return news(id, DanmakuSaid(user=UserId("u"), name="u", text=id, weight=weight), room)


def shown(lines: Lines) -> list[str]:
    return [event.id for event in lines.recent(ROOM)]


def test_the_last_lines_are_shown_and_some_more_remembered() -> None:
    lines = Lines()
    for number in range(KEPT_MAX + 5):
        lines.hear(line(str(number)))
    total = KEPT_MAX + 5
    assert shown(lines) == [str(number) for number in range(total - SHOWN_MAX, total)]
    assert lines.find(ROOM, EventId("4")) is None
    assert lines.find(ROOM, EventId("5")) is not None
    assert lines.recent(RoomId("quiet")) == ()
    assert lines.find(RoomId("quiet"), EventId("5")) is None


def test_deleted_and_damped_lines_are_not_shown() -> None:
    lines = Lines()
    for publication in (line("a"), line("b", weight=0), line("c")):
        lines.hear(publication)
    lines.hear(news("d", LinesDeleted(lines=(EventId("a"), EventId("never")))))
    lines.hear(news("e", LinesDeleted(lines=(EventId("c"),)), RoomId("r2")))
    assert shown(lines) == ["c"]
    assert lines.find(ROOM, EventId("b")) is not None, "it can still be reported"


def test_the_room_silent_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "ROOMS_MAX", 2)
    lines = Lines()
    for room in ("r1", "r2", "r1", "r3"):
        lines.hear(line(f"{room}-line", room=RoomId(room)))
    assert lines.recent(RoomId("r2")) == ()
    assert shown(lines) == ["r1-line"]
