"""Muted slots, viewers who look elsewhere, and what nobody may see afterwards."""

import pytest

from sfu.media.model import Kind
from tests.sfu.media.conftest import DELTA, KEY, Scene, film, rising

AUDIO, VIDEO = frozenset({Kind.AUDIO}), frozenset({Kind.VIDEO})
NONE: frozenset[Kind] = frozenset()
GUEST_VIDEO, GUEST_AUDIO = 50_010, 50_012


def muted(scene: Scene, kinds: frozenset[Kind], slot: int = 1) -> None:
    scene.take(scene.engine.mute("room", slot, kinds, now=scene.now))


@pytest.fixture
def guest(scene):
    scene.publish()
    guest = scene.publish("guest", slot=1, ssrc=2000)
    scene.watch(slots=2)
    guest.key()
    guest.send("a", b"sound")
    return guest


def test_a_muted_slot_gets_nothing_of_that_kind(scene, guest):
    muted(scene, AUDIO)
    guest.send("a", b"unheard")
    guest.send("v", DELTA)
    assert [p.payload for p in scene.got(ssrc=GUEST_AUDIO)] == [b"sound"]
    assert len(scene.got(ssrc=GUEST_VIDEO)) == 2


def test_muting_both_kinds_leaves_the_host_alone(scene, guest):
    muted(scene, AUDIO | VIDEO)
    guest.key()
    guest.send("a", b"unheard")
    assert len(scene.got(ssrc=GUEST_VIDEO)) == len(scene.got(ssrc=GUEST_AUDIO)) == 1


def test_after_a_mute_the_stream_goes_on_with_a_new_key_frame(scene, guest):
    muted(scene, VIDEO)
    film(guest, 30)
    muted(scene, NONE)
    assert scene.asked("guest"), "a key frame is asked for at once"
    guest.send("v", DELTA + b"useless")
    guest.send("v", KEY + b"seen")
    shown = rising(scene.got(ssrc=GUEST_VIDEO))
    assert [p.payload for p in shown[1:]] == [KEY + b"seen"]


def test_nobody_is_shown_what_was_sent_while_muted(scene, guest):
    """Neither who was there, nor by a NACK, nor by the replay of somebody who joins later."""
    last = scene.got(ssrc=GUEST_VIDEO)[-1].sequence
    muted(scene, VIDEO)
    film(guest, 20, key=KEY + b"secret")
    scene.nack(*range(last + 1, last + 20), ssrc=GUEST_VIDEO)
    muted(scene, NONE)
    scene.watch("late", slots=2, ssrc=60_000)
    scene.pass_time(1)
    guest.send("v", KEY + b"public")
    sent = [p for viewer in ("ann", "late") for p in scene.media[viewer]]
    assert not [p for p in sent if b"secret" in p.payload or DELTA in p.payload]
    assert [p.payload for p in scene.got("late", ssrc=60_010)] == [KEY + b"public"]


def test_a_mute_stays_with_the_slot_whoever_stands_there(scene, guest):
    muted(scene, AUDIO)
    second = scene.publish("second", slot=1, ssrc=3000)
    second.send("a", b"unheard")
    second.key()
    assert len(scene.got(ssrc=GUEST_AUDIO)) == 1
    assert len(scene.got(ssrc=GUEST_VIDEO)) == 2


def test_who_comes_back_from_silence_is_not_shown_a_muted_slot(scene, guest):
    scene.engine.suspend("ann", now=scene.now)
    muted(scene, AUDIO)
    scene.engine.resume("ann", now=scene.now)
    guest.send("a", b"unheard")
    assert len(scene.got(ssrc=GUEST_AUDIO)) == 1


def test_a_viewer_who_is_moved_sees_the_other_stage_in_the_same_streams(scene):
    host, other = scene.publish(), scene.publish("other", room="elsewhere", ssrc=2000)
    scene.watch()
    host.send("v", KEY + b"here")
    scene.take(scene.engine.move("ann", "elsewhere", now=scene.now))
    host.send("v", KEY + b"unseen")
    other.send("v", KEY + b"there")
    scene.take(scene.engine.move("ann", "room", now=scene.now))
    host.send("v", KEY + b"back")
    shown = rising(scene.got())
    assert [p.payload for p in shown if p.payload != KEY + b"unseen"] == [
        KEY + b"here",
        KEY + b"there",
        KEY + b"back",
    ]
