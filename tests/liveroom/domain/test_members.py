"""Others see a nickname or a masked id; only a confirmed adult pays."""

import pytest

from liveroom.domain.actors import Actor, AgeBand, Role
from liveroom.domain.ids import RoomId, UserId
from liveroom.domain.members import NAME_LENGTH_MAX, age_band_of, may_pay, public_name
from liveroom.domain.refusals import Refused

ADULT, MINOR = AgeBand.ADULT, AgeBand.MINOR


def actor(age_band: AgeBand | None = None, anonymous: bool = False) -> Actor:
    return Actor(
        user=UserId("u"), role=Role.VIEWER, room=RoomId("r"), age_band=age_band,
        anonymous=anonymous,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "record", "name"),
    [
        ("阿明", "王小明", "阿明"),
        (None, "小明", "小明"),
        ("  ", "小明", "小明"),
        (None, None, "u***7"),
        ("", " ", "u***7"),
        ("x" * 99, None, "x" * NAME_LENGTH_MAX),
    ],
)
def test_the_nickname_comes_first_and_a_stranger_is_masked(
    claim: str | None, record: str | None, name: str
) -> None:
    assert public_name(user=UserId("user-1337"), claim=claim, record=record) == name


@pytest.mark.parametrize(
    ("claim", "record", "band"),
    [
        (None, None, MINOR), (ADULT, None, ADULT), (None, ADULT, ADULT), (None, MINOR, MINOR),
        (MINOR, ADULT, MINOR), (ADULT, MINOR, ADULT),
    ],
)  # fmt: skip
def test_the_claim_wins_and_unknown_counts_as_minor(
    claim: AgeBand | None, record: AgeBand | None, band: AgeBand
) -> None:
    assert age_band_of(actor(claim), record) is band
    if band is ADULT:
        may_pay(actor(claim), record)
    else:
        with pytest.raises(Refused, match="age_unconfirmed"):
            may_pay(actor(claim), record)


def test_an_anonymous_visitor_does_not_pay() -> None:
    with pytest.raises(Refused, match="anonymous"):
        may_pay(actor(ADULT, anonymous=True), ADULT)
