"""The demo's host never fights a person over the pin."""

from liveroom.demo.host import HANDS_OFF_S, Pins


def test_own_pins_go_on() -> None:
    pins = Pins()
    pins.ours = "puer"

    pins.seen("puer", now=10.0)

    assert pins.are_ours(now=10.0)


def test_a_persons_pin_is_left_alone_for_a_while() -> None:
    pins = Pins()
    pins.ours = "puer"

    pins.seen("kettle", now=10.0)

    assert not pins.are_ours(now=10.0 + HANDS_OFF_S - 0.1)
    assert pins.are_ours(now=10.0 + HANDS_OFF_S)


def test_a_pin_taken_down_by_a_person_stays_down_for_a_while() -> None:
    pins = Pins()
    pins.ours = "puer"

    pins.seen(None, now=10.0)

    assert not pins.are_ours(now=11.0)
