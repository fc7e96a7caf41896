"""Nothing durable is lost or doubled: not between snapshot and news, not over a reconnect."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from liveroom.domain.actors import Role
from liveroom.protocol.messages import Batch, ToYou, Welcome
from tests.liveroom.edge.gateway_house import (
    EPOCH,
    Guest,
    House,
    open_house,
    recognised_fact,
    text_fact,
    token,
)


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


def numbers(guest: Guest) -> list[int]:
    return [event["n"] for event in guest.events if "n" in event]


async def returning(house: House, user: str, **resume: Any) -> Guest:
    return await house.guest(user, resume={"epoch": EPOCH} | resume)


async def test_a_resume_brings_each_missed_event_once(house: House) -> None:
    for _ in range(5):
        await house.fake.gift_of("anna")
    ming = await returning(house, "ming", offset=2)
    assert ming.welcome.resumed is True
    assert ming.welcome.offset == 2
    batch = await ming.expect(Batch)
    assert (numbers(ming), batch.offset) == ([3, 4, 5], 5)
    await house.fake.gift_of("anna")
    await ming.event("gift", n=6)
    assert numbers(ming) == [3, 4, 5, 6]


async def test_a_long_absence_comes_in_several_frames_whose_offsets_are_true(house: House) -> None:
    for _ in range(250):
        house.fake.commit(text_fact("x", "x"))
    ming = await returning(house, "ming", offset=0)
    while ming.events[-1:] == [] or ming.events[-1]["n"] < 250:
        await ming.read()
    assert numbers(ming) == list(range(1, 251))
    batches = [message for message in ming.seen if isinstance(message, Batch)]
    assert [batch.offset for batch in batches] == [batch.events[-1]["n"] for batch in batches]


async def test_nothing_missed_is_resumed_without_a_batch_of_events(house: House) -> None:
    await house.fake.gift_of("anna")
    ming = await returning(house, "ming", offset=1)
    assert ming.welcome.resumed is True
    await house.fake.gift_of("anna")
    await ming.event("gift", n=2)
    assert numbers(ming) == [2]


async def test_another_epoch_gets_the_snapshot_instead(house: House) -> None:
    await house.fake.gift_of("anna")
    ming = await returning(house, "ming", epoch="older", offset=0)
    assert ming.welcome.resumed is False
    assert ming.welcome.offset == 1
    await house.fake.gift_of("anna")
    await ming.event("gift", n=2)
    assert numbers(ming) == [2]


async def test_an_offset_from_the_future_gets_the_snapshot(house: House) -> None:
    ming = await returning(house, "ming", offset=99)
    assert ming.welcome.resumed is False
    assert ming.welcome.offset == 0


async def test_personal_events_are_resumed_by_their_own_count(house: House) -> None:
    for _ in range(3):
        await house.fake.pay("ming")
    ming = await returning(house, "ming", offset=0, personal=1)
    message = await ming.expect(ToYou)
    assert message.personal == 3
    assert [event["pn"] for event in message.events] == [2, 3]
    await house.fake.pay("ming")
    assert (await ming.expect(ToYou)).personal == 4


async def test_what_happens_between_snapshot_and_welcome_comes_exactly_once(house: House) -> None:
    """The snapshot is read at 1; 2 is published while the viewer waits for the welcome."""
    anna = await house.guest("anna")
    await house.fake.gift_of("x")
    house.fake.entering.clear()
    house.fake.asked_in.clear()
    ming = await house.connect()
    await ming.send(t="hello", token=token("ming"), room="r1")
    await wait_for_entry(house)
    await house.fake.gift_of("x")
    await house.fake.pay("ming")
    await anna.event("gift", n=2)
    house.fake.entering.set()
    welcome = await ming.expect(Welcome)
    assert welcome.offset == 1
    await house.fake.gift_of("x")
    await ming.event("gift", n=3)
    assert numbers(ming) == [2, 3]
    assert [event["pn"] for event in ming.events if "pn" in event] == [1]


async def test_what_the_snapshot_contains_never_comes_as_an_event(house: House) -> None:
    """Committed before the snapshot, published after the welcome: the relay is a step behind."""
    anna = await house.guest("anna")
    late = [house.fake.commit(text_fact("x", f"late {index}")) for index in range(2)]
    ming = await house.guest("ming")
    assert ming.welcome.offset == 2
    await house.fake.publish(*late)
    await house.fake.gift_of("x")
    await ming.event("gift", n=3)
    await anna.event("gift", n=3)
    assert numbers(ming) == [3]
    assert numbers(anna) == [1, 2, 3]


async def test_an_offset_never_claims_what_a_viewer_has_not_seen(house: House) -> None:
    """A later viewer's snapshot is ahead of what an earlier one was sent."""
    anna = await house.guest("anna")
    late = house.fake.commit(text_fact("x", "late"))
    ming = await house.guest("ming")
    await house.fake.publish(house.fake.event(text_fact("x", "now")))
    await anna.event("danmaku", text="now")
    await ming.event("danmaku", text="now")
    batches = [m for m in anna.seen if isinstance(m, Batch) and m.events]
    assert [batch.offset for batch in batches] == [0]
    batches = [m for m in ming.seen if isinstance(m, Batch) and m.events]
    assert [batch.offset for batch in batches] == [1]
    await house.fake.publish(late)
    await anna.event("danmaku", text="late")


async def test_a_repeated_publication_is_shown_once(house: House) -> None:
    ming = await house.guest("ming")
    event = await house.fake.gift_of("x")
    await house.fake.publish(event)
    await house.fake.gift_of("x")
    await ming.event("gift", n=2)
    assert numbers(ming) == [1, 2]


async def test_a_text_in_the_snapshot_is_not_repeated(house: House) -> None:
    anna = await house.guest("anna")
    house.fake.entering.clear()
    house.fake.asked_in.clear()
    text = house.fake.event(text_fact("x", "once"))
    house.fake.texts.append(text)
    ming = await house.connect()
    await ming.send(t="hello", token=token("ming"), room="r1")
    await wait_for_entry(house)
    await house.fake.publish(text)
    await anna.event("danmaku")
    house.fake.entering.set()
    welcome = await ming.expect(Welcome)
    assert [event["text"] for event in welcome.snapshot["texts"]] == ["once"]
    await house.fake.gift_of("x")
    await ming.event("gift")
    assert "danmaku" not in {event["k"] for event in ming.events}


async def test_a_card_shown_while_the_host_comes_in_is_not_lost(house: House) -> None:
    await house.guest("anna")
    house.fake.entering.clear()
    house.fake.asked_in.clear()
    host = await house.connect()
    await host.send(t="hello", token=token("host", role=Role.HOST), room="r1")
    await wait_for_entry(house)
    await house.fake.publish(house.fake.event(recognised_fact("old-friend")))
    house.fake.entering.set()
    await host.expect(Welcome)
    assert (await host.event("recognised"))["user"] == "old-friend"


async def wait_for_entry(house: House) -> None:
    """Wait until the services have read the snapshot of who is coming in."""
    await house.fake.asked_in.wait()
