"""Money over REST: once per key, exact, refused whole; the provider is believed only signed."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from liveroom.domain.ids import OrderId
from liveroom.domain.refusals import Refused
from liveroom.edge.notices import sign
from liveroom.edge.payments import HttpPayments
from tests.liveroom.edge.api_house import PAYMENT_SECRET, START_MS, House, open_house

PRODUCT = {"id": "lip", "title": "口红", "price": 9_900, "stock": 5}
NOTICE = "/v1/payments/notice"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        await house.room("r1")
        await house.good("POST", "/v1/products", json=PRODUCT)
        yield house


def order(number: int = 1, **changed: Any) -> dict[str, Any]:
    line = {"product": "lip", "quantity": 1, "unit_price": 9_900}
    body = {"id": f"o{number}", "user": "ann", "room": "r1", "lines": [line], "paid_at": START_MS}
    return body | changed


async def numbers(house: House) -> dict[str, Any]:
    found: dict[str, Any] = await house.good("GET", "/v1/rooms/r1/numbers")
    return found


async def test_a_product_is_put_by_id_and_sold_in_the_rooms_of_its_shop(house: House) -> None:
    await house.good("POST", "/v1/products", json=PRODUCT | {"price": 8_800})
    shown = (await house.ask("GET", "/v1/rooms/r1/products")).json()
    assert shown == {"products": [PRODUCT | {"price": 8_800}]}
    await house.room("r2", merchant="m2")
    assert (await house.ask("GET", "/v1/rooms/r2/products")).json() == {"products": []}


async def test_the_host_pins_and_takes_down(house: House) -> None:
    host = house.token("host")
    pinned = await house.good("POST", "/v1/rooms/r1/pin", token=host, json={"product": "lip"})
    assert pinned["product"]["price"] == 9_900
    joined = await house.good("POST", "/v1/rooms/r1/join", token=None)
    assert joined["snapshot"]["pin"]["id"] == "lip"
    down = await house.good("POST", "/v1/rooms/r1/pin", token=host, json={"product": None})
    assert down == {"product": None}
    code = await house.refused("POST", "/v1/rooms/r1/pin", token=host, json={"product": "nothing"})
    assert code == "404 no_such_product"


async def test_an_order_is_recorded_once_per_key(house: House) -> None:
    for _ in range(3):
        receipt = await house.good("POST", "/v1/orders", json=order(), key="k1")
        assert receipt == {"id": "o1", "total": 9_900, "nth": 1, "tier": "basic"}
    merchant = house.token("merchant")
    other = order(2)
    code = await house.refused("POST", "/v1/orders", token=merchant, json=other, key="k1")
    assert code == "422 idempotency_mismatch"
    assert (await numbers(house))["orders"] == 1
    reordered = json.dumps(dict(reversed(order().items())), indent=3)
    again = await house.ask(
        "POST",
        "/v1/orders",
        token=merchant,
        key="k1",
        content=reordered,
        headers={"Content-Type": "application/json"},
    )
    assert again.is_success, "the decoded command counts, not its bytes"


@pytest.mark.parametrize("key", [None, "", " ", "k" * 256, "é", "a\tb"])
async def test_a_paid_order_needs_a_usable_key(house: House, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key.encode()}
    answer = await house.http.post(
        "/v1/orders",
        json=order(),
        headers=[
            (b"Authorization", f"Bearer {house.token('merchant')}".encode()),
            *((name.encode(), value) for name, value in headers.items()),
        ],
    )
    assert answer.json()["code"] == "key_required"
    assert (await numbers(house))["orders"] == 0


async def test_an_order_for_another_shop_s_room_is_not_found(house: House) -> None:
    foreign = house.token("merchant", merchant="m2")
    code = await house.refused("POST", "/v1/orders", token=foreign, json=order(), key="k")
    assert code == "404 no_such_room"
    limited = house.token("merchant", room="r9")
    code = await house.refused("POST", "/v1/orders", token=limited, json=order(), key="k")
    assert code == "403 other_room"


async def test_a_gift_moves_coins_once_and_says_what_is_left(house: House) -> None:
    await house.member("ann", coins=1_000)
    gift = {"gift": "rocket", "count": 1}
    path, token = "/v1/rooms/r1/gifts", house.token("viewer")
    first = await house.good("POST", path, token=token, json=gift, key="g1")
    assert first["coins_left"] == 500
    assert await house.good("POST", path, token=token, json=gift, key="g1") == first
    second = await house.good("POST", path, token=token, json=gift, key="g2")
    assert (second["n"], second["coins_left"]) == (first["n"] + 1, 0)
    for _ in range(2):
        code = await house.refused("POST", path, token=token, json=gift, key="g3")
        assert code == "409 not_enough_coins"
    unknown = {"gift": "moon", "count": 1}
    code = await house.refused("POST", path, token=token, json=unknown, key="g4")
    assert code == "404 no_such_gift"
    assert (await numbers(house))["gifts"] == 2


async def test_gifts_over_the_rate_are_refused_with_the_time_to_wait(house: House) -> None:
    await house.member("ann", coins=1_000)
    path, token, rose = "/v1/rooms/r1/gifts", house.token("viewer"), {"gift": "rose", "count": 1}
    for number in range(20):
        await house.good("POST", path, token=token, json=rose, key=f"k{number}")
    answer = await house.ask("POST", path, token=token, json=rose, key="k20")
    assert (answer.status_code, answer.json()["code"]) == (429, "rate")
    assert answer.json()["retry_ms"] == 50
    assert answer.headers["retry-after"] == "1"
    other = house.token("viewer", user="bo", age_band=None)
    assert await house.refused("POST", path, token=other, json=rose, key="k") == (
        "403 age_unconfirmed"
    )
    house.clock[0] += 50
    receipt = await house.good("POST", path, token=token, json=rose, key="k20")
    assert receipt["coins_left"] == 1_000 - 21


async def test_people_of_unknown_age_do_not_pay(house: House) -> None:
    token = house.token("viewer", user="kid", age_band=None)
    gift = {"gift": "rose", "count": 1}
    code = await house.refused("POST", "/v1/rooms/r1/gifts", token=token, json=gift, key="k")
    assert code == "403 age_unconfirmed"


async def test_the_catalogue_of_gifts_is_public(house: House) -> None:
    gifts = {row["id"]: row for row in (await house.ask("GET", "/v1/gifts")).json()["gifts"]}
    assert gifts["rose"]["coins"] == 1
    assert gifts["rocket"]["coins"] == 500
    assert gifts["rose"]["names"]["zh"] == "玫瑰"


async def bought(house: House, key: str = "c1") -> dict[str, Any]:
    path = "/v1/rooms/r1/checkouts"
    body = {"product": "lip", "quantity": 2}
    found: dict[str, Any] = await house.good(
        "POST", path, token=house.token("viewer"), json=body, key=key
    )
    return found


async def notice(
    house: House, body: dict[str, Any], *, signature: str | None = None
) -> httpx.Response:
    raw = json.dumps(body).encode()
    header = signature or sign(PAYMENT_SECRET, raw, at=house.clock[0] // 1000)
    return await house.ask("POST", NOTICE, content=raw, headers={"Liveroom-Signature": header})


async def test_a_checkout_becomes_an_order_when_the_provider_says_so_and_only_once(
    house: House,
) -> None:
    checkout = await bought(house)
    assert checkout["amount"] == 19_800
    assert checkout["pay_url"].endswith(checkout["order"])
    assert await bought(house) == checkout
    assert (await numbers(house))["orders"] == 0
    body = {key: checkout[key] for key in ("payment", "order", "amount")}
    for word in ("state", "outcome", "state"):
        answer = await notice(house, body | {word: "paid"})
        assert answer.status_code == 200, answer.text
    assert (await numbers(house))["orders"] == 1
    shown = (await house.ask("GET", "/v1/rooms/r1/products")).json()["products"]
    assert shown[0]["stock"] == 3


async def test_a_notice_that_is_not_genuine_changes_nothing(house: House) -> None:
    checkout = await bought(house)
    body = {key: checkout[key] for key in ("payment", "order", "amount")} | {"state": "paid"}
    raw, at = json.dumps(body).encode(), house.clock[0] // 1000
    for signature in (
        "",
        "t=,v1=",
        f"t={at}",
        f"v1={'0' * 64}",
        f"t={at},v1={'0' * 64}",
        f"t={at},v1={'é' * 64}",
        sign("another key, also long enough to be one", raw, at=at),
        sign(PAYMENT_SECRET, raw + b" ", at=at),
        sign(PAYMENT_SECRET, raw, at=at - 301),
        sign(PAYMENT_SECRET, raw, at=at + 301),
        sign(PAYMENT_SECRET, raw, at=at).replace(f"t={at}", f"t={at - 1}"),
        f"t={'9' * 5000},v1={'0' * 64}",
    ):
        answer = await house.http.post(
            NOTICE, content=raw, headers=[(b"Liveroom-Signature", signature.encode())]
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "bad_token"), signature
    assert (await numbers(house))["orders"] == 0


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"amount": 1}, 422),
        ({"amount": 19_800.0}, 422),
        ({"amount": "19800"}, 422),
        ({"amount": -19_800}, 422),
        ({"amount": 0}, 422),
        ({"amount": True}, 422),
        ({"state": "perhaps"}, 422),
        ({"state": "paid", "outcome": "failed"}, 422),
        ({"state": None}, 422),
        ({"order": "../o"}, 422),
        ({"order": "o-unknown"}, 404),
    ],
    ids=str,
)
async def test_a_genuine_notice_about_something_else_changes_nothing(
    house: House, changed: dict[str, Any], status: int
) -> None:
    checkout = await bought(house)
    body = {key: checkout[key] for key in ("payment", "order", "amount")} | {"state": "paid"}
    answer = await notice(house, body | changed)
    assert answer.status_code == status, answer.text
    assert (await numbers(house))["orders"] == 0


async def test_without_a_provider_checkouts_and_notices_say_so(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    async with open_house(tmp_path / "b", payment_secret=None) as house:
        house.payments.works = False
        await house.room("r1")
        await house.good("POST", "/v1/products", json=PRODUCT)
        code = await house.refused(
            "POST",
            "/v1/rooms/r1/checkouts",
            token=house.token("viewer"),
            json={"product": "lip"},
            key="k",
        )
        assert code == "503 unavailable"
        answer = await notice(house, {"payment": "p", "order": "o", "amount": 1})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        shown = (await house.ask("GET", "/v1/rooms/r1/products")).json()["products"]
        assert shown[0]["stock"] == 5, "what was reserved is back on the shelf"


# The adapter on the other side.


def provider(answer: httpx.Response | Exception, asked: list[httpx.Request]) -> HttpPayments:
    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return HttpPayments(
        "http://provider/",
        PAYMENT_SECRET,
        lambda: "http://shop/v1/payments/notice",
        lambda: START_MS,
        transport=httpx.MockTransport(handle),
    )


async def test_a_payment_is_asked_for_with_a_signature() -> None:
    asked: list[httpx.Request] = []
    payments = provider(httpx.Response(201, json={"id": "p1", "pay_url": "http://pay/p1"}), asked)
    payment = await payments.create(OrderId("o1"), 9_900, "口红")
    await payments.close()
    assert (payment.id, payment.pay_url) == ("p1", "http://pay/p1")
    (request,) = asked
    assert str(request.url) == "http://provider/payments"
    assert json.loads(request.content) == {
        "order": "o1",
        "amount": 9_900,
        "title": "口红",
        "notice_url": "http://shop/v1/payments/notice",
    }
    wanted = sign(PAYMENT_SECRET, request.content, at=START_MS // 1000)
    assert request.headers["Liveroom-Signature"] == wanted


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(500),
        httpx.Response(302, headers={"Location": "http://elsewhere/"}),
        httpx.Response(200, content=b"not json"),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"id": "p", "pay_url": "javascript:alert(1)"}),
        httpx.Response(200, json={"id": "p", "pay_url": "http://x/" + "a" * 20_000}),
    ],
    ids=repr,
)
async def test_a_provider_that_fails_is_unavailable(answer: httpx.Response | Exception) -> None:
    payments = provider(answer, [])
    with pytest.raises(Refused) as refused:
        await payments.create(OrderId("o1"), 1, "t")
    await payments.close()
    assert refused.value.code == "unavailable"
