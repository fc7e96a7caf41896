"""Recordings and explanations read the same from SQLite and from PostgreSQL."""

from liveroom.domain.ids import ProductId, RoomId, UserId
from liveroom.domain.recordings import SETTLE_MS, RecordingId
from tests.house import ROOM, House, host, open_house, refusal, viewer

HOST = UserId("h1")


async def _pin(house: House, product: str | None) -> None:
    await house.services.shopping.pin(host(), ROOM, ProductId(product) if product else None)


async def test_an_evening_seen_again(url: str) -> None:
    async with open_house(url) as house:
        replays, clock = house.services.replays, house.clock
        await house.make_room(host="h1")
        for product in ("p1", "p2"):
            await house.make_product(product)
        assert not await replays.begin(RecordingId("early"), ROOM, "s0", clock())
        await _pin(house, "p1")
        clock.pass_ms(60_000)
        started = clock()
        await house.services.rooms.host_live(ROOM, HOST, "s1")
        assert await replays.begin(RecordingId("take1"), ROOM, "s1", started)
        clock.pass_ms(30_000)
        await _pin(house, "p2")
        clock.pass_ms(20_000)
        await _pin(house, "p1")
        clock.pass_ms(10_000)
        await _pin(house, None)
        (early,) = await replays.explanations(viewer(), ROOM)
        assert [(part.from_ms, part.to_ms) for part in early.parts] == [(0, 30_000)], (
            "of each product the newest that has settled"
        )
        clock.pass_ms(SETTLE_MS)
        found = await replays.explanations(None, ROOM)
        assert [each.product.id for each in found] == ["p1", "p2"], "the newest of each"
        assert [(part.from_ms, part.to_ms) for part in found[0].parts] == [(50_000, 60_000)]
        assert [(part.from_ms, part.to_ms) for part in found[1].parts] == [(30_000, 50_000)]
        segment = found[1].segment.id
        part = await replays.part(ROOM, segment, "take1")
        assert (part.recording, part.from_ms) == ("take1", 30_000)
        assert await refusal(replays.part(ROOM, segment, "other")) == "not_found"
        assert await refusal(replays.part(RoomId("r2"), segment, "take1")) == "not_found"
        assert await replays.last(None, ROOM) is None, "it is still going on"
        await replays.finish(RecordingId("take1"), reason="finished", size=1_000)
        await _pin(house, "p2")
        clock.pass_ms(10_000)
        await house.services.rooms.end(host(), ROOM)
        replay = await replays.last(None, ROOM)
        assert replay is not None
        assert [(part.recording, part.to_ms) for part in replay.parts] == [("take1", 75_000)]
        recording = await replays.recording(ROOM, "take1")
        assert recording is not None
        assert (recording.reason, recording.bytes) == ("finished", 1_000)
        found = await replays.explanations(None, ROOM)
        assert [(each.product.id, len(each.parts)) for each in found] == [("p1", 1), ("p2", 1)]


async def test_what_a_crash_cut_off_ends_when_its_file_was_last_written(url: str) -> None:
    async with open_house(url) as house:
        replays, clock = house.services.replays, house.clock
        await house.make_room(host="h1")
        await house.services.rooms.host_live(ROOM, HOST, "s1")
        for name in ("kept", "lost"):
            assert await replays.begin(RecordingId(name), ROOM, "s1", clock())
        written = clock() + 42_000
        await replays.recover(lambda name: written if name == "kept" else None)
        kept, lost = [await replays.recording(ROOM, name) for name in ("kept", "lost")]
        assert kept is not None
        assert lost is not None
        assert (kept.ended_at, kept.reason) == (written, "cut_off")
        assert lost.ended_at == lost.started_at
        await replays.finish(RecordingId("kept"), reason="finished", size=9)
        assert await replays.recording(ROOM, "kept") == kept, "the first end counts"


async def test_a_closed_room_shows_nothing_to_visitors(url: str) -> None:
    async with open_house(url) as house:
        await house.make_room(host="h1", anonymous=False)
        assert await refusal(house.services.replays.explanations(None, ROOM)) == "no_token"
        assert await refusal(house.services.replays.last(None, ROOM)) == "no_token"
        assert await house.services.replays.explanations(viewer(), ROOM) == []
