"""Accounts and their names. It knows neither amounts nor what accounts are for."""

from dataclasses import dataclass

SHORT_OF: dict[str, str] = {
    "coins": "not_enough_coins",
    "points": "not_enough_points",
    "coupon": "used_up",
    "flash": "limit_reached",
}
"""The refusal when an account would fall below its floor, by kind of unit; else `out_of_stock`."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who holds what for which purpose; `floor` None = may go as low as it likes.

    An account with a floor is *guarded*: it has a balance row, gap-free versions and a chain
    of hashes. One without is only lines, so that two gifts to one host never wait for each
    other. A purpose has no colon, and a unit at most one slash (`stock/p1`), which ids never
    have: so no two accounts share a name.
    """

    owner: str
    unit: str
    purpose: str
    floor: int | None = None

    @property
    def id(self) -> str:
        """The account's name in the books."""
        return f"{self.owner}:{self.unit}:{self.purpose}"

    @property
    def short(self) -> str:
        """The code of the refusal when it holds too little."""
        return SHORT_OF.get(self.unit.partition("/")[0], "out_of_stock")


def unit_of(kind: str, thing: str) -> str:
    """Name the unit that counts one thing: the stock of a product, a coupon template."""
    return f"{kind}/{thing}"


def account_of(id: str, unit: str, *, floor: int | None) -> Account:
    """Read an account back from its name and unit."""
    front, _, purpose = id.rpartition(":")
    owner = front.removesuffix(f":{unit}")
    assert owner != front, f"{id} does not hold {unit}"
    return Account(owner, unit, purpose, floor)
