"""A tap reads each packet once, in order, and says where something is missing."""

import pytest

from sfu.media.model import Kind
from sfu.media.tap import HOLE_S
from tests.sfu.media.conftest import DELTA, KEY


def payloads(taken):
    return [stored.payload for stored in taken.packets]


@pytest.fixture
def host(scene):
    return scene.publish("host")


@pytest.fixture
def video(scene, host):
    host.key()
    tap = taps(scene)[Kind.VIDEO]
    tap.take(now=scene.now)
    return tap


def taps(scene):
    return {tap.kind: tap for tap in scene.engine.taps("host")}


def test_it_begins_with_the_newest_key_frame_and_the_sound_beside_it(scene, host):
    host.send("a", b"before")
    scene.pass_time(0.1)
    host.key()
    host.send("a", b"beside")
    host.send("v", b"\x10\x01one")
    video, audio = (taps(scene)[kind] for kind in (Kind.VIDEO, Kind.AUDIO))
    assert video.first_arrived == scene.now
    assert payloads(video.take(now=scene.now)) == [KEY, b"\x10\x01one"]
    assert payloads(audio.take(now=scene.now)) == [b"beside"]
    assert video.take(now=scene.now).packets == []
    host.send("v", b"\x10\x01two")
    assert payloads(video.take(now=scene.now)) == [b"\x10\x01two"]


def test_before_the_first_packet_there_is_nothing(scene, host):
    video = taps(scene)[Kind.VIDEO]
    assert video.first_arrived is None
    assert video.take(now=scene.now).packets == []
    host.send("v", DELTA)
    host.key()
    assert payloads(video.take(now=scene.now))[-1] == KEY


def test_a_hole_is_waited_for_and_a_repair_comes_in_its_place(scene, host, video):
    lost = host.lose()
    host.send("v", b"\x10\x01after")
    assert video.take(now=scene.now).packets == []
    scene.receive("host", lost)
    taken = video.take(now=scene.now)
    assert payloads(taken) == [DELTA, b"\x10\x01after"]
    assert (taken.missing, taken.after_gap) == (0, frozenset())


def test_what_never_comes_is_a_gap(scene, host, video):
    host.lose()
    host.send("v", b"\x10\x01after")
    host.send("v", b"\x10\x01later")
    scene.pass_time(HOLE_S + 0.01)
    taken = video.take(now=scene.now)
    assert payloads(taken) == [b"\x10\x01after", b"\x10\x01later"]
    assert taken.missing == 1
    assert taken.after_gap == {taken.packets[0].sequence}


def test_the_last_look_waits_for_nothing(scene, host):
    host.key()
    video = taps(scene)[Kind.VIDEO]
    host.lose()
    host.send("v", b"\x10\x01after")
    taken = video.take(now=scene.now, is_last=True)
    assert payloads(taken) == [KEY, b"\x10\x01after"]


def test_another_numbering_is_a_gap_after_the_rest_of_the_old(scene, host):
    host.key()
    video = taps(scene)[Kind.VIDEO]
    host.send("v", b"\x10\x01old")
    host.next["v"] += 30_000
    host.send("v", b"\x10\x01tells of the jump")
    host.key()
    scene.pass_time(HOLE_S + 0.01)
    taken = video.take(now=scene.now)
    assert payloads(taken) == [KEY, b"\x10\x01old", KEY]
    assert taken.after_gap == {taken.packets[-1].sequence}


def test_the_newest_picture_is_whole_or_none(scene, host):
    assert scene.engine.picture("room") is None
    host.key()
    picture = scene.engine.picture("room")
    assert (picture.codec, picture.payloads) == ("vp8", (KEY,))
    assert scene.engine.picture("elsewhere") is None


def test_what_nobody_may_get_is_not_read_either(scene, host, video):
    scene.take(scene.engine.mute("room", 0, frozenset({Kind.VIDEO}), now=scene.now))
    host.key()
    assert video.take(now=scene.now).packets == []
    assert scene.engine.picture("room") is None
    scene.take(scene.engine.mute("room", 0, frozenset(), now=scene.now))
    host.send("v", b"\x10\x01after")
    taken = video.take(now=scene.now)
    assert payloads(taken) == [b"\x10\x01after"]
    assert len(taken.after_gap) == 1
    assert video.take(now=scene.now).after_gap == frozenset()
