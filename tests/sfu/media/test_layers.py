"""Simulcast through the engine: which layer a viewer gets, and a stream that never breaks."""

import random
from itertools import pairwise

import pytest

from sfu.media.engine import Engine
from sfu.media.model import Kind, PictureEvent, TrackChange, TrackSpec
from sfu.media.shape import MID, REPAIRED_RID, RID
from sfu.media.track import FLOWING_S
from sfu.packet import rtcp, rtp
from sfu.packet.rewrite import timestamp_ahead
from sfu.packet.vp8 import parse_picture
from tests.sfu.media.conftest import OPUS, VP8, Publisher
from tests.sfu.packet.test_vp8 import descriptor

RIDS = ("q", "h", "f")
PACKETS = {"q": 1, "h": 3, "f": 8}
"""Packets of a frame: about 0.25, 0.75 and 2 Mbit/s."""
FRAME_S = 1 / 25
SIZE = 1_000
VIDEO, VIEWER_RTX = 50_000, 50_001
RTX_SSRC = 7_000


class Layers:
    """A browser that sends three layers, and sound."""

    def __init__(self, scene, *, start=0, seed=0):
        self.scene = scene
        chance = random.Random(seed)
        self.ssrc = {rid: 3_000 + n for n, rid in enumerate(RIDS)}
        self.sequence = {rid: start + chance.randrange(1 << 16) * bool(seed) for rid in RIDS}
        self.offset = {rid: chance.randrange(1 << 32) for rid in RIDS}
        self.picture = {rid: chance.randrange(1 << 15) for rid in RIDS}
        self.base = {rid: chance.randrange(256) for rid in RIDS}
        self.sending = list(RIDS)
        self.keys = set(RIDS)
        self.frames = 0
        self.sound = Publisher(scene, "host", start=5, ssrc=900)
        video = TrackSpec(
            mid="v",
            kind=Kind.VIDEO,
            codecs={96: VP8},
            rtx={97: 96},
            extensions={MID: 1, RID: 2, REPAIRED_RID: 3},
            feedback=frozenset({"nack", "nack pli", "goog-remb"}),
            rids=RIDS,
        )
        audio = TrackSpec(mid="a", kind=Kind.AUDIO, codecs={111: OPUS}, ssrc=901)
        scene.engine.publish("host", "room", [video, audio], now=scene.now)
        scene.take(scene.engine.connect("host", now=scene.now))
        scene.bind(0, "host")

    def frame(self):
        """Send one picture in all layers, as libwebrtc does: lowest first; and some sound."""
        for rid in self.sending:
            is_key = rid in self.keys
            self.keys.discard(rid)
            self.picture[rid] = (self.picture[rid] + 1) & 0x7FFF
            self.base[rid] = (self.base[rid] + 1) & 0xFF
            for n in range(PACKETS[rid]):
                self.scene.receive("host", self.packet(rid, n, is_key))
                self.sequence[rid] += 1
        self.sound.send("a")
        self.frames += 1
        self.scene.pass_time(FRAME_S)
        for _, part in self.scene.asked():
            self.keys.add(RIDS[part.media - 3_000])
        self.scene.reports["host"].clear()

    def packet(self, rid, n, is_key):
        payload = descriptor(
            self.picture[rid], base=self.base[rid], temporal=0, starts=n == 0, key=is_key
        )
        return rtp.write(
            marker=n == PACKETS[rid] - 1,
            payload_type=96,
            sequence=self.sequence[rid],
            timestamp=self.offset[rid] + self.frames * 3_600,
            ssrc=self.ssrc[rid],
            payload=payload + rid.encode() + bytes(SIZE),
            extensions=rtp.write_extensions([(1, b"v"), (2, rid.encode())]),
        )

    def film(self, seconds, *, remb=None, loss=0.0):
        """Send for a while; the viewer reports once a second."""
        for n in range(round(seconds / FRAME_S)):
            self.frame()
            if n % 25 == 24:
                report(self.scene, remb=remb, loss=loss)


def report(scene, *, remb=None, loss=0.0):
    block = rtcp.ReportBlock(VIDEO, round(loss * 256), 0, 0, 0, 0, 0)
    data = rtcp.write_receiver_report(rtcp.ReceiverReport(1, (block,)))
    if remb is not None:
        data += rtcp.write_remb(1, remb, [VIDEO])
    scene.receive("ann", data, is_rtcp=True)


