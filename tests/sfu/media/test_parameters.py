"""Parameter sets of H264, for viewers whose key frame came without them."""

from sfu.media.parameters import SETS_MAX, ParameterSets
from sfu.packet import rtp

SPS, PPS, IDR = b"\x67sequence", b"\x68picture", b"\x65idr"


def test_sets_are_kept_in_order_and_once():
    sets = ParameterSets()
    assert sets.seen(SPS)
    assert sets.seen(PPS)
    assert sets.seen(PPS)
    assert not sets.seen(IDR)
    assert sets.ahead() == (SPS, PPS)


def test_a_new_sequence_forgets_the_pictures_of_the_old():
    sets = ParameterSets()
    for unit in (SPS, PPS, b"\x67other"):
        sets.seen(unit)
    assert sets.ahead() == (b"\x67other",)


def test_a_picture_set_without_its_sequence_is_of_no_use():
    sets = ParameterSets()
    sets.seen(PPS)
    assert sets.ahead() == ()


def test_there_are_never_more_than_the_bound_and_the_sequence_stays():
    sets = ParameterSets()
    sets.seen(SPS)
    for n in range(100):
        sets.seen(b"\x68%d" % n)
    assert len(sets.ahead()) == SETS_MAX
    assert (sets.ahead()[0], sets.ahead()[-1]) == (SPS, b"\x6899")


def h264(scene, codecs, **viewer):
    host = scene.publish(codecs={96: codecs["h264"]})
    for payload in (SPS, PPS, IDR, b"\x61slice"):
        host.send("v", payload)
    scene.watch(codecs={codecs["h264"]: 120}, **viewer)
    return host


def test_a_key_frame_without_them_gets_them_ahead(scene, codecs):
    host = h264(scene, codecs)
    host.send("v", b"\x61slice")
    host.send("v", IDR)
    host.send("v", b"\x61slice")
    packets = scene.got()
    assert [p.payload for p in packets] == [SPS, PPS, IDR, b"\x61slice"]
    first = packets[0].sequence
    assert [p.sequence for p in packets] == [first, first + 1, first + 2, first + 3]
    assert [p.timestamp - packets[0].timestamp for p in packets] == [0, 0, 0, 3000]
    assert [p.marker for p in packets[:3]] == [False, False, True]
    assert scene.engine.session_stats("ann").legs[0].packets == 4


def test_a_key_frame_with_them_is_left_as_it_is(scene, codecs):
    host = h264(scene, codecs)
    together = b"\x78\x00\x02\x67s\x00\x02\x68p"
    host.send("v", together)
    host.send("v", IDR)
    assert [p.payload for p in scene.got()] == [together, IDR]


def test_they_can_be_repaired_like_any_packet(scene, codecs):
    host = h264(scene, codecs)
    host.send("v", IDR)
    scene.nack(*(p.sequence for p in scene.got()))
    repaired = [rtp.parse_rtx_payload(p.payload)[1] for p in scene.got(ssrc=50_001)]
    assert repaired == [SPS, PPS, IDR]


def test_they_come_ahead_after_a_switch_too_without_a_break(scene, codecs):
    host = h264(scene, codecs)
    host.send("v", IDR)
    scene.bind(0, None)
    host.send("v", b"\x61unseen")
    scene.bind(0, "host")
    host.send("v", IDR)
    packets = scene.got()
    assert [p.payload for p in packets] == [SPS, PPS, IDR, SPS, PPS, IDR]
    first = packets[0].sequence
    assert [p.sequence for p in packets] == list(range(first, first + 6))
    scene.nack(packets[3].sequence, packets[2].sequence)
    repaired = [rtp.parse_rtx_payload(p.payload)[1] for p in scene.got(ssrc=50_001)]
    assert repaired == [SPS, IDR]
