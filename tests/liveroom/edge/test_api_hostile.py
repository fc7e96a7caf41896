"""Bad input over HTTP: each is refused with a code and a sentence, and nothing changed."""

import inspect
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from liveroom.edge.api import gifts, health, members, problems, rooms, shop
from liveroom.edge.api.application import BODY_BYTES_MAX, ROWS
from tests.liveroom.edge.api_house import START_MS, House, open_house

JSON = {"Content-Type": "application/json"}

LINE = {"product": "lip", "quantity": 1, "unit_price": 9_900}
GOOD: dict[str, dict[str, Any]] = {
    "/v1/rooms": {"id": "rx", "title": "t", "planned_at": 1},
    "/v1/products": {"id": "px", "title": "t", "price": 1, "stock": 1},
    "/v1/members": {"id": "mx", "name": "n", "age_band": "adult", "coins": 1},
    "/v1/orders": {
        "id": "ox",
        "user": "ann",
        "room": "r1",
        "lines": [LINE],
        "paid_at": START_MS,
        "points": 0,
        "coupons": [],
    },
    "/v1/tickets": {"user": "bo", "role": "viewer", "room": "r1", "ttl": 60},
    "/v1/tickets/trade": {"ticket": "x"},
    "/v1/rooms/r1/pin": {"product": "lip"},
    "/v1/rooms/r1/gifts": {"gift": "rose", "count": 1},
    "/v1/rooms/r1/checkouts": {"product": "lip", "quantity": 1},
}
ROLE_OF = {
    "/v1/rooms/r1/pin": "host",
    "/v1/rooms/r1/gifts": "viewer",
    "/v1/rooms/r1/checkouts": "viewer",
}
"""Who asks; a merchant where nothing is said."""

NOT_INTEGERS: list[Any] = [
    -1, 1.0, 1.5, 1e3, True, "1", "", None, [], {}, [1], 2**53, 10**19, 10**30,
    -(2**63), "NaN", 1e400,
]  # fmt: skip
NOT_IDS: list[Any] = [
    "", " ", "a b", "a/b", "../x", "é", "家", "a\n", "\u202ea", "a\x00", "a" * 65,
    "-a", 7, True, None, [], {}, "<b>", "a'--", "%00", "{room}",
]  # fmt: skip
INTEGERS = {
    "/v1/rooms": ["planned_at"],
    "/v1/products": ["price", "stock"],
    "/v1/members": ["coins"],
    "/v1/orders": ["paid_at", "points", "lines.0.quantity", "lines.0.unit_price"],
    "/v1/tickets": ["ttl"],
    "/v1/rooms/r1/gifts": ["count"],
    "/v1/rooms/r1/checkouts": ["quantity"],
}
IDS = {
    "/v1/rooms": ["id", "merchant", "host"],
    "/v1/products": ["id"],
    "/v1/members": ["id"],
    "/v1/orders": ["id", "user", "room", "lines.0.product", "coupons.0"],
    "/v1/tickets": ["user", "room"],
    "/v1/rooms/r1/pin": ["product"],
    "/v1/rooms/r1/gifts": ["gift"],
    "/v1/rooms/r1/checkouts": ["product"],
}
MAY_BE_NULL = {"planned_at", "stock", "id@/v1/rooms", "merchant", "host", "room@/v1/orders"}
MAY_BE_NULL |= {"product@/v1/rooms/r1/pin", "product@/v1/rooms/r1/checkouts"}
ZERO_IS_WRONG = {"price", "lines.0.quantity", "lines.0.unit_price", "ttl", "count", "quantity"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        await house.room("r1")
        await house.good(
            "POST", "/v1/products", json={"id": "lip", "title": "t", "price": 9_900, "stock": 5}
        )
        await house.member("ann", coins=1_000)
        yield house


async def state(house: House) -> list[Any]:
    """Read everything that a refused request might have changed."""
    token = house.token("viewer")
    return [
        (await house.ask("GET", "/v1/rooms")).json(),
        (await house.ask("GET", "/v1/rooms/r1/products")).json(),
        await house.good("GET", "/v1/rooms/r1/numbers"),
        await house.good("GET", "/v1/me", token=token),
        await house.good("GET", "/v1/me/ledger", token=token),
    ]


async def send(house: House, path: str, content: bytes, **headers: str) -> httpx.Response:
    house.clock[0] += 1_000  # slowly, so that no rate answers instead
    token = house.token(ROLE_OF.get(path, "merchant"))
    return await house.ask(
        "POST", path, token=token, key="the-key", content=content, headers=JSON | headers
    )


def changed(body: dict[str, Any], field: str, value: Any) -> bytes:
    """Replace one field, given as a path, in a copy of a body."""
    copy = json.loads(json.dumps(body))
    *path, last = field.split(".")
    node: Any = copy
    for part in path:
        node = node[int(part)] if part.isdigit() else node[part]
    if isinstance(node, list):
        node[int(last) :] = [value]
    else:
        node[last] = value
    text = json.dumps(copy)
    return text.replace("Infinity", "1e400").encode()


@pytest.mark.parametrize("path", sorted(INTEGERS))
async def test_amounts_that_are_no_bounded_integers_are_refused_by_name(
    house: House, path: str
) -> None:
    before = await state(house)
    for field in INTEGERS[path]:
        wrong = [*NOT_INTEGERS, *([0] if field in ZERO_IS_WRONG else [])]
        for value in wrong:
            if value is None and field in MAY_BE_NULL:
                continue
            answer = await send(house, path, changed(GOOD[path], field, value))
            problem = answer.json()
            assert answer.status_code == 422, (field, value, problem)
            assert problem["code"] == "invalid"
            # What only the whole order shows to be wrong is named in the sentence.
            named = problem.get("field") or problem["detail"]
            assert field.rpartition(".")[2] in named, (field, value)
    assert await state(house) == before


@pytest.mark.parametrize("path", sorted(IDS))
async def test_ids_outside_their_pattern_are_refused_by_name(house: House, path: str) -> None:
    before = await state(house)
    for field in IDS[path]:
        for value in NOT_IDS:
            if value is None and {field, f"{field}@{path}"} & MAY_BE_NULL:
                continue
            answer = await send(house, path, changed(GOOD[path], field, value))
            assert answer.status_code == 422, (field, value, answer.text)
            assert answer.json()["field"] == field.replace(".0", "[0]")
    assert await state(house) == before


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/rooms", "title"),
        ("/v1/rooms", "cover"),
        ("/v1/products", "title"),
        ("/v1/products", "category"),
        ("/v1/products", "image"),
        ("/v1/members", "name"),
        ("/v1/tickets", "name"),
    ],
)
async def test_control_characters_are_refused_by_name(house: House, path: str, field: str) -> None:
    before = await state(house)
    for text in ("a\x00b", "\x1b[2Jowned", "a\r\nb", "a\n", "\x7f"):
        answer = await send(house, path, changed(GOOD[path], field, text))
        assert (answer.status_code, answer.json()["field"]) == (422, field), text
    assert await state(house) == before


