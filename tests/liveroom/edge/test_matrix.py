"""Every route × role × ownership: a new route without a row here fails.

The expectation is written down twice, once in the API's table and once here, on purpose.
Tokens: for the room itself, for another room of the shop, of another shop, for every room
without naming a shop; and none. Nothing but 2xx may come of an allowed cell, nothing but
its refusal of a forbidden one.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from litestar.routes import HTTPRoute

from liveroom.domain.actors import Role
from tests.liveroom.edge.api_house import START_MS, House, open_house

pytestmark = pytest.mark.slow

ROOM, SHOP, ORDERED = "r1", "shop-1", "ordered"
NOTHING: Final = (
    "no_such_room", "not_found", "no_such_order", "no_such_parcel", "no_such_user", "no_such_case",
    "no_such_import",
)  # fmt: skip

ALL: Final = frozenset(str(role) for role in Role)
MERCHANTS: Final = frozenset({"merchant", "admin"})
HOST: Final = frozenset({"host"})
KEEPERS: Final = MERCHANTS | HOST | {"moderator"}
CUSTOMERS: Final = frozenset({"viewer", "guest"})


@dataclass(frozen=True)
class Cell:
    """What one route needs to be asked well, and who may ask it.

    `roles` None = anyone, token or not. `no_token` is the answer without one.
    `scoped` = another room's token is refused; `tenant` = another shop's token is.
    """

    roles: frozenset[str] | None
    body: dict[str, Any] | None = None
    key: bool = False
    scoped: bool = False
    tenant: bool = False
    no_token: int = 401
    headers: dict[str, str] = field(default_factory=dict)
    nothing: str = ""
    """The code of an allowed answer where what the path names is not there (or no more)."""
    expected: int = 2
    """First digit of an allowed answer."""
    absent: str = ""
    """The code of an allowed answer, where the path names something that is not there."""


def anyone(**changed: Any) -> Cell:
    return Cell(roles=None, **changed)


ORDER = {
    "id": "ID",
    "user": "ann",
    "room": ROOM,
    "lines": [{"product": "lip", "quantity": 1, "unit_price": 1}],
    "paid_at": START_MS,
}
WHIP = Cell(roles=HOST, scoped=True, tenant=True)
WHEP = Cell(roles=ALL, scoped=True, tenant=True)
PREFLIGHT = anyone()

MATRIX: dict[tuple[str, str], Cell] = {
    ("GET", "/healthz"): anyone(),
    ("GET", "/readyz"): anyone(),
    ("GET", "/metrics"): anyone(),
    ("GET", "/openapi.json"): anyone(),
    ("GET", "/docs"): anyone(),
    ("POST", "/v1/rooms"): Cell(
        roles=MERCHANTS,
        body={"id": ROOM, "title": ROOM, "merchant": SHOP},
        scoped=True,
        tenant=True,
    ),
    ("GET", "/v1/rooms"): anyone(),
    ("GET", "/v1/rooms/{room}"): anyone(),
    ("POST", "/v1/rooms/{room}/end"): Cell(roles=MERCHANTS, scoped=True, tenant=True),
    ("GET", "/v1/rooms/{room}/broadcasts"): Cell(roles=MERCHANTS | HOST, scoped=True, tenant=True),
    ("POST", "/v1/rooms/{room}/join"): Cell(roles=ALL, scoped=True, tenant=True, no_token=200),
    ("GET", "/v1/rooms/{room}/numbers"): Cell(roles=MERCHANTS | HOST, scoped=True, tenant=True),
    ("GET", "/v1/rooms/{room}/sessions"): Cell(roles=MERCHANTS | HOST, scoped=True, tenant=True),
    ("GET", "/v1/rooms/{room}/sessions/{session}"): Cell(
        roles=MERCHANTS | HOST, scoped=True, tenant=True
    ),
    ("PUT", "/v1/rooms/{room}/stage/{slot}"): Cell(
        roles=HOST | {"moderator"}, body={"user": "other"}, scoped=True, tenant=True
    ),
    ("DELETE", "/v1/rooms/{room}/stage/{slot}"): Cell(
        roles=HOST | {"moderator"}, scoped=True, tenant=True
    ),
    ("GET", "/v1/rooms/{room}/segments"): Cell(roles=ALL, scoped=True, tenant=True, no_token=200),
    ("GET", "/v1/rooms/{room}/replay"): Cell(roles=ALL, scoped=True, tenant=True, no_token=200),
    ("GET", "/v1/rooms/{room}/preview.jpg"): anyone(),
    ("GET", "/v1/rooms/{room}/replays/{file}"): anyone(expected=4),
    ("POST", "/v1/products"): Cell(roles=MERCHANTS, body={"id": "new", "title": "t", "price": 1}),
    ("GET", "/v1/rooms/{room}/products"): anyone(),
    ("POST", "/v1/rooms/{room}/pin"): Cell(
        roles=HOST, body={"product": "lip"}, scoped=True, tenant=True
    ),
    ("POST", "/v1/orders"): Cell(roles=MERCHANTS, body=ORDER, key=True, scoped=True, tenant=True),
    ("POST", "/v1/rooms/{room}/checkouts"): Cell(
        roles=CUSTOMERS, body={"product": "lip"}, key=True, scoped=True, tenant=True
    ),
    ("POST", "/v1/payments/notice"): anyone(expected=4),
    ("POST", "/v1/orders/{order}/refunds"): Cell(
        roles=MERCHANTS,
        body={"lines": [{"line": 0, "quantity": 1}]},
        key=True,
        scoped=True,
        tenant=True,
    ),
    ("GET", "/v1/orders/{order}/refunds"): Cell(roles=MERCHANTS, scoped=True, tenant=True),
    ("POST", "/v1/refunds/notice"): anyone(expected=4),
    ("POST", "/v1/shipments/notice"): anyone(expected=5),
    ("POST", "/v1/parcels"): Cell(
        roles=MERCHANTS, body={"member": "viewer", "title": "t"}, key=True, tenant=True
    ),
    ("GET", "/v1/parcels"): Cell(roles=MERCHANTS),
    ("PUT", "/v1/parcels/{parcel}"): Cell(roles=MERCHANTS, body={"state": "lost"}, tenant=True),
    ("GET", "/v1/me/parcels"): Cell(roles=ALL),
    ("PUT", "/v1/me/address"): Cell(
        roles=ALL, body={"name": "n", "phone": "p", "line": "l", "city": "c"}
    ),
    ("POST", "/v1/members"): Cell(roles=MERCHANTS, body={"id": "new"}),
    ("GET", "/v1/me"): Cell(roles=ALL),
    ("GET", "/v1/me/ledger"): Cell(roles=ALL),
    ("GET", "/v1/loyalty/rules"): Cell(roles=MERCHANTS),
    ("PUT", "/v1/loyalty/rules"): Cell(roles=MERCHANTS, body={"zone": "Europe/Berlin"}),
    ("POST", "/v1/loyalty/rules/preview"): Cell(
        roles=MERCHANTS, body={"silver": 1, "gold": 2, "diamond": 3}
    ),
    ("POST", "/v1/coupons"): Cell(
        roles=MERCHANTS, body={"id": "new", "title": "t", "off_fen": 100}
    ),
    ("GET", "/v1/coupons"): Cell(roles=MERCHANTS),
    ("POST", "/v1/coupons/{coupon}/give"): Cell(roles=MERCHANTS, body={"user": "bo"}, key=True),
    ("GET", "/v1/me/coupons"): Cell(roles=ALL),
    ("GET", "/v1/me/points"): Cell(roles=ALL),
    ("POST", "/v1/rooms/{room}/quote"): Cell(
        roles=CUSTOMERS, body={"lines": [{"product": "lip"}]}, scoped=True, tenant=True
    ),
    ("POST", "/v1/tickets"): Cell(
        roles=MERCHANTS,
        body={"user": "bo", "role": "viewer", "room": ROOM},
        scoped=True,
        tenant=True,
    ),
    ("POST", "/v1/tickets/trade"): anyone(body={"ticket": "none"}, expected=4),
    ("POST", "/v1/imports"): Cell(
        roles=MERCHANTS, body={"id": "new", "kind": "members", "total": 1}
    ),
    ("POST", "/v1/imports/{import}/rows"): Cell(
        roles=MERCHANTS,
        body={"first": 0, "rows": [{"line": 2, "row": {"id": "ann"}}]},
        tenant=True,
        nothing="no_such_import",
    ),
    ("GET", "/v1/imports/{import}"): Cell(roles=MERCHANTS, tenant=True, nothing="no_such_import"),
    ("GET", "/v1/coins"): anyone(),
    ("POST", "/v1/rooms/{room}/coins"): Cell(
        roles=CUSTOMERS, body={"pack": "coins-60"}, key=True, scoped=True, tenant=True
    ),
    ("POST", "/v1/coins/{order}/refund"): Cell(
        roles=MERCHANTS, body={}, key=True, tenant=True, nothing="no_such_order"
    ),
    ("POST", "/v1/cases"): Cell(
        roles=MERCHANTS,
        body={"member": "viewer", "since": 0, "until": 1, "reason": "r"},
        key=True,
        tenant=True,
    ),
    ("GET", "/v1/cases"): Cell(roles=MERCHANTS),
    ("POST", "/v1/cases/{case}/decision"): Cell(
        roles=MERCHANTS, body={"approve": True}, tenant=True, nothing="no_such_case"
    ),
    ("GET", "/v1/rooms/{room}/goal"): anyone(),
    ("POST", "/v1/rooms/{room}/goal"): Cell(
        roles=HOST, body={"title": "t", "target": 9}, scoped=True, tenant=True, nothing="goal_open"
    ),
    ("DELETE", "/v1/rooms/{room}/goal"): Cell(roles=HOST, scoped=True, tenant=True),
    ("GET", "/v1/me/earnings"): Cell(roles=HOST),
    ("GET", "/v1/gifts"): anyone(),
    ("POST", "/v1/rooms/{room}/gifts"): Cell(
        roles=CUSTOMERS, body={"gift": "rose", "count": 1}, key=True, scoped=True, tenant=True
    ),
    ("POST", "/v1/rooms/{room}/sanctions"): Cell(
        roles=KEEPERS, body={"do": "mute", "user": "new"}, scoped=True, tenant=True
    ),
    ("GET", "/v1/rooms/{room}/sanctions"): Cell(roles=KEEPERS, scoped=True, tenant=True),
    ("DELETE", "/v1/rooms/{room}/lines/{line}"): Cell(roles=KEEPERS, scoped=True, tenant=True),
    ("GET", "/v1/rooms/{room}/rules"): Cell(roles=KEEPERS, scoped=True, tenant=True),
    ("PUT", "/v1/rooms/{room}/rules"): Cell(
        roles=MERCHANTS | HOST, body={"repeats": 0}, scoped=True, tenant=True
    ),
    ("GET", "/v1/rooms/{room}/words"): Cell(roles=MERCHANTS | HOST, scoped=True, tenant=True),
    ("POST", "/v1/rooms/{room}/words"): Cell(
        roles=MERCHANTS | HOST, body={"add": [{"word": "spam"}]}, scoped=True, tenant=True
    ),
    ("GET", "/v1/words"): Cell(roles=MERCHANTS),
    ("POST", "/v1/words"): Cell(roles=MERCHANTS, body={"add": [{"word": "spam"}]}),
    ("GET", "/v1/rooms/{room}/reports"): Cell(roles=KEEPERS, scoped=True, tenant=True),
    ("POST", "/v1/rooms/{room}/reports/{line}"): Cell(
        roles=KEEPERS, body={"verdict": "dismissed"}, scoped=True, tenant=True
    ),
    ("POST", "/v1/rooms/{room}/events"): Cell(
        roles=MERCHANTS, body={"text": "hello"}, key=True, scoped=True, tenant=True
    ),
    ("GET", "/v1/rooms/{room}/snapshot"): Cell(roles=ALL, scoped=True, tenant=True),
    ("GET", "/v1/events"): anyone(expected=5),  # no gateway stands beside this API
    ("POST", "/v1/events/{stream}"): anyone(expected=5),
    ("POST", "/v1/webhooks"): Cell(
        roles=MERCHANTS,
        body={"url": "https://shop.example/", "room": ROOM},
        scoped=True,
        tenant=True,
    ),
    ("GET", "/v1/webhooks"): Cell(roles=MERCHANTS),
    ("GET", "/v1/webhooks/{webhook}"): Cell(roles=MERCHANTS, absent="no_such_webhook"),
    ("PUT", "/v1/webhooks/{webhook}"): Cell(
        roles=MERCHANTS, body={"paused": False}, absent="no_such_webhook"
    ),
    ("POST", "/v1/webhooks/{webhook}/redeliver"): Cell(roles=MERCHANTS, absent="no_such_webhook"),
    ("DELETE", "/v1/webhooks/{webhook}"): Cell(roles=MERCHANTS, absent="no_such_webhook"),
    ("GET", "/v1/rooms/{room}/audit"): Cell(roles=KEEPERS, scoped=True, tenant=True),
    **{
        (method, f"/v1/rooms/{{room}}/{kind}{session}"): cell
        for kind, cell in (("whip", WHIP), ("whep", WHEP))
        for session in ("", "/{session}")
        for method in ("POST", "PATCH", "DELETE", "GET", "HEAD", "PUT")
    },
    **{
        ("OPTIONS", f"/v1/rooms/{{room}}/{kind}{session}"): PREFLIGHT
        for kind in ("whip", "whep")
        for session in ("", "/{session}")
    },
    **{
        (method, path): anyone(expected=5)
        for path in ("/", "/r/{room}", "/studio/{room}", "/board/{room}")
        for method in ("GET", "HEAD")
    },
    **{
        (method, path): anyone(expected=4)
        for path in ("/assets/{name}", "/{name}")
        for method in ("GET", "HEAD")
    },
}

MATRIX |= {("HEAD", path): cell for (method, path), cell in MATRIX.items() if method == "GET"}
del MATRIX["HEAD", "/v1/events"]  # asking for a head must not open a visit


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        await house.room(ROOM, merchant=SHOP)
        await house.room("r2", merchant=SHOP)
        await house.room("r3", merchant="shop-2")
        shop = {"Liveroom-Merchant": SHOP}
        product = {"id": "lip", "title": "t", "price": 1}
        await house.good("POST", "/v1/products", json=product, headers=shop)
        order = {**ORDER, "id": ORDERED, "lines": [{**ORDER["lines"][0], "quantity": 9_999}]}
        await house.good("POST", "/v1/orders", json=order, key="ordered", headers=shop)
        coupon = {"id": "cup", "title": "t", "off_fen": 100, "per_member": 100}
        for headers in (shop, {"Liveroom-Merchant": "shop-2"}, {}):
            await house.good("POST", "/v1/coupons", json=coupon, headers=headers)
        for role in Role:
            await house.member(str(role), merchant=SHOP, coins=100)
        await house.seat(ROOM, "guest")
        house.media.pictures[ROOM] = b"a picture"
        yield house


def registered(house: House) -> set[tuple[str, str]]:
    """List what the app really serves; the framework's own OPTIONS aside."""
    return {
        (str(method), route.path_format)
        for route in house.app.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
        if str(method) != "OPTIONS" or "/whip" in route.path_format or "/whep" in route.path_format
    }


