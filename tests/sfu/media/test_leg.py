"""One viewer's stream under anything its sources, its network and its control may do."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.media.shape import ABS_SEND_TIME, MID, PLAYOUT_DELAY
from sfu.packet import rtp
from sfu.packet.rewrite import timestamp_ahead
from tests.sfu.media.conftest import KEY, Scene

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["send"] * 8
            + ["key"] * 3
            + ["lose", "recover", "swap", "nack", "pli"]
            + ["switch", "empty", "suspend", "resume", "jump", "gone"]
        ),
        st.integers(0, 2000),
        st.sampled_from([0.0, 0.001, 0.03, 0.3]),
    ),
    max_size=80,
)


def play(scene, publishers, steps, *, viewer="ann", ssrc=50_000):
    """Play steps of all publishers and of one viewer."""
    lost = []
    for turn, (step, number, seconds) in enumerate(steps):
        scene.pass_time(seconds)
        names = sorted(publishers)
        publisher = publishers[names[number % len(names)]]
        body = b"%d" % turn
        match step:
            case "send":
                publisher.send("v", b"\x10\x01" + body)
            case "key":
                publisher.send("v", KEY + body)
            case "lose":
                data = publisher.packet("v", b"\x10\x01" + body, sequence=publisher.next["v"])
                publisher.next["v"] += 1
                lost.append((publisher.session, data))
            case "recover" if lost:
                scene.receive(*lost.pop(number % len(lost)))
            case "swap":
                late = publisher.packet("v", b"\x10\x01" + body, sequence=publisher.next["v"])
                publisher.next["v"] += 1
                publisher.send("v", KEY + body)
                scene.receive(publisher.session, late)
            case "nack":
                got = scene.got(viewer, ssrc)
                newest = got[-1].sequence if got else 0
                numbers = [(newest - back) & 0xFFFF for back in range(number % 30)]
                scene.nack(*numbers, session=viewer, ssrc=ssrc)
            case "pli":
                scene.pli(viewer, ssrc)
            case "switch":
                scene.bind(0, publisher.session)
            case "empty":
                scene.bind(0, None)
            case "suspend":
                scene.engine.suspend(viewer, now=scene.now)
            case "resume":
                scene.engine.resume(viewer, now=scene.now)
            case "jump":
                publisher.next["v"] += 5000 + number
            case "gone":
                scene.close(publisher.session)
                name = f"{publisher.session}-{turn}"
                del publishers[publisher.session]
                publishers[name] = scene.publish(name, start=number * 32, ssrc=9000 + 10 * turn)


@settings(max_examples=150, deadline=None)
@given(steps, st.integers(0, 65535), st.booleans())
def test_a_number_never_stands_for_two_packets_and_holes_are_only_the_sources_losses(
    steps, start, rtx
):
    """A number used twice with other bytes would break AES-GCM; a hole of our own, the picture."""
    ssrc = 0xFFFF_7FF0
    scene = Scene()
    publishers = {
        "one": scene.publish("one", start=start, ssrc=1000),
        "two": scene.publish("two", start=65_535 - start, ssrc=2000, bind=False),
    }
    scene.watch(rtx=rtx, ssrc=ssrc, extensions={MID: 1, ABS_SEND_TIME: 2, PLAYOUT_DELAY: 3})
    play(scene, publishers, steps, ssrc=ssrc)
    by_number = {}
    for packet in scene.got("ann", ssrc):
        assert by_number.setdefault(packet.sequence, packet) == packet
    if by_number:
        lost = sum(step in ("lose", "swap") for step, _, _ in steps)
        span = max((number - ssrc) & 0x7FFF for number in by_number) + 1
        assert span - len(by_number) <= lost
    repairs = scene.got("ann", ssrc + 1)
    assert len({packet.sequence for packet in repairs}) == len(repairs)
    for packet in repairs:
        original, payload = rtp.parse_rtx_payload(packet.payload)
        assert original not in by_number or by_number[original].payload == payload


@settings(max_examples=50, deadline=None)
@given(steps)
def test_a_legs_counts_are_the_packets_it_was_sent(steps):
    scene = Scene()
    publishers = {"one": scene.publish("one"), "two": scene.publish("two", ssrc=2000, bind=False)}
    scene.watch()
    play(scene, publishers, steps)
    leg = scene.engine.session_stats("ann").legs[0]
    assert leg.packets == len(scene.got())
    assert leg.bytes == sum(len(packet.payload) for packet in scene.got())
    assert leg.repairs == len(scene.got(ssrc=50_001))


@settings(max_examples=50, deadline=None)
@given(steps)
def test_media_time_never_runs_back_in_the_order_of_the_numbers(steps):
    scene = Scene()
    publishers = {"one": scene.publish("one"), "two": scene.publish("two", ssrc=2000, bind=False)}
    scene.watch()
    play(scene, publishers, steps)
    ordered = sorted(scene.got(), key=lambda packet: (packet.sequence - 50_000) & 0x7FFF)
    for before, after in pairwise(ordered):
        assert timestamp_ahead(after.timestamp, before.timestamp) > 0