def layer_of(packet):
    size = parse_picture(packet.payload).size
    return chr(packet.payload[size + 1 + len(b"picture")])


def changes(packets):
    """The layers a viewer got, in order."""
    found = []
    for packet in packets:
        if not found or layer_of(packet) != found[-1]:
            found.append(layer_of(packet))
    return found


def unbroken(packets):
    """See that packets look like one stream of one encoder; return them."""
    for before, after in pairwise(packets):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        one, two = parse_picture(before.payload), parse_picture(after.payload)
        is_same = before.timestamp == after.timestamp
        assert timestamp_ahead(after.timestamp, before.timestamp) >= 0
        ahead = (two.identity - one.identity) & 0x7FFF
        assert (ahead == 0) is is_same
        assert ahead < 0x4000
        if layer_of(before) != layer_of(after):
            assert after.payload[two.size] & 1 == 0, "a change of layers without a key frame"
    return packets


def stats(scene):
    (leg,) = [leg for leg in scene.engine.session_stats("ann").legs if leg.kind == "video"]
    return leg


def test_layers_are_told_apart_by_rid_and_the_best_is_given_in_seconds(scene):
    host = Layers(scene)
    scene.watch()
    host.film(5)
    assert changes(unbroken(scene.got()))[-1] == "f"
    assert stats(scene).layer == "f"
    tracks = scene.engine.session_stats("host").tracks
    assert [track.layer for track in tracks] == [*RIDS, None]
    assert all(track.lost == 0 for track in tracks)
    rates = [track.bitrate_bps for track in tracks[:3]]
    assert rates == sorted(rates)


def test_a_path_that_shrinks_gets_a_lower_layer_and_later_the_best_again(scene):
    host = Layers(scene)
    scene.watch()
    host.film(4, remb=5_000_000)
    host.film(4, remb=900_000)
    assert stats(scene).layer == "h"
    host.film(4, remb=300_000)
    assert stats(scene).layer == "q"
    host.film(40, remb=5_000_000)
    assert stats(scene).layer == "f"
    assert changes(unbroken(scene.got()))[-5:] == ["f", "h", "q", "h", "f"]


def test_two_viewers_of_different_paths_get_different_layers(scene):
    host = Layers(scene)
    scene.watch()
    scene.watch("bob", ssrc=60_000)
    for _ in range(8):
        host.film(1, remb=300_000)
        block = rtcp.ReportBlock(60_000, 0, 0, 0, 0, 0, 0)
        data = rtcp.write_receiver_report(rtcp.ReceiverReport(1, (block,)))
        scene.receive("bob", data + rtcp.write_remb(1, 5_000_000, [60_000]), is_rtcp=True)
    assert changes(unbroken(scene.got()))[-1] == "q"
    assert changes(unbroken(scene.got("bob", 60_000)))[-1] == "f"


def test_a_layer_that_its_sender_drops_is_left_for_another(scene):
    host = Layers(scene)
    scene.watch()
    host.film(5)
    host.sending.remove("f")
    host.film(FLOWING_S + 2)
    assert stats(scene).layer == "h"
    events = [e.change for e in scene.events if getattr(e, "kind", None) is Kind.VIDEO]
    host.film(4)
    assert events == [TrackChange.STARTED], "one layer of several is no news"
    unbroken(scene.got())


def test_key_frames_are_asked_of_the_layer_that_is_wanted_once_a_second(scene):
    host = Layers(scene)
    scene.watch()
    host.film(5)
    for viewer in range(20):
        scene.watch(f"viewer-{viewer}", ssrc=70_000 + 100 * viewer)
    scene.reports["host"].clear()
    for _ in range(50):
        scene.pli()
    assert [part.media for _, part in scene.asked()] == [host.ssrc["f"]]


def test_what_was_lost_before_a_change_is_still_repaired(scene):
    host = Layers(scene)
    scene.watch()
    host.film(3, remb=5_000_000)
    got = scene.got()
    change = next(n for n, (a, b) in enumerate(pairwise(got)) if layer_of(a) != layer_of(b))
    lost = got[change]
    scene.nack(lost.sequence)
    (repair,) = scene.got(ssrc=VIEWER_RTX)
    number, payload = rtp.parse_rtx_payload(repair.payload)
    assert (number, payload, repair.timestamp) == (lost.sequence, lost.payload, lost.timestamp)


