"""The API answers as the contract says: rooms, entering, people, tickets, media, operators."""

from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import msgspec
import pytest

from liveroom.domain.actors import Role
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.refusals import REFUSALS
from liveroom.edge.api.application import ROWS
from liveroom.edge.api.backend import Readiness
from tests.liveroom.edge.api_house import ADMIN_KEY, SECRET, House, Reply, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        yield house


async def test_a_room_is_created_shown_and_listed_to_anyone(house: House) -> None:
    made = await house.ask(
        "POST", "/v1/rooms", token=house.token("merchant"), json={"id": "r1", "title": "晚场"}
    )
    assert made.status_code == 201
    assert made.json()["merchant"] == "default"
    shown = (await house.ask("GET", "/v1/rooms/r1")).json()
    assert (shown["title"], shown["live"], shown["online"]) == ("晚场", False, 3)
    listed = (await house.ask("GET", "/v1/rooms")).json()["rooms"]
    assert [room["id"] for room in listed] == ["r1"]


async def test_the_same_room_again_is_the_same_and_another_content_is_refused(house: House) -> None:
    token = house.token("merchant")
    body = {"id": "r1", "title": "a"}
    for _ in range(2):
        assert (await house.ask("POST", "/v1/rooms", token=token, json=body)).status_code == 201
    other = body | {"title": "b"}
    assert await house.refused("POST", "/v1/rooms", token=token, json=other) == "409 exists"


async def test_a_room_belongs_to_the_body_s_merchant_else_the_token_s_else_default(
    house: House,
) -> None:
    async def merchant_of(token: str, **fields: str) -> str:
        made = await house.good("POST", "/v1/rooms", token=token, json={"title": "t"} | fields)
        return str(made["merchant"])

    assert await merchant_of(house.token("merchant"), merchant="m1") == "m1"
    assert await merchant_of(house.token("merchant", merchant="m2")) == "m2"
    assert await merchant_of(house.token("merchant")) == "default"
    assert await merchant_of(house.token("admin"), merchant="m3") == "m3"
    foreign = await house.refused(
        "POST",
        "/v1/rooms",
        token=house.token("merchant", merchant="m1"),
        json={"title": "t", "merchant": "m2"},
    )
    assert foreign == "404 not_found"


async def test_a_token_for_one_room_creates_only_that_room(house: House) -> None:
    token = house.token("merchant", room="r1")
    for body in ({"title": "t"}, {"title": "t", "id": "r2"}):
        assert await house.refused("POST", "/v1/rooms", token=token, json=body) == "403 other_room"
    await house.good("POST", "/v1/rooms", token=token, json={"title": "t", "id": "r1"})


async def test_the_admin_key_is_an_admin_for_the_merchant_of_the_header(house: House) -> None:
    await house.room("r1", merchant="m1")
    headers = {"Liveroom-Admin-Key": ADMIN_KEY}
    end = "/v1/rooms/r1/end"
    assert await house.refused("POST", end, headers=headers) == "404 no_such_room"
    headers["Liveroom-Merchant"] = "m1"
    assert (await house.ask("POST", end, headers=headers)).status_code == 200
    headers["Liveroom-Merchant"] = "m 1"
    assert await house.refused("POST", end, headers=headers) == "422 invalid"
    wrong = {"Liveroom-Admin-Key": ADMIN_KEY + "x"}
    assert await house.refused("POST", end, headers=wrong) == "401 bad_token"


async def test_the_merchant_header_means_nothing_to_others(house: House) -> None:
    await house.room("r1", merchant="m1")
    token = house.token("merchant", merchant="m2")
    headers = {"Liveroom-Merchant": "m1"}
    code = await house.refused("POST", "/v1/rooms/r1/end", token=token, headers=headers)
    assert code == "404 no_such_room"


