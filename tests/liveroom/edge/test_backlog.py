"""A backlog keeps references within its bound, skips texts first and money never."""

from hypothesis import given
from hypothesis import strategies as st

from liveroom.domain.delivery import Delivery
from liveroom.edge.backlog import (
    BACKLOG_BYTES_MAX,
    WHOLE_BYTES_MAX,
    Backlog,
    LeftOut,
    Prepared,
    essential,
)
from liveroom.protocol.codec import JSON, MSGPACK
from liveroom.protocol.messages import Batch, Counters


def batch(label: str, *, gifts: int, texts: int) -> Prepared:
    def of(gift_count: int, text_count: int) -> Batch:
        events = [{"k": "gift", "id": f"{label}g{i}"} for i in range(gift_count)]
        events += [{"k": "danmaku", "id": f"{label}t{i}"} for i in range(text_count)]
        counters = Counters(online=1, likes=0)
        return Batch(epoch="e", offset=0, events=events, counters=counters)

    kept = essential(of(gifts, 0)) if gifts else None
    return Prepared(of(gifts, texts), essential=kept, inessential={Delivery.TEXT: texts})


class Socket:
    """Takes frames until it is full; then says pause, as a transport does."""

    def __init__(self, bytes_max: int = BACKLOG_BYTES_MAX) -> None:
        self.frames: list[bytes] = []
        self.room = 10**9
        self.skipped = 0
        self.backlog = Backlog(JSON, self.write, skipped=self.skip, bytes_max=bytes_max)

    def write(self, frame: bytes) -> None:
        self.frames.append(frame)
        self.room -= 1
        if self.room <= 0:
            self.backlog.pause()

    def skip(self, left_out: LeftOut) -> None:
        self.skipped += left_out[Delivery.TEXT]

    @property
    def text(self) -> bytes:
        return b"".join(self.frames)


def test_frames_go_straight_through_while_the_socket_takes_them() -> None:
    to = Socket()
    prepared = batch("a", gifts=1, texts=1)
    assert to.backlog.offer(prepared)
    assert to.frames == [prepared.frame(JSON)]
    assert to.frames[0] is prepared.frame(JSON)
    assert to.backlog.bytes == 0


def test_each_codec_is_encoded_once() -> None:
    prepared = batch("a", gifts=1, texts=0)
    assert prepared.frame(JSON) is prepared.frame(JSON)
    assert prepared.frame(MSGPACK) is prepared.frame(MSGPACK)
    assert prepared.frame(JSON) != prepared.frame(MSGPACK)


def test_a_short_pause_loses_nothing_and_keeps_the_order() -> None:
    to = Socket()
    to.backlog.pause()
    sent = [batch(str(index), gifts=1, texts=2) for index in range(10)]
    assert all(to.backlog.offer(prepared) for prepared in sent)
    assert to.frames == []
    to.backlog.resume()
    assert to.frames == [prepared.frame(JSON) for prepared in sent]
    assert (to.backlog.bytes, to.skipped) == (0, 0)


def test_resuming_stops_when_the_socket_is_full_again() -> None:
    to = Socket()
    to.backlog.pause()
    for index in range(10):
        to.backlog.offer(batch(str(index), gifts=1, texts=0))
    to.room = 4
    to.backlog.resume()
    assert len(to.frames) == 4
    assert to.backlog.is_paused
    to.room = 10**9
    to.backlog.resume()
    assert len(to.frames) == 10


def test_above_a_share_of_the_bound_only_the_essential_is_kept() -> None:
    to = Socket()
    to.backlog.pause()
    while to.backlog.bytes <= WHOLE_BYTES_MAX:
        to.backlog.offer(batch("early", gifts=0, texts=50))
    assert to.skipped == 0
    to.backlog.offer(batch("late", gifts=1, texts=50))
    assert to.backlog.offer(batch("texts", gifts=0, texts=50))
    assert to.skipped == 100
    to.backlog.resume()
    assert b"lateg0" in to.text
    assert b"latet0" not in to.text
    assert b"textst0" not in to.text


def test_at_the_bound_waiting_texts_go_before_anybody_is_cut() -> None:
    to = Socket(bytes_max=8_000)
    to.backlog.pause()
    assert to.backlog.offer(batch("texts", gifts=1, texts=40))
    sent = 0
    while to.skipped == 0:
        assert to.backlog.offer(essential(batch(f"m{sent}", gifts=10, texts=0).message))
        sent += 1
    to.backlog.resume()
    assert b"textsg0" in to.text
    assert b"textst0" not in to.text
    assert all(f"m{index}g9".encode() in to.text for index in range(sent))


def test_only_money_over_the_bound_makes_a_viewer_too_slow() -> None:
    to = Socket(bytes_max=4_000)
    to.backlog.pause()
    for _ in range(1_000):
        assert to.backlog.offer(batch("t", gifts=0, texts=20))
    assert to.backlog.bytes <= 4_000
    offered = 0
    while to.backlog.offer(batch("m", gifts=5, texts=0)):
        offered += 1
    assert 10 < offered < 40
    to.backlog.clear()
    assert to.backlog.bytes == 0


@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(0, 8), st.integers(0, 8)),
            st.integers(1, 5).map(lambda room: ("resume", room)),
        ),
        max_size=80,
    )
)
def test_money_arrives_complete_and_in_order_unless_cut(steps: list[tuple[int | str, int]]) -> None:
    to = Socket(bytes_max=3_000)
    to.backlog.pause()
    expected: list[str] = []
    for index, (first, second) in enumerate(steps):
        if first == "resume":
            to.room = second
            to.backlog.resume()
            continue
        assert isinstance(first, int)
        if not to.backlog.offer(batch(f"b{index}-", gifts=first, texts=second)):
            return
        assert to.backlog.bytes <= 3_000
        expected += [f"b{index}-g{gift}" for gift in range(first)]
    to.room = 10**9
    to.backlog.resume()
    got = [gift for gift in expected if gift.encode() in to.text]
    assert got == expected
    positions = [to.text.index(gift.encode() + b'"') for gift in expected]
    assert positions == sorted(positions)


def test_a_socket_that_fills_up_with_the_last_waiting_frame_keeps_what_comes_next() -> None:
    to = Socket()
    frames = [batch(name, gifts=1, texts=0) for name in "abc"]
    to.backlog.pause()
    to.backlog.offer(frames[0])
    to.room = 1
    to.backlog.resume()
    assert to.backlog.is_paused
    assert to.backlog.offer(frames[1])
    assert to.backlog.offer(frames[2])
    to.room = 10
    to.backlog.resume()
    assert to.frames == [frame.frame(JSON) for frame in frames]
