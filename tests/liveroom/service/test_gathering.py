"""Commands of one place go together, twins one after another, and a bug hits only its own."""

import asyncio
from collections.abc import Sequence

import pytest

from liveroom.domain.refusals import Refused
from liveroom.service import gathering
from liveroom.service.gathering import Gathering


class Workshop:
    """Carries out what it is asked, one group at a time, when the test lets it."""

    def __init__(self) -> None:
        self.groups: list[tuple[str, list[str]]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.gathering: Gathering[str, str, str] = Gathering(
            self.carry_out, identity=lambda asked: asked.partition("/")[0]
        )

    async def carry_out(self, place: str, asked: Sequence[str]) -> list[str]:
        self.groups.append((place, list(asked)))
        await self.open.wait()
        if any("refused" in one for one in asked):
            raise Refused("unavailable", retry_ms=7)
        if any("bug" in one for one in asked):
            raise LookupError(asked[0])
        return [one.upper() for one in asked]

    def ask(self, *asked: str, place: str = "p") -> list["asyncio.Task[str]"]:
        return [asyncio.create_task(self.gathering.ask(place, one)) for one in asked]


async def test_one_alone_does_not_wait() -> None:
    shop = Workshop()
    assert await shop.gathering.ask("p", "a") == "A"
    assert shop.groups == [("p", ["a"])]


async def test_who_comes_while_the_place_is_busy_goes_together_afterwards() -> None:
    shop = Workshop()
    shop.open.clear()
    first = shop.ask("a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = shop.ask("b", "c", "d")
    await asyncio.sleep(0)
    shop.open.set()
    assert await asyncio.gather(*first, *rest) == ["A", "B", "C", "D"]
    assert shop.groups == [("p", ["a"]), ("p", ["b", "c", "d"])]


async def test_places_do_not_wait_for_each_other() -> None:
    shop = Workshop()
    shop.open.clear()
    asked = [*shop.ask("a", place="p"), *shop.ask("b", place="q")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert shop.groups == [("p", ["a"]), ("q", ["b"])]
    shop.open.set()
    assert await asyncio.gather(*asked) == ["A", "B"]


async def test_twins_never_share_a_group_and_keep_their_order() -> None:
    shop = Workshop()
    assert await asyncio.gather(*shop.ask("a/1", "a/2", "b", "a/3")) == ["A/1", "A/2", "B", "A/3"]
    assert shop.groups == [("p", ["a/1", "b"]), ("p", ["a/2"]), ("p", ["a/3"])]


async def test_a_group_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "TOGETHER_MAX", 2)
    shop = Workshop()
    assert await asyncio.gather(*shop.ask(*"abcde")) == list("ABCDE")
    assert [len(group) for _, group in shop.groups] == [2, 2, 1]


async def test_a_bug_reaches_its_caller_and_the_others_get_their_answer() -> None:
    shop = Workshop()
    results = await asyncio.gather(*shop.ask("a", "bug", "c"), return_exceptions=True)
    assert [str(result) for result in results] == ["A", "bug", "C"]
    assert isinstance(results[1], LookupError)


async def test_a_store_that_does_not_answer_refuses_the_whole_group() -> None:
    shop = Workshop()
    results = await asyncio.gather(*shop.ask("a", "refused"), return_exceptions=True)
    assert [(r.code, r.retry_ms) for r in results if isinstance(r, Refused)] == [
        ("unavailable", 7)
    ] * 2
    assert await shop.gathering.ask("p", "later") == "LATER"


async def test_over_the_bound_commands_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "WAITING_MAX", 2)
    shop = Workshop()
    results = await asyncio.gather(*shop.ask("a", "b", "c"), return_exceptions=True)
    assert results[:2] == ["A", "B"]
    assert isinstance(results[2], Refused)
    assert await asyncio.gather(*shop.ask("d", "e")) == ["D", "E"]


async def test_who_went_away_before_their_turn_is_left_out() -> None:
    shop = Workshop()
    shop.open.clear()
    first = shop.ask("a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone, stays = shop.ask("b", "c")
    await asyncio.sleep(0)
    gone.cancel()
    shop.open.set()
    assert await asyncio.gather(*first, stays) == ["A", "C"]
    assert shop.groups == [("p", ["a"]), ("p", ["c"])]


async def test_finishing_waits_for_everything_that_was_accepted() -> None:
    shop = Workshop()
    asked = shop.ask(*"abc")
    await asyncio.sleep(0)
    await shop.gathering.finish()
    assert all(one.done() for one in asked) or await asyncio.gather(*asked) == list("ABC")
    assert shop.groups == [("p", ["a", "b", "c"])]
