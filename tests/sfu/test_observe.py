"""The metrics of the contract exist and move with the media."""

from prometheus_client import REGISTRY

from tests.sfu.conftest import Server
from tests.sfu.raw_peer import rtp, until


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_forwarding_a_packet_is_counted_and_timed(server: Server) -> None:
    out, timed = (
        value("liveroom_media_packets_out_total"),
        value("liveroom_media_forward_seconds_count"),
    )
    host, _ = await server.publisher()
    viewer, _ = await server.viewer()
    host.send_rtp(rtp(1))
    await viewer.receive_rtp()
    assert value("liveroom_media_packets_out_total") >= out + 1
    assert value("liveroom_media_forward_seconds_count") >= timed + 1


async def test_sessions_and_publishers_are_gauges(server: Server) -> None:
    sessions, publishers = value("liveroom_media_sessions"), value("liveroom_media_publishers")
    _, viewer = await server.open("whep", user="v", role="viewer")
    _, host = await server.open("whip", user="h", role="host")
    assert value("liveroom_media_sessions") == sessions + 2
    assert value("liveroom_media_publishers") == publishers + 1
    server.media.end_session(viewer, "test")
    server.media.end_session(host, "test")
    assert value("liveroom_media_sessions") == sessions
    assert value("liveroom_media_publishers") == publishers


async def test_dropped_datagrams_are_counted_by_reason(server: Server) -> None:
    before = value("liveroom_media_datagrams_dropped_total", reason="unknown_kind")
    peer, _ = await server.open("whep", user="v", role="viewer")
    peer.send(b"\xff" * 20)
    await until(lambda: server.dropped("unknown_kind"), "counted")
    await until(
        lambda: (
            value("liveroom_media_datagrams_dropped_total", reason="unknown_kind") == before + 1
        ),
        "exported",
    )


async def test_replays_and_why_there_was_none_are_counted(server: Server) -> None:
    names = ("liveroom_media_replays_total", "liveroom_media_replay_packets_total")
    before = [value(name) for name in names]
    without = value("liveroom_media_replay_fallbacks_total", reason="no_keyframe")
    host, _ = await server.publisher()
    host.send_rtp(rtp(1, payload=b"\x10\x01delta"))
    await until(lambda: server.media.stats().engine.packets_in == 1, "it came in")
    await server.viewer("early")
    await until(
        lambda: value("liveroom_media_replay_fallbacks_total", reason="no_keyframe") == without + 1,
        "the fallback",
    )
    host.send_rtp(rtp(2))
    host.send_rtp(rtp(3, payload=b"\x10\x01delta"))
    await until(lambda: server.media.stats().engine.packets_in == 3, "both came in")
    late, _ = await server.viewer("late")
    await late.receive_rtp()
    await until(lambda: [value(n) for n in names] == [before[0] + 1, before[1] + 2], "the replay")
