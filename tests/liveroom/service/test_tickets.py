"""A ticket opens once, within its time, to no more than its issuer could give."""

from typing import Any

import pytest
from sqlalchemy import select

from liveroom.domain.actors import ANY_ROOM, Actor, Role
from liveroom.domain.ids import RoomId, UserId
from liveroom.service.tickets import TICKET_TTL_S_MAX, TicketDraft
from liveroom.store.tables import tickets
from tests.house import ROOM, House, host, merchant_actor, refusal, viewer


async def issue(house: House, actor: Actor | None = None, **fields: Any) -> str:
    draft = TicketDraft(**{"user": UserId("u1"), "role": Role.VIEWER, "room": ROOM, **fields})
    return await house.services.tickets.issue(actor or merchant_actor(), draft)


async def test_a_ticket_is_traded_once_for_its_claims(house: House) -> None:
    ticket = await issue(house, role=Role.HOST, name="主播")
    actor = await house.services.tickets.trade(ticket)
    assert (actor.user, actor.role, actor.room, actor.tenant, actor.name) == (
        "u1", Role.HOST, ROOM, "default", "主播",
    )  # fmt: skip
    assert await refusal(house.services.tickets.trade(ticket)) == "bad_ticket"


async def test_a_reusable_ticket_opens_until_its_time_is_over(house: House) -> None:
    ticket = await issue(house, reusable=True, ttl_s=60)
    for _ in range(3):
        await house.services.tickets.trade(ticket)
    house.clock.pass_ms(60_000)
    assert await refusal(house.services.tickets.trade(ticket)) == "bad_ticket"


async def test_an_unknown_ticket_opens_nothing(house: House) -> None:
    assert await refusal(house.services.tickets.trade("guess")) == "bad_ticket"


async def test_the_table_does_not_hold_the_ticket(house: House) -> None:
    ticket = await issue(house)
    rows = await house.store.run(lambda tx: tx.execute(select(tickets)).all())
    assert ticket not in repr(rows)


@pytest.mark.parametrize(
    ("actor", "fields", "code"),
    [
        (viewer(), {}, "forbidden"),
        (host(), {}, "forbidden"),
        (merchant_actor("other"), {}, "no_such_room"),
        (merchant_actor(), {"room": RoomId("nowhere")}, "no_such_room"),
        (merchant_actor(), {"role": Role.ADMIN}, "forbidden"),
        (merchant_actor(), {"ttl_s": 0}, "invalid"),
        (merchant_actor(), {"ttl_s": TICKET_TTL_S_MAX + 1}, "invalid"),
    ],
)
async def test_who_may_not_issue_what(
    house: House, actor: Actor, fields: dict[str, Any], code: str
) -> None:
    assert await refusal(issue(house, actor, **fields)) == code


async def test_an_admin_issues_for_any_shop(house: House) -> None:
    await house.make_room("r2", merchant="m2")
    admin = Actor(user=UserId("root"), role=Role.ADMIN, room=ANY_ROOM)
    ticket = await issue(house, admin, room=RoomId("r2"), role=Role.ADMIN)
    assert (await house.services.tickets.trade(ticket)).tenant == "m2"