def test_what_a_full_path_lost_before_a_lower_layer_came_is_let_go(scene):
    host = Layers(scene)
    scene.watch()
    host.film(5, remb=3_000_000)
    host.film(2, remb=300_000)
    got = unbroken(scene.got())
    change = max(n for n, (a, b) in enumerate(pairwise(got)) if layer_of(a) != layer_of(b))
    scene.nack(got[change].sequence)
    assert scene.got(ssrc=VIEWER_RTX) == []
    scene.nack(got[change + 1].sequence)
    assert len(scene.got(ssrc=VIEWER_RTX)) == 1


def test_repairs_of_a_layer_find_it_by_the_repaired_rid(scene):
    host = Layers(scene)
    scene.watch()
    host.film(2)
    lost = host.packet("h", 0, False)
    host.sequence["h"] += 1
    host.film(FRAME_S)
    plain = rtp.parse(lost)
    repair = rtp.write(
        marker=False,
        payload_type=97,
        sequence=1,
        timestamp=plain.timestamp,
        ssrc=RTX_SSRC,
        payload=rtp.write_rtx_payload(plain.sequence, plain.payload),
        extensions=rtp.write_extensions([(1, b"v"), (3, b"h")]),
    )
    scene.receive("host", repair)
    tracks = {t.layer: t for t in scene.engine.session_stats("host").tracks}
    assert (tracks["h"].recovered, tracks["q"].recovered, tracks["f"].recovered) == (1, 0, 0)


def test_a_starved_viewer_keeps_the_sound_hears_of_it_and_gets_the_picture_back(scene):
    host = Layers(scene)
    scene.watch()
    host.film(4, remb=3_000_000)
    host.film(14, remb=40_000)
    assert [e for e in scene.events if isinstance(e, PictureEvent)] == [
        PictureEvent("ann", "room", 0, is_shown=False)
    ]
    pictures, sounds = len(scene.got()), len(scene.got(ssrc=50_002))
    host.film(1, remb=40_000)
    assert len(scene.got()) == pictures
    assert len(scene.got(ssrc=50_002)) == sounds + 25
    host.film(30, remb=3_000_000)
    assert scene.events[-1] == PictureEvent("ann", "room", 0, is_shown=True)
    assert len(scene.got()) > pictures
    assert stats(scene).layer is not None
    unbroken(scene.got()[:pictures])


def test_where_nothing_of_the_picture_comes_through_the_sound_tells(scene):
    host = Layers(scene)
    scene.watch()
    host.film(4)
    block = rtcp.ReportBlock(50_002, 220, 0, 0, 0, 0, 0)
    loss_of_sound = rtcp.write_receiver_report(rtcp.ReceiverReport(1, (block,)))
    for _ in range(12):
        for _ in range(25):
            host.frame()
        scene.receive("ann", loss_of_sound, is_rtcp=True)
    assert PictureEvent("ann", "room", 0, is_shown=False) in scene.events


@pytest.mark.parametrize("seed", range(1, 5))
def test_any_sequence_of_changes_is_one_stream(scene, seed):
    """Layers come and go, paths grow and shrink, numbers wrap; nothing is torn."""
    chance = random.Random(seed)
    host = Layers(scene, seed=seed)
    for rid in RIDS:
        host.sequence[rid] = 65_500 + chance.randrange(40)
        host.offset[rid] = (1 << 32) - chance.randrange(1 << 20)
        host.picture[rid] = 0x7FFF - chance.randrange(60)
    scene.watch()
    for _ in range(25):
        host.sending = [rid for rid in RIDS if chance.random() < 0.8] or ["q"]
        if chance.random() < 0.3:
            scene.pli()
        host.film(
            chance.choice([1, 1, 2, 5]),
            remb=chance.choice([None, 200_000, 900_000, 5_000_000]),
            loss=chance.choice([0, 0, 0.2]),
        )
    assert len(changes(unbroken(scene.got()))) > 3


def test_without_layers_nothing_is_renumbered(scene):
    assert isinstance(scene.engine, Engine)
    host = scene.publish()
    scene.watch()
    payload = descriptor(77, base=3, temporal=0)
    host.send("v", payload)
    assert scene.got()[0].payload == payload