NOT_JSON = [
    b"", b"{", b"\xff\xfe", b"\x00", b"{}{}", b'{"x":NaN}', b'{"x":Infinity}', b"{'x':1}",
    b'{"x":1,}', b'{"x":"\xff"}', b'{"x":"\\ud800"}',
    b'{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
]  # fmt: skip
NOT_OBJECTS = [b"null", b"[]", b'"text"', b"1" * 60_000, b"{}"]


@pytest.mark.parametrize("path", sorted(GOOD))
async def test_bodies_that_are_no_json_object_are_refused(house: House, path: str) -> None:
    for content in NOT_JSON:
        answer = await send(house, path, content)
        found = (answer.status_code, answer.json()["code"])
        assert found == (400, "bad_request"), (content[:20], answer.text)
    for content in NOT_OBJECTS:
        answer = await send(house, path, content)
        found = (answer.status_code, answer.json()["code"])
        assert found == (422, "invalid"), (content[:20], answer.text)


@pytest.mark.parametrize("path", sorted(GOOD))
async def test_a_missing_field_is_named_and_unknown_ones_are_ignored(
    house: House, path: str
) -> None:
    required = {
        field.name
        for row in ROWS
        if row.path.replace("{room}", "r1") == path and row.body is not None
        for field in msgspec.structs.fields(row.body)
        if field.required
    }
    for name in required:
        body = {key: value for key, value in GOOD[path].items() if key != name}
        answer = await send(house, path, json.dumps(body).encode())
        assert (answer.status_code, answer.json()["field"]) == (422, name)
    body = GOOD[path] | {"unknown": {"nested": [1.5, None]}}
    answer = await send(house, path, json.dumps(body).encode())
    assert answer.status_code in (200, 201, 401), answer.text


async def test_a_checkout_of_nothing_is_told_what_to_name(house: House) -> None:
    answer = await send(house, "/v1/rooms/r1/checkouts", b"{}")
    assert (answer.status_code, answer.json()["detail"]) == (422, "Name one product, or lines.")


async def test_of_a_repeated_field_the_last_counts_everywhere(house: House) -> None:
    await send(house, "/v1/products", b'{"id":"pz","title":"t","price":3,"price":7}')
    shown = (await house.ask("GET", "/v1/rooms/r1/products")).json()["products"]
    assert {"id": "pz", "title": "t", "price": 7} in shown


