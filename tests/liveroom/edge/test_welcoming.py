"""What is shared between people who come in."""

import msgspec
import pytest

from liveroom.domain.events import DanmakuSaid, Event
from liveroom.domain.ids import EventId, RoomId, UserId
from liveroom.edge import welcoming
from liveroom.edge.welcoming import Shared
from liveroom.protocol.codec import JSON, MSGPACK

ROOM = RoomId("r1")


def text(number: int) -> Event:
    fact = DanmakuSaid(user=UserId("u"), name="u", text=f"text {number}")
    return Event(id=EventId(f"e{number}"), room=ROOM, at=number, fact=fact)


def test_texts_are_encoded_once_for_each_codec_until_one_is_added() -> None:
    shared, one, two = Shared(), text(1), text(2)
    first = shared.texts(ROOM, JSON, (one,))
    assert shared.texts(ROOM, JSON, (one,)) is first
    assert [event["text"] for event in msgspec.json.decode(first)] == ["text 1"]
    packed = msgspec.msgpack.decode(shared.texts(ROOM, MSGPACK, (one,)))
    assert packed == msgspec.json.decode(first)
    second = shared.texts(ROOM, JSON, (one, two))
    assert [event["text"] for event in msgspec.json.decode(second)] == ["text 1", "text 2"]


def test_a_text_that_was_taken_back_is_not_shown_any_more() -> None:
    shared = Shared()
    shared.texts(ROOM, JSON, (text(1), text(2)))
    assert len(msgspec.json.decode(shared.texts(ROOM, JSON, (text(2),)))) == 1


def test_only_so_many_rooms_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(welcoming, "ROOMS_SHARED_MAX", 2)
    shared = Shared()
    first = shared.texts(RoomId("a"), JSON, (text(1),))
    for room in ("b", "c"):
        shared.texts(RoomId(room), JSON, (text(1),))
    assert shared.texts(RoomId("a"), JSON, (text(1),)) is not first
