"""What a publisher is told back about its whole transport."""

from sfu.media.model import Kind, TrackSpec
from sfu.media.shape import TRANSPORT_WIDE
from sfu.packet import rtcp, rtp
from tests.sfu.media.conftest import KEY, VP8
from tests.sfu.packet.transport_wide_reader import read


def publish(scene, *, feedback=("nack", "transport-cc")):
    spec = TrackSpec(
        mid="v",
        kind=Kind.VIDEO,
        codecs={96: VP8},
        ssrc=1000,
        rtx_ssrc=1001,
        rtx={97: 96},
        extensions={TRANSPORT_WIDE: 3},
        feedback=frozenset(feedback),
    )
    scene.engine.publish("host", "room", [spec], now=scene.now)
    scene.take(scene.engine.connect("host", now=scene.now))


def packet(number, *, ssrc=1000, payload_type=96, payload=KEY):
    return rtp.write(
        marker=True,
        payload_type=payload_type,
        sequence=number,
        timestamp=number * 3000,
        ssrc=ssrc,
        payload=payload,
        extensions=rtp.write_extensions([(3, number.to_bytes(2, "big"))]),
    )


def reports(scene):
    """The raw feedback packets and when they were sent."""
    sent = []
    due = scene.engine.deadline()
    end = scene.now + 0.3
    while due is not None and due <= end:
        scene.now = max(scene.now, due)
        output = scene.engine.tick(now=scene.now, at_ntp=scene.at_ntp)
        sent += [(scene.now, data) for batch in output.batches for data in batch.rtcp]
        due = scene.engine.deadline()
    return [(at, data) for at, data in sent if rtcp.TransportWide(1) in rtcp.parse(data).parts]


def test_media_repairs_probes_and_strangers_are_all_reported_within_100_ms(scene):
    publish(scene)
    came = scene.now
    scene.receive("host", packet(10))
    scene.pass_time(0.01)
    scene.receive("host", packet(11, ssrc=1001, payload_type=97, payload=b"\0\1"))
    scene.receive("host", packet(13, ssrc=9999))
    ((at, data),) = reports(scene)
    assert 0.05 <= at - came <= 0.1
    told = read(data)[2]
    assert [number for number, tick in told.items() if tick is not None] == [10, 11, 13]
    assert told[11] - told[10] == 40


def test_without_agreement_and_while_suspended_nothing_is_reported(scene):
    publish(scene, feedback=("nack",))
    scene.receive("host", packet(10))
    assert reports(scene) == []
    scene.close("host")
    publish(scene)
    scene.engine.suspend("host", now=scene.now)
    scene.receive("host", packet(11))
    assert reports(scene) == []
    scene.engine.resume("host", now=scene.now)
    assert len(reports(scene)) == 1
