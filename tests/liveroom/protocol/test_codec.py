"""A frame is a message, an unusable one, or outside the protocol; nothing else comes out."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from liveroom.protocol.closing import PROTOCOL
from liveroom.protocol.codec import JSON, MSGPACK, Codec, Unusable, WireError, codec_of, write_frame
from liveroom.protocol.messages import Ask, Bye, Gift, Hello, Like, Ok, Ping, Say, Token

BOTH = pytest.mark.parametrize("codec", [JSON, MSGPACK], ids=repr)


def wire(codec: Codec, value: Any) -> str | bytes:
    if codec is JSON:
        return json.dumps(value, ensure_ascii=False)
    return msgspec.msgpack.encode(value)


@BOTH
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"t": "hello", "token": "x", "room": "r"}, Hello(token="x", room="r")),
        ({"t": "say", "id": "c", "text": "hi"}, Say(id="c", text="hi")),
        ({"t": "like"}, Like(n=1)),
        ({"t": "like", "n": 7}, Like(n=7)),
        ({"t": "gift", "id": "c", "gift": "rose"}, Gift(id="c", gift="rose", count=1)),
        ({"t": "token", "token": "x"}, Token(token="x")),
        ({"t": "ping"}, Ping()),
    ],
)
def test_each_message_is_read_and_unknown_keys_are_ignored(
    codec: Codec, fields: dict[str, Any], message: Any
) -> None:
    assert codec.decode(wire(codec, fields)) == message
    assert codec.decode(wire(codec, fields | {"new": {"deep": [1]}})) == message


@BOTH
def test_the_map_of_ask_stays_raw(codec: Codec) -> None:
    message = codec.decode(wire(codec, {"t": "ask", "id": "c", "do": "x", "with": {"a": 1}}))
    assert isinstance(message, Ask)
    assert bytes(message.with_) in (b'{"a": 1}', msgspec.msgpack.encode({"a": 1}))


@BOTH
@pytest.mark.parametrize("value", [[], 1, "t", None, True, {}, {"t": 5}, {"t": None}, {"id": "c"}])
def test_what_is_no_typed_map_is_outside_the_protocol(codec: Codec, value: Any) -> None:
    with pytest.raises(WireError) as error:
        codec.decode(wire(codec, value))
    assert error.value.code == PROTOCOL


@BOTH
@pytest.mark.parametrize("t", ["say", "gift", "ask"])
@pytest.mark.parametrize("id_", [None, 5, "", "x" * 129, ["c"]])
def test_a_command_without_a_usable_id_is_outside_the_protocol(
    codec: Codec, t: str, id_: Any
) -> None:
    with pytest.raises(WireError):
        codec.decode(wire(codec, {"t": t, "id": id_}))


@BOTH
def test_a_bad_value_with_an_id_is_unusable_and_says_where(codec: Codec) -> None:
    found = codec.decode(wire(codec, {"t": "gift", "id": "c", "gift": "rose", "count": 0}))
    assert isinstance(found, Unusable)
    assert (found.code, found.id) == ("invalid", "c")
    assert found.why is not None
    assert "$.count" in found.why


@BOTH
def test_an_unknown_type_is_answered_only_when_it_has_an_id(codec: Codec) -> None:
    with_id = codec.decode(wire(codec, {"t": "fly", "id": "c"}))
    assert with_id == Unusable("unknown_command", None, "c")
    assert codec.decode(wire(codec, {"t": "fly"})) == Unusable(
        "unknown_command", None, None, silent=True
    )


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        '{"t":"ping"} ',
        '{"t":"ping"}x',
        '{"t":"ping",}',
        '{"t":"like","n":NaN}',
        '{"t":"like","n":Infinity}',
        '{"t":"say","id":"c","text":"\\ud800"}',
        "[" * 16_000,
        '{"t":"ask","id":"c","do":"x","with":' + "[" * 8_000 + "]" * 8_000 + "}",
        '{"t":"ask","id":"c","do":"x","with":' + '{"a":' * 3_000 + "1" + "}" * 3_000 + "}",
        "\x00",
        "\ufeff{}",
    ],
)
def test_malformed_json_is_outside_the_protocol(data: str) -> None:
    if data == '{"t":"ping"} ':
        assert JSON.decode(data) == Ping()  # blanks around a value are JSON
        return
    with pytest.raises(WireError):
        JSON.decode(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x81",
        b"\x91" * 16_000,
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\x81\xa1t\xa2\xff\xfe",
        msgspec.msgpack.encode({"t": "ping"}) + b"\x00",
        b"\x82\xa1t\xa3ask\xa4with" + b"\x91" * 10_000 + b"\xc0",
    ],
)
def test_malformed_msgpack_is_outside_the_protocol(data: bytes) -> None:
    with pytest.raises(WireError):
        MSGPACK.decode(data)


def test_each_subprotocol_has_its_own_kind_of_frame() -> None:
    with pytest.raises(WireError):
        JSON.decode(b'{"t":"ping"}')
    with pytest.raises(WireError):
        MSGPACK.decode('{"t":"ping"}')


def test_of_duplicate_keys_the_last_counts_everywhere() -> None:
    found = JSON.decode('{"t":"gift","id":"a","id":"b","gift":"rose","count":2,"count":0}')
    assert isinstance(found, Unusable)
    assert found.id == "b"


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 300_000])
@pytest.mark.parametrize("is_text", [True, False])
def test_frames_are_what_the_library_reads(length: int, is_text: bool) -> None:

    reader = StreamReader()
    reader.feed_data(write_frame(b"x" * length, is_text=is_text))
    parse = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as done:
        next(parse)
    frame = done.value.value
    assert frame.opcode is (Opcode.TEXT if is_text else Opcode.BINARY)
    assert frame.fin
    assert len(frame.data) == length


@BOTH
@pytest.mark.parametrize("message", [Ok(id="c", n=4), Bye(code=4001, why="slow", after_ms=5)])
def test_what_a_server_writes_a_client_reads(codec: Codec, message: Any) -> None:
    data = codec.encode(message)
    assert codec.decode_answer(data.decode() if codec is JSON else data) == message


def test_json_is_spoken_when_nothing_was_offered() -> None:
    assert codec_of(None) is JSON
    assert codec_of("liveroom.msgpack.v1") is MSGPACK


@given(st.binary(max_size=200))
def test_any_bytes_give_a_message_or_a_documented_error(data: bytes) -> None:
    for codec in (JSON, MSGPACK):
        with suppress(WireError):
            codec.decode(data.decode("utf-8", "replace") if codec is JSON else data)


JSONISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["t", "id", "n", "count", "text"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(["hello", "say", "like", "gift", "ask", "token", "ping", "fly"]),
    st.dictionaries(
        st.sampled_from(["id", "n", "count", "text", "gift", "do", "with", "token", "room"]),
        JSONISH,
    ),
)
def test_any_map_gives_a_message_or_a_documented_error(t: str, fields: dict[str, Any]) -> None:
    with suppress(WireError):
        found = MSGPACK.decode(msgspec.msgpack.encode({"t": t} | fields))
        assert isinstance(found, Unusable | Hello | Say | Like | Gift | Ask | Token | Ping)


@pytest.mark.parametrize("id_", ["a\x00", "\x1b[2J", "a\n", "\x7f"])
def test_a_key_with_control_characters_is_refused_and_told(id_: str) -> None:
    shapes: list[dict[str, Any]] = [
        {"t": "gift", "gift": "rose"},
        {"t": "say", "text": "x"},
        {"t": "ask", "do": "me"},
    ]
    for fields in shapes:
        found = MSGPACK.decode(msgspec.msgpack.encode(fields | {"id": id_}))
        assert isinstance(found, Unusable)
        assert (found.code, found.id) == ("invalid", id_)
