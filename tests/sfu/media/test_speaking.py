"""Who speaks, told from audio levels."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sfu.media.model import Kind, SpeakerEvent
from sfu.media.speaking import ASK_EVERY_S, FADE_S, HOLD_S, Loudness, Speakers

QUIET, LOUD = bytes([100]), bytes([0x80 | 20])


def voice(level: bytes, seconds: float = 1.0, *, start: float = 0.0) -> Loudness:
    loudness = Loudness()
    for n in range(round(seconds * 50)):
        loudness.heard(level, now=start + n / 50)
    return loudness


def test_loudness_follows_the_level_and_fades_without_packets():
    loud = voice(LOUD)
    assert loud.above_silence_db(now=1.0) > 100
    assert loud.above_silence_db(now=1.0 + FADE_S) == 0
    assert voice(QUIET).above_silence_db(now=1.0) < 30
    assert Loudness().above_silence_db(now=0) == 0


def test_one_click_is_not_speech():
    loudness = voice(QUIET)
    loudness.heard(LOUD, now=1.0)
    assert loudness.above_silence_db(now=1.0) < 40


def test_an_empty_value_is_ignored():
    loudness = Loudness()
    loudness.heard(b"", now=0)
    assert loudness.above_silence_db(now=0) == 0


def test_the_loudest_who_is_audible_speaks_and_a_change_is_told_once():
    speakers = Speakers()
    assert speakers.decide({"r": {"a": 100.0, "b": 40.0}}, now=10) == [SpeakerEvent("r", "a")]
    assert speakers.decide({"r": {"a": 100.0, "b": 40.0}}, now=20) == []
    assert speakers.decide({"r": {"a": 10.0, "b": 40.0}}, now=30) == [SpeakerEvent("r", None)]


def test_a_newcomer_must_be_clearly_louder_or_the_other_silent():
    speakers = Speakers()
    speakers.decide({"r": {"a": 100.0, "b": 0.0}}, now=10)
    assert speakers.decide({"r": {"a": 100.0, "b": 104.0}}, now=12) == []
    assert speakers.decide({"r": {"a": 100.0, "b": 107.0}}, now=14) == [SpeakerEvent("r", "b")]
    assert speakers.decide({"r": {"a": 90.0, "b": 20.0}}, now=16) == [SpeakerEvent("r", "a")]


def test_a_speaker_who_leaves_and_a_room_that_empties_are_told():
    speakers = Speakers()
    speakers.decide({"r": {"a": 100.0, "b": 0.0}}, now=10)
    assert speakers.decide({"r": {"b": 0.0}}, now=10.1) == [SpeakerEvent("r", None)]
    speakers.decide({"r": {"a": 100.0, "b": 0.0}}, now=12)
    assert speakers.decide({}, now=12.1) == [SpeakerEvent("r", None)]
    assert speakers.decide({}, now=13) == []


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.floats(0, 127), min_size=1, max_size=3),
        max_size=60,
    )
)
def test_a_room_hears_of_somebody_new_at_most_once_in_a_while(rounds):
    speakers, told = Speakers(), []
    for n, loud in enumerate(rounds):
        now = n * ASK_EVERY_S
        for event in speakers.decide({"r": loud}, now=now):
            told.append((now, event.session))
            assert event.session is None or event.session in loud
    for (before, gone), (after, session) in pairwise(told):
        assert gone != session
        if gone in rounds[round(after / ASK_EVERY_S)]:
            assert after - before >= HOLD_S


def test_the_engine_tells_who_speaks_on_a_shared_stage(scene):
    scene.publish()
    guest = scene.publish("guest", slot=1, ssrc=2000)
    scene.watch(slots=2)

    def talk() -> None:
        for _ in range(50):
            guest.send("a", b"sound", level=LOUD)
            scene.pass_time(0.02)

    talk()
    told = [event for event in scene.events if isinstance(event, SpeakerEvent)]
    assert told == [SpeakerEvent("room", "guest")]
    scene.take(scene.engine.mute("room", 1, frozenset({Kind.AUDIO}), now=scene.now))
    talk()
    told = [event for event in scene.events if isinstance(event, SpeakerEvent)]
    assert told[1:] == [SpeakerEvent("room", None)], "who is muted does not speak"