async def test_bodies_over_the_bound_are_refused_unread(house: House) -> None:
    body = json.dumps(GOOD["/v1/rooms"]).encode()
    padded = body + b" " * (BODY_BYTES_MAX - len(body))
    assert (await send(house, "/v1/rooms", padded)).status_code == 201
    for content in (padded + b" ", b"x" * 1_000_000):
        answer = await send(house, "/v1/rooms", content)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1_000

    answer = await house.ask(
        "POST", "/v1/rooms", token=house.token("merchant"), content=chunks(), headers=JSON
    )
    assert answer.status_code == 413
    offer = await house.ask(
        "POST", "/v1/rooms/r1/whep", token=house.token("viewer"), content=b"v" * 70_000
    )
    assert (offer.status_code, offer.json()["code"]) == (413, "too_large")
    assert house.media.asked == []


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "x"]
)
async def test_other_content_types_are_refused(house: House, kind: str) -> None:
    answer = await house.ask(
        "POST",
        "/v1/rooms",
        token=house.token("merchant"),
        content=json.dumps(GOOD["/v1/rooms"]).encode(),
        headers={"Content-Type": kind},
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    fine = await house.ask(
        "POST",
        "/v1/rooms",
        token=house.token("merchant"),
        content=json.dumps(GOOD["/v1/rooms"]).encode(),
        headers={"Content-Type": "Application/JSON; charset=utf-8"},
    )
    assert fine.status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/rooms", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("DELETE", "/v1/rooms/r1", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/v1/orders", {"POST", "OPTIONS"}),
        ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("TRACE", "/v1/me", {"GET", "HEAD", "OPTIONS"}),
        ("BREW", "/v1/me", {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_other_methods_are_refused_with_those_allowed(
    house: House, method: str, path: str, allowed: set[str]
) -> None:
    answer = await house.ask(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v2/rooms", "/v1/rooms/r1/nothing", "/v1/rooms/r1/whip/a/b"],
)
async def test_unknown_addresses_are_problems_too(house: House, path: str) -> None:
    assert await house.refused("GET", path) == "404 not_found"


@pytest.mark.parametrize("room", ["nothing", "a%20b", "..", "%00", "r1%0A", "a" * 65, "%E5%AE%B6"])
async def test_unknown_and_impossible_rooms_are_not_found(house: House, room: str) -> None:
    token = house.token("merchant")
    for path in (f"/v1/rooms/{room}/end", f"/v1/rooms/{room}/join"):
        answer = await house.ask("POST", path, token=token)
        assert answer.status_code in (404, 405), answer.text


@pytest.mark.parametrize(
    "value",
    [
        "", "Bearer", "Bearer ", "Basic YTpi", "Token x", "Bearer a b", "bearer\tx",
        "Bearer " + "x" * 20_000, "Bearer é", "Bearer null", "Bearer ..", "Bearer a.b.c",
    ],
    ids=lambda value: value[:12],
)  # fmt: skip
async def test_other_credentials_are_refused(house: House, value: str) -> None:
    answer = await house.http.get("/v1/me", headers=[(b"Authorization", value.encode())])
    assert answer.status_code == 401
    assert answer.json()["code"] == "bad_token"
    assert answer.headers["www-authenticate"].startswith("Bearer ")


async def test_text_is_kept_as_data_and_comes_back_as_it_was(house: House) -> None:
    for number, title in enumerate(
        ["<script>alert(1)</script>", "'; drop table rooms; --", "\u202etxt", "%s{0}", "\\u0000"]
    ):
        body = {"id": f"t{number}", "title": title}
        await house.good("POST", "/v1/rooms", json=body)
        answer = await house.ask("GET", f"/v1/rooms/t{number}")
        assert answer.json()["title"] == title
        assert answer.headers["content-type"] == "application/json"


async def test_a_fault_of_ours_tells_nothing_and_is_logged(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_arguments: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(house.services.rooms, "list", broken)
    with caplog.at_level(logging.ERROR):
        answer = await house.ask("GET", "/v1/rooms")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "inside" not in answer.text
    assert (await house.ask("GET", "/healthz")).status_code == 200


def _structs() -> list[type[msgspec.Struct]]:
    modules = (gifts, health, members, problems, rooms, shop)
    return [
        member
        for module in modules
        for _name, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, msgspec.Struct) and member is not msgspec.Struct
    ]


def _unbounded(node: Any, where: str = "") -> list[str]:
    if isinstance(node, list):
        return [found for part in node for found in _unbounded(part, where)]
    if not isinstance(node, dict):
        return []
    found = []
    if node.get("type") == "integer" and not {"minimum", "maximum"} <= set(node):
        found.append(where)
    if node.get("type") == "number":
        found.append(f"{where} is a float")
    for key, value in node.items():
        found += _unbounded(value, f"{where}.{key}")
    return found


def test_every_integer_on_the_wire_has_bounds() -> None:
    structs = _structs()
    assert len(structs) > 20
    _, schemas = msgspec.json.schema_components(structs)
    assert _unbounded(schemas) == []


def test_every_text_that_comes_in_has_a_bound() -> None:
    bodies = [row.body for row in ROWS if row.body is not None]
    _, schemas = msgspec.json.schema_components(bodies)
    found = []

    def walk(node: Any, where: str) -> None:
        if isinstance(node, list):
            for part in node:
                walk(part, where)
        elif isinstance(node, dict):
            if node.get("type") == "string" and not {"maxLength", "pattern"} & set(node):
                found.append(where)
            if node.get("type") == "array" and "maxItems" not in node:
                found.append(where)
            for key, value in node.items():
                walk(value, f"{where}.{key}")

    walk({key: value for key, value in schemas.items() if "enum" not in value}, "")
    assert found == []
