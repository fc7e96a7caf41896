"""Every event survives the way to another node; what cannot be read is said, not guessed."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.bus.wire import UnreadableError, decode, encode
from liveroom.domain.events import Event, Fact
from liveroom.domain.ids import EventId, RoomId, UserId

ROOM = RoomId("r")


@given(
    st.lists(
        st.builds(
            Event,
            id=st.text(max_size=8).map(EventId),
            room=st.just(ROOM),
            at=st.integers(0, 2**40),
            fact=st.one_of([st.from_type(kind) for kind in Fact.__args__]),
            n=st.none() | st.integers(1, 2**40),
            pn=st.none() | st.integers(1, 2**40),
            cid=st.none() | st.text(max_size=5),
            to=st.none() | st.text(max_size=5).map(UserId),
        ),
        max_size=5,
    ),
    st.integers(0, 1000),
)
def test_events_arrive_as_they_were_sent(events: list[Event], likes: int) -> None:
    try:
        message = encode(events, likes=likes, node="a/1", at=7)
    except OverflowError:  # integers beyond 64 bits are not ours
        return
    news = decode(ROOM, message)
    assert (news.node, news.at, news.likes, list(news.events)) == ("a/1", 7, likes, events)


def test_kinds_of_a_newer_version_are_left_out_and_counted() -> None:
    future = ["id", 1, "hologram", {"x": 1}, 5, None, None, None, "a new field"]
    news = decode(ROOM, msgspec.msgpack.encode([1, "a", 1, 0, [future], "more"]))
    assert (news.events, news.unknown) == ((), 1)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode({"t": "welcome"}),
        msgspec.msgpack.encode([2, "a", 1, 0, []]),
        msgspec.msgpack.encode([1, "a", 1, 0, [["id", 1, "enter", {"user": 5}]]]),
    ],
)
def test_bytes_that_are_no_news_are_refused(message: bytes) -> None:
    with pytest.raises(UnreadableError):
        decode(ROOM, message)
