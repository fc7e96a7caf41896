"""Parcels: what was bought or won is on its way, and when it is later than promised.

A parcel's way is a table; steps may be left out (a courier may report only the end), but it
never goes back.
"""

from dataclasses import dataclass
from enum import StrEnum

from liveroom.domain.ids import OrderId, UserId
from liveroom.domain.refusals import Refused

SHIP_WITHIN_MS = 48 * 60 * 60 * 1000
"""Until when a parcel shall leave, unless the shop promised otherwise."""
ADDRESS_FIELD_LENGTH_MAX = 200


class ParcelState(StrEnum):
    """Where a parcel is."""

    WAITING = "waiting"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNED = "returned"
    LOST = "lost"
    CANCELLED = "cancelled"


_NEXT: dict[ParcelState, frozenset[ParcelState]] = {
    ParcelState.WAITING: frozenset(ParcelState) - {ParcelState.WAITING},
    ParcelState.PACKED: frozenset(ParcelState) - {ParcelState.WAITING, ParcelState.PACKED},
    ParcelState.SHIPPED: frozenset({ParcelState.DELIVERED, ParcelState.RETURNED, ParcelState.LOST}),
    ParcelState.DELIVERED: frozenset({ParcelState.RETURNED}),
    ParcelState.LOST: frozenset({ParcelState.DELIVERED, ParcelState.RETURNED}),
    ParcelState.RETURNED: frozenset(),
    ParcelState.CANCELLED: frozenset(),
}

UNSENT = frozenset({ParcelState.WAITING, ParcelState.PACKED})
"""Where it is still with the shop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where somebody wants their parcels; only the shop sees it."""

    name: str
    phone: str
    line: str
    city: str
    region: str = ""
    postcode: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One parcel; times UTC ms.

    `first` marks somebody's first purchase, which is guarded: later than promised it raises
    an alert and an apology, once (`alerted_at`).
    """

    id: str
    member: UserId
    title: str
    state: ParcelState
    promised_at: int
    created_at: int
    order: OrderId | None = None
    first: bool = False
    carrier: str | None = None
    tracking: str | None = None
    changed_at: int = 0
    alerted_at: int | None = None
    address: Address | None = None

    def late(self, at: int) -> bool:
        """Whether it should have left by now."""
        return self.state in UNSENT and self.promised_at <= at


def move(before: ParcelState, after: ParcelState) -> bool:
    """Check a step of a parcel; False when it is there already (couriers say things twice).

    Raises:
        Refused: `parcel_elsewhere` when it cannot get there from where it is.

    """
    if after is before:
        return False
    if after not in _NEXT[before]:
        raise Refused("parcel_elsewhere", f"The parcel is {before} and cannot become {after}.")
    return True
