"""A gift moves coins once, is shown once, and nothing happens when it is refused."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from liveroom.domain.actors import Actor, AgeBand, Role
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.ledger import chart
from liveroom.service.ports import Policy
from liveroom.store.posting import balance_of
from liveroom.store.tables import ledger_lines
from tests.house import ROOM, Clock, House, open_house, refusal, viewer


async def coins_of(house: House, user: str) -> int:
    wallet = chart.wallet_of(UserId(user))
    return (await house.store.run(lambda tx: balance_of(tx, "default", wallet))).amount


async def give(
    house: House, user: str = "u1", gift: str = "rocket", count: Any = 1, **more: Any
) -> Any:
    key, room = more.pop("key", "k1"), more.pop("room", ROOM)
    return await house.services.gifting.give(viewer(user, room, **more), room, gift, count, key)


async def shares(house: House) -> dict[str, int]:
    query = select(ledger_lines.c.account, func.sum(ledger_lines.c.amount)).group_by(
        ledger_lines.c.account
    )
    return {row[0]: row[1] for row in await house.store.run(lambda tx: tx.execute(query).all())}


async def test_a_gift_is_paid_split_numbered_and_shown(house: House) -> None:
    await house.make_member("u1", coins=1_200, name="小明")
    receipt = await give(house, count=2)
    assert (receipt.n, receipt.coins_left) == (1, 200)
    assert await shares(house) == {
        "issuer:coins:issued": -1_200,
        "user:u1:coins:wallet": 200,
        "host:h1:coins:pending": 700,
        "platform:coins:fee": 300,
    }
    await house.settle()
    (event,) = [event for event in house.heard if event.fact.KIND == "gift"]
    assert (event.id, event.n, event.cid) == (receipt.id, 1, "k1")
    assert (event.fact.user, event.fact.name, event.fact.count) == ("u1", "小明", 2)


async def test_the_same_key_gives_the_same_receipt_and_one_event(house: House) -> None:
    await house.make_member("u1", coins=1_000)
    first = await give(house)
    assert await give(house) == first
    assert await coins_of(house, "u1") == 500
    await house.settle()
    assert len(house.facts("gift")) == 1


async def test_the_same_key_for_another_gift_is_refused(house: House) -> None:
    await house.make_member("u1", coins=1_000)
    await give(house)
    assert await refusal(give(house, count=2)) == "idempotency_mismatch"
    assert await refusal(give(house, gift="rose")) == "idempotency_mismatch"
    assert await coins_of(house, "u1") == 500


async def test_keys_of_two_viewers_do_not_meet(house: House) -> None:
    for user in ("u1", "u2"):
        await house.make_member(user, coins=500)
        assert (await give(house, user)).coins_left == 0


async def test_too_few_coins_stay_an_answer_even_after_a_top_up(house: House) -> None:
    await house.make_member("u1", coins=100)
    assert await refusal(give(house)) == "not_enough_coins"
    assert await refusal(give(house)) == "not_enough_coins"
    assert await coins_of(house, "u1") == 100
    assert await shares(house) == {"issuer:coins:issued": -100, "user:u1:coins:wallet": 100}


@pytest.mark.parametrize(
    ("record", "claim", "code"),
    [
        (None, None, "age_unconfirmed"),
        (AgeBand.MINOR, None, "age_unconfirmed"),
        (AgeBand.ADULT, AgeBand.MINOR, "age_unconfirmed"),
        (AgeBand.ADULT, None, None),
        (AgeBand.MINOR, AgeBand.ADULT, None),
        (None, AgeBand.ADULT, None),
    ],
)
async def test_only_confirmed_adults_give(
    house: House, record: AgeBand | None, claim: AgeBand | None, code: str | None
) -> None:
    await house.make_member("u1", coins=500, age_band=record)
    if code is None:
        assert (await give(house, age_band=claim)).coins_left == 0
    else:
        assert await refusal(give(house, age_band=claim)) == code
        assert await coins_of(house, "u1") == 500


async def test_after_confirming_their_age_they_may_give_with_the_same_key(house: House) -> None:
    await house.make_member("u1", coins=500, age_band=None)
    assert await refusal(give(house)) == "age_unconfirmed"
    await house.services.members.confirm_age(viewer("u1"))
    assert (await give(house)).coins_left == 0


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"gift": "yacht"}, "no_such_gift"),
        ({"count": 0}, "invalid"),
        ({"count": -1}, "invalid"),
        ({"count": 10_000}, "invalid"),
        ({"count": True}, "invalid"),
        ({"count": 1.0}, "invalid"),
        ({"anonymous": True, "age_band": AgeBand.ADULT}, "anonymous"),
        ({"room": RoomId("nowhere")}, "no_such_room"),
        ({"tenant": "other"}, "no_such_room"),
    ],
)
async def test_refused_gifts_change_nothing(house: House, asked: dict[str, Any], code: str) -> None:
    await house.make_member("u1", coins=500)
    assert await refusal(give(house, **asked)) == code
    assert await coins_of(house, "u1") == 500
    await house.settle()
    assert not house.heard


async def test_a_combo_runs_within_three_seconds(house: House) -> None:
    await house.make_member("u1", coins=100)
    combos = []
    for key, pause_ms in (("a", 0), ("b", 3_000), ("c", 3_001)):
        house.clock.pass_ms(pause_ms)
        await give(house, gift="rose", count=2, key=key)
        await house.settle()
        combos.append(house.facts("gift")[-1].combo)
    assert combos == [2, 4, 2]


async def test_the_split_is_configured_and_the_last_coin_follows_the_larger_share(
    tmp_path: Path,
) -> None:
    policy = Policy(host_share=50, platform_share=50)
    async with open_house(f"sqlite:///{tmp_path}/b.db", policy=policy) as house:
        await house.make_room()
        await house.make_member("u1", coins=5)
        await give(house, gift="rose", count=5)
        held = await shares(house)
        assert (held["host:room:r1:coins:pending"], held["platform:coins:fee"]) == (3, 2)


async def test_one_coin_at_seventy_thirty_goes_to_the_host(house: House) -> None:
    await house.make_member("u1", coins=1)
    await give(house, gift="rose")
    held = await shares(house)
    assert (held["host:h1:coins:pending"], held.get("platform:coins:fee")) == (1, None)


async def test_an_answer_is_kept_over_a_restart_and_for_a_day(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path}/store.db", Clock()
    async with open_house(url, clock=clock) as first:
        await first.make_room()
        await first.make_member("u1", coins=1_000)
        receipt = await give(first)
    clock.pass_ms(24 * 60 * 60 * 1_000)
    async with open_house(url, clock=clock, name="b") as second:
        await second.services.tick()
        assert await give(second) == receipt
        assert await coins_of(second, "u1") == 500
        await second.settle()
        assert second.heard == []


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.VIEWER, Role.GUEST}))
async def test_who_runs_the_room_gives_no_gifts_in_it(house: House, role: Role) -> None:
    await house.make_member("h1", coins=10)
    actor = Actor(user=UserId("h1"), role=role, room=ROOM)
    code = await refusal(house.services.gifting.give(actor, ROOM, "rose", 1, "k"))
    assert code == "forbidden"
    await house.settle()
    assert house.heard == []
