"""What a refund comes to: the paid price of what goes back, less gifts that are kept.

Flows in: the lines of an order as they stand, and how much of which goes back. Flows out: the
amount of each line and of the whole. Cumulative rounding makes partial refunds sum to exactly
what was paid. It knows neither stock nor money.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from liveroom.domain.ids import OrderId
from liveroom.domain.refusals import Refused

REASON_LENGTH_MAX = 200
ATTEMPTS_MAX = 12
"""Tries to give money back before a person has to look at it."""
RETRY_MS = 2_000
"""The pause after the first try; it doubles up to an hour."""
RETRY_MS_MAX = 60 * 60 * 1000


class RefundState(StrEnum):
    """Where the money of a refund is.

    `OUTSIDE` = the shop took the payment itself and gives it back itself; `FAILED` = the
    provider would not, a person has to.
    """

    DUE = "due"
    DONE = "done"
    FAILED = "failed"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldLine:
    """A line of an order as it stands; amounts in fen, `worth` the list price of one unit.

    `paid` is what was paid for the line, `back` the units that came back. Of a gift that was
    kept while what it came with went back, `docked` units were taken off a refund.
    """

    line: int
    product: str
    quantity: int
    paid: int
    back: int = 0
    gift_of: int | None = None
    worth: int = 0
    docked: int = 0

    def paid_for(self, units: int) -> int:
        """Price the first units of the line; all of them cost exactly what was paid."""
        return self.paid * units // self.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """So many units of a line go back."""

    line: int
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """What goes back, what it is worth, and the lines of the order afterwards."""

    returned: tuple[Returned, ...]
    amount: int
    lines: tuple[SoldLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefunded:
    """A refund as others may act on it: undo points, return coupons, tell the buyer."""

    refund: str
    order: OrderId
    amount: int
    whole: bool
    """Whether nothing of the order is left."""


def refund(lines: Sequence[SoldLine], asked: Sequence[Returned]) -> Refund:
    """Work a refund out; asking for nothing means everything that is left.

    Raises:
        Refused: `invalid` for an unknown line or more units than are left,
            `nothing_to_refund` when everything came back before.

    """
    wanted = _wanted(lines, asked)
    if not wanted:
        raise Refused("nothing_to_refund")
    amount = 0
    after: list[SoldLine] = []
    for line in lines:
        units = wanted.get(line.line, 0)
        amount += line.paid_for(line.back + units) - line.paid_for(line.back)
        after.append(replace(line, back=line.back + units))
    amount, after = _dock(after, amount)
    returned = tuple(Returned(line=line, quantity=units) for line, units in wanted.items())
    return Refund(returned=returned, amount=amount, lines=tuple(after))


def _wanted(lines: Sequence[SoldLine], asked: Sequence[Returned]) -> dict[int, int]:
    left = {line.line: line.quantity - line.back for line in lines}
    if not asked:
        return {line: units for line, units in left.items() if units}
    wanted: dict[int, int] = {}
    for one in asked:
        if one.line not in left:
            raise Refused("invalid", f"lines: there is no line {one.line}.")
        wanted[one.line] = wanted.get(one.line, 0) + one.quantity
        if type(one.quantity) is not int or one.quantity < 1 or wanted[one.line] > left[one.line]:
            raise Refused("invalid", f"lines: of line {one.line} {left[one.line]} are left.")
    return wanted


def _dock(lines: Sequence[SoldLine], amount: int) -> tuple[int, list[SoldLine]]:
    """Take the worth of gifts off that are kept though what they came with went back.

    A gift that comes back later gives its worth back. No refund falls below zero: what
    cannot be taken off now is taken off the next one.
    """
    by_number = {line.line: line for line in lines}
    after: list[SoldLine] = []
    for line in lines:
        if line.gift_of is None:
            after.append(line)
            continue
        bought = by_number[line.gift_of]
        due = line.quantity * bought.back // bought.quantity
        docked = max(0, due - line.back)
        if line.worth:
            docked = min(docked, line.docked + amount // line.worth)
        amount -= (docked - line.docked) * line.worth
        after.append(replace(line, docked=docked))
    return amount, after


def retry_at(attempts: int, *, at: int) -> int:
    """Say when to try again to give money back, after so many tries."""
    pause_ms = RETRY_MS << min(attempts, ATTEMPTS_MAX)
    return at + min(RETRY_MS_MAX, pause_ms)
