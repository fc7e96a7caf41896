"""What the media server tells of its sessions is what really went over the wire."""

import asyncio

from sfu.edge.latency import SAMPLES_MAX, WINDOW_S, Latencies
from sfu.media.meter import Meter
from sfu.packet import rtcp
from tests.sfu.conftest import Server
from tests.sfu.raw_peer import rtp, until


async def test_a_room_s_report_adds_up_what_was_sent(server: Server) -> None:
    host, host_session = await server.publisher()
    viewer, viewer_session = await server.viewer()
    for number in range(1, 4):
        host.send_rtp(rtp(number))
        await viewer.receive_rtp()
    report = await server.media.room_report("r1", limit=10)
    totals = report["totals"]
    assert (totals["publishers"], totals["viewers"], totals["packets_out"]) == (1, 1, 3)
    assert totals["layers"] == {"only": 1}
    assert [each["id"] for each in report["sessions"]] == [host_session, viewer_session]
    assert report["forward"]["samples"] >= 3
    assert 0 < report["forward"]["p50_ms"] <= report["forward"]["p99_ms"] < 1000
    assert (await server.media.room_report("other", limit=10))["sessions"] == []


async def test_a_session_tells_its_codec_addresses_and_requests(server: Server) -> None:
    host, host_session = await server.publisher()
    viewer, session = await server.viewer()
    host.send_rtp(rtp(1))
    await viewer.receive_rtp()
    before = await server.media.session_report("r1", session)
    assert before is not None
    leg = next(each for each in before["streams"] if each["kind"] == "video")
    assert (leg["codec"], leg["slot"], leg["packets"], leg["nacks"]) == ("vp8", 0, 1, 0)
    assert viewer.srtp is not None
    asked = rtcp.write_receiver_report(rtcp.ReceiverReport(1))
    asked += rtcp.write_nack(1, leg["ssrc"], [7, 9]) + rtcp.write_picture_loss(1, leg["ssrc"])
    protected = viewer.srtp.protect_rtcp(asked)
    assert protected is not None
    viewer.send(protected)
    await until(lambda: server.media.stats().engine.repairs_refused == 2, "the NACK came in")
    after = await server.media.session_report("r1", session)
    assert after is not None
    leg = next(each for each in after["streams"] if each["kind"] == "video")
    assert (leg["nacks"], leg["keyframe_requests"]) == (2, 1)
    host_name, port = viewer.sock.getsockname()
    assert after["pair"] == {
        "local": "{}:{}".format(*viewer.server),
        "remote": f"{host_name}:{port}",
    }
    track = await server.media.session_report("r1", host_session)
    assert track is not None
    assert [each["codec"] for each in track["streams"] if each["packets"]] == ["vp8"]
    assert await server.media.session_report("other", session) is None


async def test_a_session_without_a_peer_has_no_pair_yet(server: Server) -> None:
    _, session = await server.open("whep", user="v", role="viewer")
    report = await server.media.session_report("r1", session)
    assert report is not None
    assert (report["state"], report["pair"]) == ("new", None)


async def test_bitrates_are_those_of_the_last_report_interval(server: Server) -> None:
    host, session = await server.publisher()
    number = 0

    async def send() -> None:
        nonlocal number
        while True:
            number += 1
            host.send_rtp(rtp(number, payload=b"\x10\x00\x00" + bytes(997)))
            await asyncio.sleep(0.01)

    sending = asyncio.create_task(send())
    try:
        rates: list[int] = []
        while not rates or not rates[-1]:
            await asyncio.sleep(0.05)
            report = await server.media.session_report("r1", session)
            assert report is not None
            rates.append(sum(each["bitrate_bps"] for each in report["streams"]))
    finally:
        sending.cancel()
    # 1,000 bytes each 10 ms and more are at most 800 kbit/s; a busy machine sends fewer.
    assert 100_000 < rates[-1] <= 850_000


def test_a_meter_tells_the_rate_between_two_looks() -> None:
    meter = Meter()
    meter.look(1_000, now=10.0)
    assert meter.bps == 0
    meter.look(2_000, now=12.0)
    assert meter.bps == 4_000
    meter.look(9_000, now=12.1)
    assert meter.bps == 4_000, "too soon to say"
    meter.look(2_000, now=14.0)
    assert meter.bps == 0


def test_latencies_are_those_of_the_last_seconds() -> None:
    latencies = Latencies()
    assert latencies.summary(now=0.0).p99_s is None
    latencies.add(9.0, now=0.0)
    for n in range(100):
        latencies.add(n / 1000, now=100.0)
    found = latencies.summary(now=100.0 + WINDOW_S)
    assert (found.samples, found.p50_s, found.p99_s) == (100, 0.049, 0.098)
    for _ in range(SAMPLES_MAX):
        latencies.add(0.5, now=101.0)
    assert latencies.summary(now=101.0).samples == SAMPLES_MAX