async def test_joining_tells_all_that_a_client_needs(house: House) -> None:
    await house.room("r1")
    joined = await house.good("POST", "/v1/rooms/r1/join", token=house.token("viewer"))
    assert joined["gateway_url"] == "ws://127.0.0.1:8081/v1/ws"
    assert joined["whep_url"] == "http://127.0.0.1:8080/v1/rooms/r1/whep"
    assert joined["ice_servers"] == []
    assert {"stage", "pin", "rounds", "counters", "texts"} <= set(joined["snapshot"])
    assert joined["snapshot"]["counters"] == {"online": 3, "likes": 0, "followers": 0}
    assert set(joined["resume"]) == {"epoch", "offset", "personal"}
    assert "whip_url" not in joined
    assert "token" not in joined


async def test_only_who_may_publish_is_told_where(house: House) -> None:
    await house.room("r1")
    join = "/v1/rooms/r1/join"
    host = await house.good("POST", join, token=house.token("host"))
    assert host["whip_url"] == "http://127.0.0.1:8080/v1/rooms/r1/whip"
    guest = house.token("guest", user="bo")
    assert "whip_url" not in await house.good("POST", join, token=guest)
    await house.seat("r1", "bo")
    assert "whip_url" in await house.good("POST", join, token=guest)


async def test_a_visitor_without_a_token_gets_one_that_only_watches(house: House) -> None:
    await house.room("r1")
    joined = await house.good("POST", "/v1/rooms/r1/join", token=None)
    actor = house.tokens.verify(joined["token"], at=house.clock[0] / 1000)
    assert (actor.anonymous, actor.room, actor.role) == (True, "r1", Role.VIEWER)
    again = await house.good("POST", "/v1/rooms/r1/join", token=joined["token"])
    assert "token" not in again
    gift = {"gift": "rose", "count": 1}
    code = await house.refused(
        "POST", "/v1/rooms/r1/gifts", token=joined["token"], key="k", json=gift
    )
    assert code == "403 anonymous"


async def test_a_room_may_refuse_visitors_without_a_token(house: House) -> None:
    await house.room("r1", anonymous=False)
    assert await house.refused("POST", "/v1/rooms/r1/join") == "401 no_token"
    bad = {"Authorization": "Bearer x"}
    assert await house.refused("POST", "/v1/rooms/r1/join", headers=bad) == "401 bad_token"


async def test_a_member_is_imported_once_with_coins_and_sees_their_ledger(house: House) -> None:
    await house.room("r1")
    body = {"id": "ann", "name": "安", "age_band": "adult", "coins": 100}
    code = await house.refused("POST", "/v1/members", token=house.token("merchant"), json=body)
    assert code == "422 key_required"
    for _ in range(2):
        made = await house.good("POST", "/v1/members", json=body, key="k1")
        assert made["id"] == "ann"
    more = await house.refused(
        "POST", "/v1/members", token=house.token("merchant"), json=body, key="k2"
    )
    assert more == "409 exists"
    me = await house.good("GET", "/v1/me?room=r1", token=house.token("viewer"))
    assert (me["user"], me["coins"], me["tier"]) == ("ann", 100, "basic")
    assert me["follow"] == {"following": False, "followers": 0}
    page = await house.good("GET", "/v1/me/ledger", token=house.token("viewer"))
    assert [(line["amount"], line["balance"]) for line in page["lines"]] == [(100, 100)]


async def test_a_ticket_opens_its_page_once(house: House) -> None:
    await house.room("r1", merchant="m1")
    merchant = house.token("merchant", merchant="m1")
    pages = {"viewer": "r", "guest": "r", "host": "studio", "merchant": "board"}
    for role, page in pages.items():
        body = {"user": "bo", "role": role, "room": "r1", "name": "Bo", "ttl": 60}
        made = await house.good("POST", "/v1/tickets", token=merchant, json=body)
        address, _, ticket = made["url"].partition("#t=")
        assert address == f"http://127.0.0.1:8080/{page}/r1"
        assert ticket == made["ticket"]
        traded = await house.good("POST", "/v1/tickets/trade", token=None, json={"ticket": ticket})
        actor = house.tokens.verify(traded["token"], at=house.clock[0] / 1000)
        assert (actor.user, actor.role, actor.room, actor.tenant) == ("bo", role, "r1", "m1")
        again = await house.refused("POST", "/v1/tickets/trade", json={"ticket": ticket})
        assert again == "401 bad_ticket"


