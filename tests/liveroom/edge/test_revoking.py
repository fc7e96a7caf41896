"""A mute, a kick, a ban, a deleted line: each reaches open sockets within two seconds."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from liveroom.domain.actors import Role
from liveroom.protocol.messages import No, Ok
from tests.liveroom.edge.gateway_house import ROOM, Guest, token
from tests.liveroom.edge.test_gateway_services import RealHouse, real_house

WITHIN_S = 2.0


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[RealHouse]:
    async with real_house(tmp_path) as opened:
        yield opened


async def ask(guest: Guest, do: str, **given: Any) -> Any:
    key = f"{do}-{time.time_ns()}"
    await guest.send_map({"t": "ask", "id": key, "do": do, "with": given})
    return await guest.answer(key)


async def say(guest: Guest, text: str) -> Any:
    key = f"say-{time.time_ns()}"
    await guest.send(t="say", id=key, text=text)
    return await guest.answer(key)


def said(guest: Guest) -> list[str]:
    return [event["text"] for event in guest.events if event["k"] == "danmaku"]


async def refused_with(house: RealHouse, user: str) -> int | None:
    """Say hello and tell the code of the refusal."""
    guest = await house.connect()
    await guest.send(t="hello", token=token(user), room=ROOM)
    bye, code = await guest.closed()
    assert bye is not None
    assert bye.code == code
    return code


async def test_a_muted_viewer_is_told_and_silenced(house: RealHouse) -> None:
    host, troll = await house.guest("anna", Role.HOST), await house.guest("troll")
    assert isinstance(await say(troll, "hi"), Ok)
    assert isinstance(await ask(host, "mute", user="troll", ms=60_000, reason="spam"), Ok)
    async with asyncio.timeout(WITHIN_S):
        told = await troll.event("sanction", act="mute")
    assert (told["reason"], told["pn"]) == ("spam", 1)
    refused = await say(troll, "again")
    assert isinstance(refused, No)
    assert refused.code == "muted"
    assert 55_000 < refused.retry_ms <= 60_000
    assert isinstance(await ask(host, "unmute", user="troll"), Ok)
    await troll.event("sanction", act="unmute")
    assert isinstance(await say(troll, "thanks"), Ok)
    later = await house.guest("troll")
    assert "mute" not in later.welcome.you


async def test_a_banned_viewer_loses_all_sockets_and_media_and_stays_out(house: RealHouse) -> None:
    host = await house.guest("anna", Role.HOST)
    trolls = [await house.guest("troll"), await house.guest("troll")]
    other = await house.guest("ming")
    assert isinstance(await ask(host, "ban", user="troll"), Ok)
    async with asyncio.timeout(WITHIN_S):
        for troll in trolls:
            assert (await troll.closed())[1] == 4104
    assert house.media_ended == [("troll", True, "ban")]
    assert await refused_with(house, "troll") == 4104
    assert isinstance(await say(other, "still here"), Ok)
    assert isinstance(await ask(host, "unban", user="troll"), Ok)
    assert (await house.guest("troll")).welcome


async def test_a_node_that_the_news_do_not_reach_looks_for_itself(house: RealHouse) -> None:
    house.unhear()
    host, troll = await house.guest("anna", Role.HOST), await house.guest("troll")
    moderator = await house.guest("mo", Role.MODERATOR)
    assert isinstance(await ask(host, "mute", user="ming"), Ok)
    assert isinstance(await ask(moderator, "kick", user="troll"), Ok)
    await house.revoking.look()
    assert house.media_ended == [], "not twice a second"
    house.at += 1_000
    await house.revoking.look()
    assert (await troll.closed())[1] == 4103
    assert house.media_ended == [("troll", True, "kick")]
    assert isinstance(await ask(host, "unban", user="troll"), Ok)
    again = await house.guest("troll")
    house.at += 1_000
    await house.revoking.look()
    assert isinstance(await say(again, "allowed"), Ok)


async def test_a_kicked_viewer_is_kept_out_for_a_while(house: RealHouse) -> None:
    moderator = await house.guest("mo", Role.MODERATOR)
    troll = await house.guest("troll")
    peer = await house.guest("mo2", Role.MODERATOR)
    assert isinstance(await ask(moderator, "kick", user="troll"), Ok)
    assert (await troll.closed())[1] == 4103
    assert await refused_with(house, "troll") == 4103
    assert isinstance(await ask(moderator, "kick", user="mo2"), Ok)
    assert isinstance(await say(peer, "moderators do not kick each other"), Ok)


async def test_a_deleted_line_leaves_screens_and_snapshot(house: RealHouse) -> None:
    host, ming, li = (
        await house.guest("anna", Role.HOST),
        await house.guest("ming"),
        await house.guest("li"),
    )
    said = await say(ming, "<img src=x onerror=alert(1)>")
    line = (await li.event("danmaku"))["id"]
    assert line == said.event
    assert isinstance(await ask(li, "report", line=line, reason="abuse"), Ok)
    cue = await host.event("report")
    assert (cue["line"], cue["text"]) == (line, "<img src=x onerror=alert(1)>")
    assert isinstance(await ask(host, "delete_line", line=line), Ok)
    async with asyncio.timeout(WITHIN_S):
        for guest in (ming, li):
            assert (await guest.event("deleted"))["lines"] == [line]
    late = await house.guest("late")
    assert late.welcome.snapshot["texts"] == []
    refused = await ask(li, "delete_line", line=line)
    assert isinstance(refused, No)
    assert refused.code == "forbidden"


async def test_slow_mode_is_told_to_all_and_damped_text_only_to_its_writer(
    house: RealHouse,
) -> None:
    host, ming, li = (
        await house.guest("anna", Role.HOST),
        await house.guest("ming"),
        await house.guest("li"),
    )
    assert isinstance(await ask(host, "rules", repeats=1), Ok)
    for _ in range(2):
        assert isinstance(await say(ming, "买它"), Ok)
    assert isinstance(await say(ming, "last"), Ok)
    for guest, heard in ((host, 3), (ming, 3), (li, 2)):
        while "last" not in said(guest) or len(said(guest)) < heard:
            await guest.read()  # one's own damped line comes behind the room's
        assert sorted(said(guest)) == ["last", *["买它"] * (heard - 1)]
    assert isinstance(await ask(host, "rules", slow_ms=30_000), Ok)
    assert (await li.event("chat"))["slow_ms"] == 30_000
    assert isinstance(await say(li, "one"), Ok)
    refused = await say(li, "two")
    assert (refused.code, refused.retry_ms > 25_000) == ("slow_mode", True)
    late = await house.guest("late")
    assert late.welcome.snapshot["chat"] == {"slow_ms": 30_000}