async def test_every_registered_route_has_its_row(house: House) -> None:
    assert registered(house) == set(MATRIX)


class Asker:
    """Asks cells of the matrix well, each time as if for the first time."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._asked = 0
        self._parcel = ""

    async def look(self) -> None:
        """Find out what the shop has."""
        shop = {"Liveroom-Merchant": SHOP}
        found = await self._house.good("GET", "/v1/parcels", headers=shop)
        self._parcel = found["parcels"][0]["id"]

    async def status(
        self, row: tuple[str, str], token: str | None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Ask a route; return the status and, of a refusal, the code."""
        method, path = row
        cell = MATRIX[row]
        self._asked += 1
        kwargs: dict[str, Any] = {}
        if cell.body is not None:
            kwargs["json"] = {
                name: f"id{self._asked}" if value in ("ID", "new") else value
                for name, value in cell.body.items()
            }
        if cell.key:
            kwargs["key"] = f"key{self._asked}"
        given = {"room": ROOM, "session": "s", "slot": "2", "name": "x.js", "line": "line1"}
        given |= {
            "coupon": "cup",
            "webhook": "hook1",
            "order": ORDERED,
            "parcel": self._parcel,
            "case": "case1",
            "import": "import1",
        }
        address = path
        for name, value in given.items():
            address = address.replace(f"{{{name}}}", value)
        answer = await self._house.ask(
            method, address, token=token, headers=headers or {}, **kwargs
        )
        is_problem = answer.headers.get("content-type") == "application/problem+json"
        code = answer.json()["code"] if is_problem and method != "HEAD" else ""
        return answer.status_code, code