async def test_nobody_makes_a_ticket_above_themselves_or_for_another_s_room(house: House) -> None:
    await house.room("r1", merchant="m1")
    body = {"user": "bo", "role": "admin", "room": "r1"}
    own = house.token("merchant", merchant="m1")
    assert await house.refused("POST", "/v1/tickets", token=own, json=body) == "403 forbidden"
    foreign = house.token("merchant", merchant="m2")
    body["role"] = "viewer"
    code = await house.refused("POST", "/v1/tickets", token=foreign, json=body)
    assert code == "404 no_such_room"


async def test_ended_broadcasts_are_listed_with_their_reports(house: House) -> None:
    await house.room("r1", host="lei")
    assert (await house.good("POST", "/v1/rooms/r1/end"))["broadcast"] is None
    await house.services.rooms.host_live(RoomId("r1"), UserId("lei"), "s1")
    assert (await house.ask("GET", "/v1/rooms/r1")).json()["live"] is True
    house.clock[0] += 60_000
    ended = await house.good("POST", "/v1/rooms/r1/end")
    assert ended["broadcast"]["phase"] == "ended"
    assert ended["report"]["duration_ms"] == 60_000
    token = house.token("host", user="lei")
    listed = await house.good("GET", "/v1/rooms/r1/broadcasts", token=token)
    assert listed["broadcasts"] == [ended]


async def test_the_numbers_are_for_host_and_merchant(house: House) -> None:
    await house.room("r1")
    shown = await house.good("GET", "/v1/rooms/r1/numbers", token=house.token("host"))
    assert {"online", "messages_per_s", "gifts", "orders", "likes", "sessions"} <= set(shown)


# Media.


async def test_whip_hands_plain_values_to_the_media_core(house: House) -> None:
    await house.room("r1", merchant="m1")
    token = house.token("host", user="lei", merchant="m1")
    answer = await house.ask(
        "POST",
        "/v1/rooms/r1/whip",
        token=token,
        content=b"v=0",
        headers={"Content-Type": "application/sdp"},
    )
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/rooms/r/whip/s"
    assert answer.headers["etag"] == '"e"'
    assert answer.headers["content-type"] == "application/sdp"
    assert answer.headers["content-length"] == "5"
    (asked,) = house.media.asked
    assert asked["headers"]["content-type"] == "application/sdp"
    del asked["headers"]
    assert asked == {
        "kind": "whip",
        "method": "POST",
        "room": "r1",
        "user": "lei",
        "role": "host",
        "session": None,
        "body": b"v=0",
        "base_path": "/v1/rooms/r1/whip",
        "address": "127.0.0.1",
    }


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "GET", "HEAD", "PUT"])
async def test_every_verb_on_a_session_needs_a_token_and_reaches_the_media_core(
    house: House, method: str
) -> None:
    await house.room("r1")
    house.media.answer = Reply(204)
    path = "/v1/rooms/r1/whep/s1"
    assert (await house.ask(method, path)).status_code == 401
    assert house.media.asked == []
    assert (await house.ask(method, path, token=house.token("viewer"))).status_code == 204
    (asked,) = house.media.asked
    assert (asked["method"], asked["session"], asked["role"]) == (method, "s1", "viewer")


