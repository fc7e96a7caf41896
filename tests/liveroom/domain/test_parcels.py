"""A parcel goes on, never back; said twice is said once."""

import itertools

import pytest

from liveroom.domain.ids import UserId
from liveroom.domain.parcels import UNSENT, Parcel, ParcelState, move
from liveroom.domain.refusals import Refused

S = ParcelState
WAYS = [
    (S.WAITING, S.PACKED, S.SHIPPED, S.DELIVERED, S.RETURNED),
    (S.WAITING, S.SHIPPED, S.LOST, S.DELIVERED),
    (S.WAITING, S.CANCELLED),
    (S.PACKED, S.CANCELLED),
]


@pytest.mark.parametrize("way", WAYS)
def test_parcels_go_these_ways_and_not_back(way: tuple[ParcelState, ...]) -> None:
    for before, after in itertools.pairwise(way):
        assert move(before, after)
        assert not move(after, after)
        if (before, after) != (S.LOST, S.DELIVERED):
            with pytest.raises(Refused, match="parcel_elsewhere"):
                move(after, before)


@pytest.mark.parametrize("end", [S.RETURNED, S.CANCELLED])
def test_what_has_ended_goes_nowhere(end: ParcelState) -> None:
    for other in set(S) - {end}:
        with pytest.raises(Refused, match="parcel_elsewhere"):
            move(end, other)


@pytest.mark.parametrize("state", S)
def test_only_what_is_still_here_is_late(state: ParcelState) -> None:
    parcel = Parcel(
        id="p", member=UserId("u"), title="t", state=state, promised_at=100, created_at=0
    )
    assert parcel.late(100) == (state in UNSENT)
    assert not parcel.late(99)