def wanted(row: tuple[str, str], role: str, *, shop: str, room: str) -> set[tuple[int, str]]:
    """Say which statuses and codes a token may get; `shop` and `room` are own or other."""
    cell = MATRIX[row]
    allowed = {(404, cell.absent)} if cell.absent else {(cell.expected, "")}
    if cell.roles is None:
        return allowed
    seated = role == "guest" and "/whip" in row[1]
    is_role = role in cell.roles or seated
    names_room = "{room}" in row[1]
    if shop == "other" and names_room:
        return {(404, "no_such_room")}
    if room == "other" and names_room:
        return {(403, "other_room")}
    if not is_role:
        return {(403, "forbidden")}
    if shop == "other" and cell.tenant:  # the body names what belongs to the own shop
        nothing = (
            "no_such_room",
            "not_found",
            "no_such_order",
            "no_such_parcel",
            "no_such_user",
            "no_such_case",
            "no_such_import",
        )
        return {(404, code) for code in nothing}
    if room == "other" and cell.scoped:
        return {(403, "other_room")}
    if shop == "other":  # a token whose room is not its shop's may find nothing
        allowed.add((404, "no_such_room"))
    return allowed


def is_wanted(row: tuple[str, str], found: tuple[int, str], may: set[tuple[int, str]]) -> bool:
    status, code = found
    for wanted_status, wanted_code in may:
        if wanted_status < 10 and status // 100 == wanted_status:
            return MATRIX[row].roles is None or code == ""
        if wanted_status < 10 and MATRIX[row].nothing and status // 100 == 4:
            return row[0] == "HEAD" or code == MATRIX[row].nothing
        if status == wanted_status and (row[0] == "HEAD" or code == wanted_code):
            return True
    return False


