"""Thieves at a real server: races, forged notices, other people's things; the sums stay zero."""

import asyncio
import itertools
import json
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from liveroom.demo.payments import PaymentSandbox, sign
from tests.server import RunningServer, environment_for, running

pytestmark = pytest.mark.slow

SHARED = "a key that only shop and provider know"
PRICE = 77_123
"""A price that appears nowhere by chance."""
TWINS = 50
COINS = 9
HEARD_WITHIN_S = 10.0


class Thief:
    """Asks with anybody's token, as fast as it likes."""

    def __init__(self, server: RunningServer, http: httpx.AsyncClient, database: Path) -> None:
        self.server = server
        self._http = http
        self._database = database

    async def ask(
        self, method: str, path: str, *who: str, key: str | None = None, **asked: Any
    ) -> httpx.Response:
        """Ask as (user, role, room, merchant), as much of them as is said."""
        user, role, room, merchant = (*who, *("thief", "viewer", "*", "")[len(who) :])
        claims = {"merchant": merchant} if merchant else {}
        headers = {"Authorization": f"Bearer {self.server.token(user, role, room, **claims)}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self._http.request(method, path, headers=headers, **asked)

    async def notice(
        self, secret: str = SHARED, at_s: int = 0, **fields: Any
    ) -> tuple[int, str | None]:
        """Report a payment; tell the status and the order or the code."""
        body = json.dumps({"outcome": "paid", **fields}).encode()
        headers = {
            "Content-Type": "application/json",
            "Liveroom-Signature": sign(secret, body, at=int(time.time()) + at_s),
        }
        answer = await self._http.post("/v1/payments/notice", content=body, headers=headers)
        return answer.status_code, answer.json().get("code") or answer.json().get("order")

    async def buy(self, user: str, key: str = "k") -> httpx.Response:
        """Open a checkout of one."""
        path, body = "/v1/rooms/r1/checkouts", {"product": "lip", "quantity": 1}
        return await self.ask("POST", path, user, key=key, json=body)

    async def stock(self, amount: int) -> None:
        """Put the product on the shelf."""
        body = {"id": "lip", "title": "Lip", "price": PRICE, "stock": amount}
        answer = await self.ask("POST", "/v1/products", "boss", "merchant", json=body)
        assert answer.is_success, answer.text

    async def member(self, user: str, coins: int = 0) -> None:
        """Import an adult."""
        await asyncio.to_thread(self.server.member, user, coins=coins)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the database beside the server."""
        with sqlite3.connect(f"file:{self._database}?mode=ro", uri=True) as database:
            return database.execute(query).fetchall()

    def check_books(self) -> None:
        """See sums of zero, no wallet below its floor, and event numbers without a gap."""
        assert self.rows("select bundle from ledger_lines group by bundle having sum(amount)") == []
        assert (
            self.rows("select id from accounts where floor is not null and balance < floor") == []
        )
        for (room,) in self.rows("select distinct room from events where n is not null"):
            asked = f"select n from events where room = '{room}' and n is not null order by n"
            numbers = [row[0] for row in self.rows(asked)]
            assert numbers == list(range(1, len(numbers) + 1))


@pytest_asyncio.fixture
async def thief(tmp_path: Path) -> AsyncIterator[Thief]:
    numbers = itertools.count(1)
    async with AsyncExitStack() as stack:
        provider = PaymentSandbox(SHARED, "http://127.0.0.1:9/none", lambda: f"pay{next(numbers)}")
        await provider.start()
        stack.push_async_callback(provider.stop)
        settings = {"LIVEROOM_PAYMENTS": provider.url, "LIVEROOM_PAYMENT_SECRET": SHARED}
        context = running(environment_for(tmp_path) | settings, tmp_path / "server.log")
        server = await asyncio.to_thread(context.__enter__)
        stack.push_async_callback(asyncio.to_thread, context.__exit__, None, None, None)
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=server.base, timeout=30))
        await asyncio.to_thread(server.room, "r1")
        await asyncio.to_thread(lambda: server.room("other", merchant="other-shop"))
        made = Thief(server, http, tmp_path / "liveroom.db")
        yield made
        made.check_books()


GIFTS = "/v1/rooms/r1/gifts"
SHELF = "select balance from accounts where id = 'shop:stock/lip:shelf'"
ROSE = {"gift": "rose", "count": 1}


async def test_one_command_told_fifty_times_at_once_is_one_gift(thief: Thief) -> None:
    await thief.member("g", coins=COINS)
    asks = [thief.ask("POST", GIFTS, "g", key="same", json=ROSE) for _ in range(TWINS)]
    answers = await asyncio.gather(*asks)
    found = Counter((answer.status_code, answer.json().get("n")) for answer in answers)
    assert set(found) <= {(200, 1), (429, None)}, found
    assert found[200, 1] > 1
    assert thief.rows("select count(*) from bundles where cause = 'gift:rose'") == [(1,)]
    other = await thief.ask("POST", GIFTS, "g", key="same", json=ROSE | {"count": 2})
    while other.status_code == 429:
        await asyncio.sleep(float(other.headers["retry-after"]))
        other = await thief.ask("POST", GIFTS, "g", key="same", json=ROSE | {"count": 2})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


async def test_gifts_at_once_never_exceed_the_wallet(thief: Thief) -> None:
    await thief.member("g", coins=COINS)
    async with connect(thief.server.gateway) as socket:
        hello = {"t": "hello", "token": thief.server.token("g"), "room": "r1"}
        await socket.send(json.dumps(hello))
        await socket.recv()
        for number in range(20):
            await socket.send(json.dumps({"t": "gift", "id": f"w{number}", **ROSE}))
        keys = [f"h{number}" for number in range(20)]
        over_http = [thief.ask("POST", GIFTS, "g", key=key, json=ROSE) for key in keys]
        answers = await asyncio.gather(*over_http)
        codes = Counter(answer.json().get("code", "ok") for answer in answers)
        async with asyncio.timeout(HEARD_WITHIN_S):
            while sum(codes.values()) < 40:
                message = json.loads(await socket.recv())
                if message["t"] in ("ok", "no"):
                    codes[message.get("code", "ok")] += 1
    assert codes["ok"] == COINS, codes
    assert set(codes) <= {"ok", "not_enough_coins", "rate"}
    me = await thief.ask("GET", "/v1/me", "g")
    assert me.json()["coins"] == 0


async def test_the_last_unit_is_sold_to_one_and_paid_once(thief: Thief) -> None:
    await thief.stock(1)
    users = [f"b{number}" for number in range(12)]
    for user in users:
        await thief.member(user)
    answers = await asyncio.gather(*[thief.buy(user) for user in users])
    codes = Counter(answer.json().get("code", "ok") for answer in answers)
    assert codes == {"ok": 1, "out_of_stock": 11}
    (bought,) = [answer.json() for answer in answers if answer.is_success]
    good = {name: bought[name] for name in ("payment", "order", "amount")}
    lies: list[tuple[dict[str, Any], int]] = [
        ({"secret": "x" * 40}, 401),
        ({"at_s": -301}, 401),
        ({"at_s": 301}, 401),
        ({"amount": 1}, 422),
        ({"amount": -PRICE}, 422),
        ({"amount": float(PRICE)}, 422),
        ({"amount": True}, 422),
        ({"amount": str(PRICE)}, 422),
        ({"state": "failed"}, 422),
        ({"order": "another"}, 404),
        ({"payment": "another"}, 404),
    ]
    for lie, status in lies:
        assert (await thief.notice(**(good | lie)))[0] == status, lie
    assert thief.rows("select * from orders") == []
    told = await asyncio.gather(*[thief.notice(**good) for _ in range(10)])
    assert set(told) == {(200, bought["order"])}
    assert await thief.notice(**good, outcome="failed") == (200, bought["order"])
    assert thief.rows("select count(*), sum(total) from orders") == [(1, PRICE)]
    assert thief.rows(SHELF) == [(0,)]


async def test_a_ticket_opens_once_however_many_try(thief: Thief) -> None:
    body = {"user": "t", "role": "viewer", "room": "r1"}
    issued = await thief.ask("POST", "/v1/tickets", "boss", "merchant", json=body)
    trades = [thief.ask("POST", "/v1/tickets/trade", json=issued.json() | {}) for _ in range(20)]
    statuses = Counter(answer.status_code for answer in await asyncio.gather(*trades))
    assert statuses == {200: 1, 401: 19}


async def test_another_shop_and_another_person_touch_nothing(thief: Thief) -> None:
    await thief.stock(5)
    await thief.member("ann", coins=5)
    order = (await thief.buy("ann")).json()["order"]
    stranger = ("boss", "merchant", "*", "other-shop")
    line = {"product": "lip", "quantity": 1, "unit_price": 1}
    paid = {"id": "o", "user": "ann", "room": "r1", "lines": [line], "paid_at": 1}
    ticket = {"user": "t", "role": "viewer", "room": "r1"}
    for method, path, body in (
        ("POST", "/v1/orders", paid),
        ("POST", "/v1/tickets", ticket),
        ("POST", "/v1/rooms/r1/end", None),
        ("POST", "/v1/rooms/r1/join", None),
        ("GET", "/v1/rooms/r1/numbers", None),
        ("GET", "/v1/rooms/r1/broadcasts", None),
        ("GET", "/v1/me?room=r1", None),
    ):
        answer = await thief.ask(method, path, *stranger, key="k", json=body)
        assert answer.status_code == 404, (path, answer.text)
    for who, room in (("bob", "r1"), ("ann", "other")):
        async with connect(thief.server.gateway) as socket:
            token = thief.server.token(who)
            await socket.send(json.dumps({"t": "hello", "token": token, "room": room}))
            await socket.recv()
            cancel = {"t": "ask", "id": "c", "do": "cancel_checkout", "with": {"order": order}}
            await socket.send(json.dumps(cancel))
            async with asyncio.timeout(HEARD_WITHIN_S):
                while (answer := json.loads(await socket.recv())).get("id") != "c":
                    pass
            assert answer["code"] == "no_such_order"
    assert thief.rows("select state from checkouts") == [("pending",)]
    assert thief.rows(SHELF) == [(4,)]


async def test_what_somebody_spends_is_told_to_nobody_else(thief: Thief) -> None:
    await thief.stock(5)
    await thief.member("ann", coins=COINS)
    roles = ("host", "viewer", "guest", "moderator", "merchant", "admin")
    async with AsyncExitStack() as stack:
        sockets = {}
        for role in roles:
            socket = await stack.enter_async_context(connect(thief.server.gateway))
            token = thief.server.token(f"a-{role}", role)
            await socket.send(json.dumps({"t": "hello", "token": token, "room": "r1"}))
            await socket.recv()
            sockets[role] = socket
        for number in range(2):
            bought = (await thief.buy("ann", key=f"k{number}")).json()
            fields = {name: bought[name] for name in ("payment", "order", "amount")}
            assert (await thief.notice(**fields))[0] == 200
        await stack.enter_async_context(_in_the_room(thief, "ann"))
        await thief.ask("POST", GIFTS, "ann", key="last", json=ROSE | {"count": 2})
        for role, socket in sockets.items():
            kinds = await _kinds_until_last_gift(socket)
            assert {"order", "ritual", "gift"} <= kinds
            assert not kinds & {"receipt", "welcome_back"}, role
            assert ("recognised" in kinds) is (role == "host"), role


def _in_the_room(thief: Thief, user: str) -> Any:
    class Entered:
        async def __aenter__(self) -> None:
            self._context = connect(thief.server.gateway)
            socket = await self._context.__aenter__()
            token = thief.server.token(user)
            await socket.send(json.dumps({"t": "hello", "token": token, "room": "r1"}))
            async with asyncio.timeout(HEARD_WITHIN_S):
                while "welcome_back" not in str(await socket.recv()):
                    pass

        async def __aexit__(self, *raised: Any) -> None:
            await self._context.__aexit__(*raised)

    return Entered()


async def _kinds_until_last_gift(socket: Any) -> set[str]:
    kinds: set[str] = set()
    async with asyncio.timeout(HEARD_WITHIN_S):
        while "gift" not in kinds:
            text = str(await socket.recv())
            assert str(PRICE) not in text
            assert str(2 * PRICE) not in text
            kinds |= {event["k"] for event in json.loads(text).get("events", [])}
    return kinds
