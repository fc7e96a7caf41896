"""Every message is bounded: no integer without limits, no text without a length."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveroom.protocol import messages
from liveroom.protocol.messages import GIFTS_MAX, LIKES_MAX, NUMBER_MAX, Id
from liveroom.service.talking import LIKES_PER_COMMAND_MAX

STRUCTS = [
    value
    for value in vars(messages).values()
    if isinstance(value, type) and issubclass(value, msgspec.Struct)
]

FROM_CLIENT = [*messages.ClientMessage.__args__, messages.Resume]


def leaves(hint: Any, meta: tuple[msgspec.Meta, ...] = ()) -> Iterator[tuple[type, Any]]:
    """Walk a type down to its plain parts, each with the bounds written around it."""
    origin = get_origin(hint)
    if origin is Annotated:
        inner, *extra = get_args(hint)
        yield from leaves(inner, (*meta, *extra))
    elif origin in (Union, types.UnionType):
        for part in get_args(hint):
            yield from leaves(part, meta)
    elif isinstance(hint, type):
        yield hint, meta


def fields_of(struct: type) -> Iterator[tuple[str, type, tuple[msgspec.Meta, ...]]]:
    for name, hint in get_type_hints(struct, include_extras=True).items():
        if name not in ("__struct_config__", "__struct_fields__"):
            for leaf, meta in leaves(hint):
                yield f"{struct.__name__}.{name}", leaf, meta


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_integer_has_both_bounds(struct: type) -> None:
    for name, leaf, meta in fields_of(struct):
        if leaf is int:
            assert any(bound.ge is not None for bound in meta), f"{name} has no lower bound"
            assert any(bound.le is not None for bound in meta), f"{name} has no upper bound"
            assert all((bound.le or 0) <= NUMBER_MAX for bound in meta), name
        assert leaf is not float, f"{name} is a float"


@pytest.mark.parametrize("struct", FROM_CLIENT, ids=lambda struct: struct.__name__)
def test_every_text_of_a_client_has_a_length_or_a_pattern(struct: type) -> None:
    for name, leaf, meta in fields_of(struct):
        if leaf is str:
            assert any(bound.max_length or bound.pattern for bound in meta), name


def test_the_walk_would_notice_a_bare_integer() -> None:
    class Bare(msgspec.Struct):
        n: int | None = None

    with pytest.raises(AssertionError):
        test_every_integer_has_both_bounds(Bare)


@pytest.mark.parametrize("room", ["", "a" * 65, "-a", "a/b", "a b", "a\n", "ａ", "../a"])
def test_an_id_that_would_be_unsafe_in_a_path_is_refused(room: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(room, Id)


@pytest.mark.parametrize("room", ["a", "a" * 64, "Room:1@x.y_z-3"])
def test_usual_ids_pass(room: str) -> None:
    assert msgspec.convert(room, Id) == room


@given(st.integers())
def test_counts_pass_exactly_within_their_bounds(count: int) -> None:
    raw = msgspec.json.encode({"t": "gift", "id": "c", "gift": "rose", "count": 0}).replace(
        b'"count":0', b'"count":%d' % count
    )
    if 1 <= count <= GIFTS_MAX:
        assert msgspec.json.decode(raw, type=messages.Gift).count == count
    else:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(raw, type=messages.Gift)


def test_the_bounds_of_likes_fit_what_a_service_takes() -> None:

    assert LIKES_MAX <= LIKES_PER_COMMAND_MAX


def test_absent_keys_stay_absent() -> None:
    assert msgspec.json.encode(messages.Ok(id="c")) == b'{"t":"ok","id":"c"}'
    assert b"retry_ms" not in msgspec.json.encode(messages.No(code="rate", why="w"))