async def mismatches(
    house: House, *, shop: str, room: str, tokens: list[dict[str, Any]]
) -> list[tuple[Any, ...]]:
    """Ask every route with every role and every token; list what was not as wanted."""
    asker, wrong = Asker(house), []
    await asker.look()
    for row in ROWS:
        if "/whip" in row[1]:
            await house.seat(ROOM, "guest")  # an allowed `end` has cleared the stage
        for role in sorted(ALL):
            may = wanted(row, role, shop=shop, room=room)
            for claims in tokens:
                token = house.token(role, user=role, **claims)
                found = await asker.status(row, token)
                if not is_wanted(row, found, may):
                    wrong.append((*row, role, claims, found, may))
    return wrong


ROWS = sorted(MATRIX)


async def test_without_a_token(house: House) -> None:
    asker, wrong = Asker(house), []
    await asker.look()
    for row in ROWS:
        cell = MATRIX[row]
        may = {(cell.expected, "")} if cell.roles is None else {(cell.no_token, "no_token")}
        if cell.no_token == 200:
            may = {(2, "")}
        found = await asker.status(row, None)
        if not is_wanted(row, found, may):
            wrong.append((*row, found, may))
    assert wrong == []


async def test_each_role_in_the_own_room(house: House) -> None:
    tokens = [
        {"room": ROOM, "merchant": SHOP},
        {"room": "*", "merchant": SHOP},
    ]
    assert await mismatches(house, shop="own", room="own", tokens=tokens) == []


