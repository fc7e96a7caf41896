"""Rooms, slots, and who looks at whom."""

from sfu.media.leg import Leg, Outbox
from sfu.media.model import Kind, LegSpec
from sfu.media.stage import Stage


def leg(slot, ssrc=1):
    spec = LegSpec(mid="0", kind=Kind.VIDEO, slot=slot, ssrc=ssrc, payload_types={})
    return Leg(spec, Outbox("viewer"))


def test_a_source_may_be_on_slots_of_several_rooms():
    stage = Stage()
    stage.bind("one", 0, "host")
    stage.bind("two", 1, "host")
    assert stage.places("host") == (("one", 0), ("two", 1))
    assert (stage.source("one", 0), stage.source("two", 1)) == ("host", "host")
    assert stage.source("two", 0) is None


def test_a_slot_shows_one_source_at_a_time():
    stage = Stage()
    stage.bind("one", 0, "host")
    stage.bind("one", 0, "guest")
    assert stage.places("host") == ()
    assert stage.places("guest") == (("one", 0),)


def test_legs_stay_when_the_source_goes():
    stage, looking = Stage(), leg(0)
    stage.enter("one", looking)
    stage.bind("one", 0, "host")
    stage.bind("one", 0, None)
    assert stage.legs("one", 0) == (looking,)


def test_nothing_is_kept_of_a_room_that_nobody_uses():
    stage, looking = Stage(), leg(1)
    stage.enter("one", looking)
    stage.bind("one", 1, "host")
    stage.leave("one", looking)
    stage.leave("one", looking)
    stage.bind("one", 1, None)
    assert (stage._slots, stage._places) == ({}, {})
