"""Every `ask` has its arguments checked and answers with plain values, in both encodings."""

from typing import Any

import msgspec
import pytest

from liveroom.domain.actors import AgeBand
from liveroom.domain.ids import UserId
from liveroom.service.asking import COMMANDS, Nothing, read_arguments
from liveroom.service.order_commands import ORDER_COMMANDS
from tests.house import ROOM, House, host, merchant_actor, refusal, viewer

ENCODERS = {"json": msgspec.json.encode, "msgpack": msgspec.msgpack.encode}


async def ask(house: House, do: str, given: Any = None, actor: Any = None, raw: Any = None) -> Any:
    raw = msgspec.json.encode(given or {}) if raw is None else raw
    return await house.services.asking.ask(actor or viewer(), ROOM, do, raw, "k1")


async def prepare(house: House) -> None:
    await house.make_product(stock=9)
    await house.make_member("u1", coins=10)
    await house.order("o1", "u1")
    await house.services.rooms.host_live(ROOM, UserId("h1"), "s1")
    await house.services.staging.ask(viewer("waiting"), ROOM)


GIVEN: dict[str, tuple[Any, dict[str, Any]]] = {
    "pin": (host(), {"product": "p1"}),
    "checkout": (viewer(), {"product": "p1", "quantity": 2}),
    "cancel_checkout": (viewer(), {"order": "none"}),
    "thank": (host(), {"user": "u1"}),
    "ritual": (viewer(), {"on": True}),
    "public_orders": (viewer(), {"on": False}),
    "numbers": (host(), {}),
    "end_broadcast": (host(), {}),
    "mute": (host(), {"user": "u9", "ms": 60_000, "reason": "spam"}),
    "kick": (host(), {"user": "u9"}),
    "ban": (host(), {"user": "u9"}),
    "unmute": (host(), {"user": "u9"}),
    "unban": (host(), {"user": "u9"}),
    "sanctions": (host(), {}),
    "delete_line": (host(), {"line": "l1"}),
    "report": (viewer(), {"line": "none", "reason": "spam"}),
    "reports": (host(), {}),
    "resolve": (host(), {"line": "l1", "verdict": "dismissed"}),
    "rules": (host(), {"slow_ms": 5_000, "links": "mask"}),
    "words": (host(), {"add": [{"word": "spam", "action": "review"}], "remove": ["ham"]}),
    "audit": (host(), {}),
    "accept_mic": (host(), {"user": "waiting"}),
    "decline_mic": (host(), {"user": "waiting"}),
    "seats": (host(), {"seats": 2}),
    "leave_pk": (host(), {}),
    "call": (host(), {"user": "u1"}),
    "claim_coupon": (viewer(), {"template": "none"}),
    "quote": (viewer(), {"lines": [{"product": "p1", "quantity": 2}]}),
}
REFUSED = {
    "cancel_checkout": "no_such_order",
    "report": "no_such_line",
    "claim_coupon": "no_such_coupon",
}


@pytest.mark.parametrize("encoding", list(ENCODERS))
@pytest.mark.parametrize("do", list(COMMANDS))
async def test_every_command_answers_a_map_of_plain_values(
    house: House, do: str, encoding: str
) -> None:
    await prepare(house)
    actor, given = GIVEN.get(do, (viewer(), {}))
    if do == "answer_call":
        await house.services.staging.call(host(), ROOM, UserId("u1"))
    asked = ask(house, do, actor=actor, raw=msgspec.Raw(ENCODERS[encoding](given)))
    if do in REFUSED:
        assert await refusal(asked) == REFUSED[do]
        return
    answer = await asked
    assert isinstance(answer, dict)
    returned = msgspec.msgpack.decode(msgspec.msgpack.encode(answer))
    assert msgspec.json.encode(returned) == msgspec.json.encode(answer)


async def test_the_answers_carry_what_was_asked_for(house: House) -> None:
    await prepare(house)
    assert await ask(house, "follow") == {"following": True, "followers": 1}
    bought = await ask(house, "checkout", {"product": "p1", "quantity": 2})
    assert (bought["amount"], bought["pay_url"]) == (39_800, f"https://pay.test/{bought['order']}")
    assert (await ask(house, "cancel_checkout", {"order": bought["order"]})) == {"cancelled": True}
    assert (await ask(house, "products"))["products"][0]["price"] == 19_900
    assert {gift["id"] for gift in (await ask(house, "gifts"))["gifts"]} >= {"rose", "rocket"}
    assert (await ask(house, "pin", {"product": "p1"}, host()))["product"]["id"] == "p1"
    assert await ask(house, "pin", {}, host()) == {"product": None}
    assert (await ask(house, "ledger"))["lines"][0]["amount"] == 10
    assert (await ask(house, "opt_out_ritual"))["card"]["ritual"] is False
    assert (await ask(house, "me"))["card"]["tier"] == "basic"
    confirmed = await ask(house, "confirm_age", actor=viewer("new"))
    assert confirmed["card"]["age_band"] == AgeBand.ADULT.value


async def test_an_unknown_command_is_named_so(house: House) -> None:
    assert await refusal(ask(house, "fly")) == "unknown_command"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"product":7}', b'{"product":"p1","quantity":0}', b'{"product":"p1","quantity":1.5}',
        b'{"product":"p1","quantity":1e400}', b'{"product":"p1","quantity":true}',
        b'{"product":"../x"}', b'{"product":""}', b"{}", b"[]", b"7", b"{", b"\xff\xff", b"\x81",
        b'{"product":"p1","quantity":' + b"9" * 31 + b"}", b'"\xed\xa0\x80"', b"", b"null", b"\xc0",
    ],
)  # fmt: skip
async def test_bad_arguments_are_refused(house: House, raw: bytes) -> None:
    await prepare(house)
    assert await refusal(ask(house, "checkout", raw=raw)) == "invalid"


@pytest.mark.parametrize("raw", [b"", b"null", b"\xc0", b"{}", b"\x80", b' {"new":1} '])
def test_nothing_and_unknown_keys_are_fine_where_nothing_is_needed(raw: bytes) -> None:
    assert read_arguments(raw, Nothing) == Nothing()


async def test_roles_are_checked_behind_the_table(house: House) -> None:
    await prepare(house)
    for do in ("pin", "thank", "numbers", *(do for do in ORDER_COMMANDS if do != "report")):
        assert await refusal(ask(house, do, GIVEN[do][1], viewer())) == "forbidden"


async def test_numbers_are_for_host_and_shop(house: House) -> None:
    await prepare(house)
    house.online[ROOM] = 12
    numbers = await house.services.numbers.of(host(), ROOM)
    assert (numbers["online"], numbers["orders"], numbers["revenue"]) == (12, 1, 19_900)
    assert await house.services.numbers.of(merchant_actor(), ROOM) == numbers
    of = house.services.numbers.of
    assert await refusal(of(viewer(), ROOM)) == "forbidden"
    assert await refusal(of(viewer(anonymous=True), ROOM)) == "forbidden"
    assert await refusal(of(merchant_actor("other"), ROOM)) == "no_such_room"