async def test_a_token_without_a_shop_means_the_room_s(house: House) -> None:
    wrong = await mismatches(house, shop="own", room="own", tokens=[{"room": ROOM}])
    assert [miss for miss in wrong if miss[2] != "admin"] == []
    assert {miss[4][0] for miss in wrong} == {404}, "an admin acts for the default shop"


async def test_each_role_with_a_token_of_another_room(house: House) -> None:
    tokens = [{"room": "r2", "merchant": SHOP}]
    before = await shop_state(house)
    assert await mismatches(house, shop="own", room="other", tokens=tokens) == []
    after = await shop_state(house)
    assert after[1:] == before[1:], "another room's token changed something in this one"


async def test_each_role_with_a_token_of_another_shop(house: House) -> None:
    tokens = [{"room": room, "merchant": "shop-2"} for room in ("*", "r3", ROOM)]
    before = await shop_state(house)
    assert await mismatches(house, shop="other", room="own", tokens=tokens) == []
    assert await shop_state(house) == before, "another shop's token changed something here"


async def test_an_admin_without_a_shop_acts_only_for_the_header_s(house: House) -> None:
    asker, asked = Asker(house), 0
    await asker.look()
    token = house.token("admin", user="admin")
    for row in ROWS:
        cell = MATRIX[row]
        if cell.roles is None or "admin" not in cell.roles or not cell.tenant:
            continue
        asked += 1
        status, code = await asker.status(row, token, {"Liveroom-Merchant": SHOP})
        may = {(cell.expected, ""), *({(404, cell.absent)} if cell.absent else ())}
        assert is_wanted(row, (status, code), may), (row, status, code)
        if row != ("POST", "/v1/rooms"):  # there the body names the shop
            assert (await asker.status(row, token))[0] == 404, row
    assert asked > 10


async def shop_state(house: House) -> list[Any]:
    """Read everything of the shop that somebody else might have changed."""
    headers = {"Liveroom-Merchant": SHOP}
    viewer = house.token("viewer", user="viewer", merchant=SHOP)
    return [
        (await house.ask("GET", f"/v1/rooms/{ROOM}/products")).json(),
        (await house.ask("GET", "/v1/rooms")).json(),
        await house.good("GET", f"/v1/rooms/{ROOM}/numbers", headers=headers),
        await house.good("GET", "/v1/me/ledger", token=viewer),
        len([asked for asked in house.media.asked if asked["method"] != "OPTIONS"]),
    ]
