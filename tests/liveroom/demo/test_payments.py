"""The sandbox provider over real HTTP: signed opening, settling, a notice until it is taken."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from liveroom.demo.payments import SIGNATURE_HEADER, PaymentSandbox, is_genuine, sign

SECRET = "a key that the shop and the provider share"


class Shop:
    """Takes notices on a real port; refuses the first `refusals` of them."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.notices: list[tuple[bytes, str]] = []
        self.taken = asyncio.Event()
        self.url = ""

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1/payments/notice"
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        body = await reader.readexactly(int(headers["content-length"]))
        self.notices.append((body, headers[SIGNATURE_HEADER.lower()]))
        refused = len(self.notices) <= self.refusals
        status = "503 Unavailable" if refused else "204 No Content"
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()
        if not refused:
            self.taken.set()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    server = await shop.start()
    yield shop
    server.close()
    await server.wait_closed()


@pytest.fixture
async def sandbox(shop: Shop) -> AsyncIterator[PaymentSandbox]:
    numbers = itertools.count(1)
    sandbox = PaymentSandbox(SECRET, shop.url, lambda: f"pay-{next(numbers)}")
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


async def _open(sandbox: PaymentSandbox, secret: str = SECRET, **fields: object) -> httpx.Response:
    body = msgspec.json.encode({"order": "o-1", "amount": 9900, "title": "茶", **fields})
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"{sandbox.url}/payments",
            content=body,
            headers={SIGNATURE_HEADER: sign(secret, body, at=int(time.time()))},
        )


async def test_a_settled_payment_is_reported_with_a_signature_the_shop_can_check(
    sandbox: PaymentSandbox, shop: Shop
) -> None:
    opened = (await _open(sandbox)).json()

    async with httpx.AsyncClient() as http:
        paid = await http.post(opened["pay_url"], headers={"Origin": "http://127.0.0.1:8080"})
    await asyncio.wait_for(shop.taken.wait(), 5)

    assert paid.json()["state"] == "paid"
    assert paid.headers["access-control-allow-origin"] == "*"
    body, signature = shop.notices[0]
    assert is_genuine(SECRET, body, signature, at=int(time.time()))
    assert msgspec.json.decode(body) == {
        "payment": opened["id"],
        "order": "o-1",
        "amount": 9900,
        "outcome": "paid",
    }


async def test_a_notice_is_repeated_until_the_shop_takes_it(
    sandbox: PaymentSandbox, shop: Shop
) -> None:
    shop.refusals = 1
    opened = (await _open(sandbox)).json()

    async with httpx.AsyncClient() as http:
        await http.post(opened["pay_url"])
    await asyncio.wait_for(shop.taken.wait(), 5)

    assert len(shop.notices) == 2
    assert shop.notices[0][0] == shop.notices[1][0]


async def test_paying_twice_is_paying_once(sandbox: PaymentSandbox, shop: Shop) -> None:
    opened = (await _open(sandbox)).json()

    async with httpx.AsyncClient() as http:
        await http.post(opened["pay_url"])
        again = await http.post(opened["pay_url"])
    await asyncio.wait_for(shop.taken.wait(), 5)

    assert again.json()["state"] == "paid"
    assert len(shop.notices) == 1


async def test_the_same_order_opens_the_same_payment(sandbox: PaymentSandbox) -> None:
    assert (await _open(sandbox)).json()["id"] == (await _open(sandbox)).json()["id"]


async def test_an_opening_with_another_key_is_refused(sandbox: PaymentSandbox) -> None:
    reply = await _open(sandbox, secret="somebody else's key, long enough too")

    assert reply.status_code == 401


@pytest.mark.parametrize("amount", [0, -1, 1.5, "9900", None])
async def test_an_amount_that_is_no_positive_integer_is_refused(
    sandbox: PaymentSandbox, amount: object
) -> None:
    assert (await _open(sandbox, amount=amount)).status_code == 422


async def test_an_unknown_payment_cannot_be_settled(sandbox: PaymentSandbox) -> None:
    async with httpx.AsyncClient() as http:
        assert (await http.post(f"{sandbox.url}/pay/nothing")).status_code == 404


@pytest.mark.parametrize(
    "header", ["", "t=,v1=", "t=abc,v1=00", "v1=00", "t=99999999999999999999,v1=00"]
)
def test_a_malformed_signature_is_not_genuine(header: str) -> None:
    assert not is_genuine(SECRET, b"{}", header, at=1_000)


def test_an_old_signature_is_not_genuine() -> None:
    assert is_genuine(SECRET, b"{}", sign(SECRET, b"{}", at=1_000), at=1_300)
    assert not is_genuine(SECRET, b"{}", sign(SECRET, b"{}", at=1_000), at=1_301)