async def test_preflights_need_no_token_and_pages_from_anywhere_may_ask(house: House) -> None:
    house.media.answer = Reply(204, {"Accept-Post": "application/sdp"})
    for path in ("/v1/rooms/r1/whip", "/v1/rooms/r1/whep/s1"):
        headers = {"Origin": "https://elsewhere.example"}
        answer = await house.ask("OPTIONS", path, headers=headers)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        assert "If-Match" in answer.headers["access-control-allow-headers"]
        assert "Location" in answer.headers["access-control-expose-headers"]
        assert answer.headers["accept-post"] == "application/sdp"
        refused = await house.ask("POST", path, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("role", ["viewer", "moderator", "merchant", "admin"])
async def test_who_is_neither_host_nor_guest_cannot_publish_but_watch(
    house: House, role: str
) -> None:
    await house.room("r1")
    token = house.token(role)
    assert await house.refused("POST", "/v1/rooms/r1/whip", token=token) == "403 forbidden"
    assert house.media.asked == []
    assert (await house.ask("POST", "/v1/rooms/r1/whep", token=token)).status_code == 201


async def test_a_guest_publishes_only_with_a_seat(house: House) -> None:
    await house.room("r1")
    token = house.token("guest", user="bo")
    assert await house.refused("POST", "/v1/rooms/r1/whip", token=token) == "403 no_seat"
    await house.seat("r1", "bo")
    assert (await house.ask("POST", "/v1/rooms/r1/whip", token=token)).status_code == 201


async def test_an_anonymous_visitor_may_watch(house: House) -> None:
    await house.room("r1")
    token = (await house.good("POST", "/v1/rooms/r1/join", token=None))["token"]
    assert (await house.ask("POST", "/v1/rooms/r1/whep", token=token)).status_code == 201
    assert await house.refused("POST", "/v1/rooms/r1/whip", token=token) == "403 forbidden"


# Operators and documents.


async def test_alive_and_ready_are_two_questions(house: House) -> None:
    assert (await house.ask("GET", "/healthz")).json()["status"] == "ok"
    assert (await house.ask("GET", "/readyz")).status_code == 200
    house.readiness[0] = Readiness(ready=False, parts={"store": "does not answer"})
    answer = await house.ask("GET", "/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"] == {"store": "does not answer"}
    assert (await house.ask("GET", "/healthz")).status_code == 200


async def test_metrics_are_open_hidden_or_for_admins(house: House, tmp_path: Path) -> None:
    plain = await house.ask("GET", "/metrics")
    assert "liveroom_join_seconds_bucket" in plain.text
    wanted = {"Accept": "application/openmetrics-text; version=1.0.0"}
    assert (await house.ask("GET", "/metrics", headers=wanted)).text.endswith("# EOF\n")
    (tmp_path / "b").mkdir()
    async with open_house(tmp_path / "b", metrics="admin") as closed:
        assert await closed.refused("GET", "/metrics") == "401 no_token"
        viewer = closed.token("viewer")
        assert await closed.refused("GET", "/metrics", token=viewer) == "403 forbidden"
        headers = {"Liveroom-Admin-Key": ADMIN_KEY}
        assert (await closed.ask("GET", "/metrics", headers=headers)).status_code == 200
    (tmp_path / "c").mkdir()
    async with open_house(tmp_path / "c", metrics="off") as off:
        assert await off.refused("GET", "/metrics") == "404 not_found"


async def test_the_openapi_document_describes_every_route(house: House) -> None:
    document = (await house.ask("GET", "/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    described = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    served = {
        (str(method), route.path_format)
        for route in house.app.routes
        for method in getattr(route, "methods", ())
        if str(method) in ("POST", "GET") and route.path_format.startswith(("/v1", "/healthz"))
    }
    media = {pair for pair in served if "/whip" in pair[1] or "/whep" in pair[1]}
    assert served - media <= described
    assert ("POST", "/v1/rooms/{room}/whip") in described
    names = set(document["components"]["schemas"])
    references = _references(document)
    assert references
    assert {name.removeprefix("#/components/schemas/") for name in references} <= names


def _references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(_references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(_references(value) for value in node))
    return set()


async def test_the_page_of_documents_names_every_code_and_runs_no_script(house: House) -> None:
    answer = await house.ask("GET", "/docs")
    assert all(f"id={code}" in answer.text for code in REFUSALS)
    assert "<script" not in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]


# Origins.


async def test_only_listed_origins_may_ask_with_a_browser(tmp_path: Path) -> None:
    async with open_house(tmp_path, origins=("https://shop.example",)) as house:
        await house.room("r1")
        path = "/v1/rooms/r1/join"
        for origin in ("https://shop.example", "http://127.0.0.1:8080", "http://localhost:8080"):
            answer = await house.ask("POST", path, headers={"Origin": origin})
            assert answer.status_code == 200
            assert answer.headers["access-control-allow-origin"] == origin
            assert answer.headers["vary"] == "Origin"
            preflight = await house.ask("OPTIONS", path, headers={"Origin": origin})
            assert preflight.status_code == 204
            assert "Idempotency-Key" in preflight.headers["access-control-allow-headers"]
        for origin in ("https://evil.example", "null", "https://shop.example.evil", "http://x:80"):
            answer = await house.ask("POST", path, headers={"Origin": origin})
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
        assert (await house.ask("POST", path)).status_code == 200


async def test_listed_origins_hold_for_media_too(tmp_path: Path) -> None:
    async with open_house(tmp_path, origins=("https://shop.example",)) as house:
        await house.room("r1")
        path, token = "/v1/rooms/r1/whep", house.token("viewer")
        mine = await house.ask(
            "POST", path, token=token, headers={"Origin": "https://shop.example"}
        )
        assert mine.headers["access-control-allow-origin"] == "https://shop.example"
        assert "Location" in mine.headers["access-control-expose-headers"]
        other = await house.ask("POST", path, token=token, headers={"Origin": "https://evil"})
        assert "access-control-allow-origin" not in other.headers


async def test_every_answer_is_fenced(house: House) -> None:
    for path in ("/healthz", "/v1/rooms", "/nothing", "/v1/me", "/docs"):
        answer = await house.ask("GET", path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_an_expired_token_says_so_and_how_to_authenticate(house: House) -> None:
    token = house.token("viewer", ttl_s=10)
    house.clock[0] += 11_000
    answer = await house.ask("GET", "/v1/me", token=token)
    assert answer.json()["code"] == "expired"
    assert answer.headers["www-authenticate"] == 'Bearer realm="liveroom", error="invalid_token"'
    assert (await house.ask("GET", "/v1/me")).headers["www-authenticate"] == (
        'Bearer realm="liveroom"'
    )


async def test_a_token_of_a_plain_library_is_taken(house: House) -> None:
    await house.room("r1")
    claims = {"sub": "u", "room": "r1", "role": "viewer", "exp": house.clock[0] // 1000 + 9}
    token = jwt.encode(claims, SECRET, algorithm="HS256")
    assert (await house.ask("POST", "/v1/rooms/r1/join", token=token)).status_code == 200


async def test_an_anonymous_visitor_has_a_card_but_no_wallet(house: House) -> None:
    await house.room("r1")
    token = (await house.good("POST", "/v1/rooms/r1/join", token=None))["token"]
    me = await house.good("GET", "/v1/me", token=token)
    assert (me["anonymous"], me["coins"]) == (True, None)
    assert await house.refused("GET", "/v1/me/ledger", token=token) == "403 anonymous"


async def test_every_answer_is_what_the_documents_say(house: House) -> None:
    """Decode real answers strictly into the types that /openapi.json shows."""
    await house.room("r1", host="lei", cover="https://x/c.png", planned_at=1)
    await house.member("ann", coins=5)
    await house.services.rooms.host_live(RoomId("r1"), UserId("lei"), "s1")
    answers = {(row.method, row.path): row.answer for row in ROWS}
    host, viewer = house.token("host", user="lei"), house.token("viewer")
    for path, token in (
        ("/healthz", None),
        ("/readyz", None),
        ("/v1/rooms", None),
        ("/v1/rooms/r1", None),
        ("/v1/rooms/r1/broadcasts", host),
        ("/v1/rooms/r1/numbers", host),
        ("/v1/rooms/r1/products", None),
        ("/v1/me?room=r1", viewer),
        ("/v1/me/ledger", viewer),
        ("/v1/gifts", None),
    ):
        answer = await house.ask("GET", path, token=token)
        template = path.partition("?")[0].replace("r1", "{room}")
        wanted = answers["GET", template]
        shown = msgspec.json.decode(answer.content, type=wanted)
        again = msgspec.json.decode(msgspec.json.encode(shown))
        assert again == answer.json(), f"{path} answers more or less than it documents"
