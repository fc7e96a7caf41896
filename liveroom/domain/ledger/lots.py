"""Lots: what an account holds, by where it came from, what it cost and when it ends.

Spending takes the earliest end first, giving back returns to the lots it came from, the
latest end first: so a half-used payment is always worth the most. What an account holds
beside its lots (an opening balance, say) never ends and costs nothing; it goes before lots
without an end, so that coins somebody paid for last longest.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

NEVER = 2**63 - 1
"""Sorts after every end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a lot is opened.

    `expires_at` (UTC ms) is the first moment it can no longer be spent, None = never.
    `cost` in fen is what was paid for the whole lot; `funder` names who pays for it.
    """

    expires_at: int | None = None
    funder: str = ""
    cost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """An amount in one account with its terms; `left` is what is still there."""

    id: str
    account: str
    bundle: str
    amount: int
    left: int
    opened_at: int
    terms: Terms

    @property
    def ends_at(self) -> int:
        """The moment from which it cannot be spent."""
        return NEVER if self.terms.expires_at is None else self.terms.expires_at

    def worth(self, amount: int) -> int:
        """Price a part of it in fen, rounded down."""
        return self.terms.cost * amount // self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a bundle took from a lot and was not given back yet."""

    lot: Lot
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A lot gains or loses an amount; `opens` is the lot where it is new.

    `of` names the bundle whose taking this gives back.
    """

    lot: str
    amount: int
    opens: Lot | None = None
    of: str | None = None


def opened(id: str, bundle: str, account: str, amount: int, terms: Terms, *, at: int) -> Move:
    """Open a lot."""
    lot = Lot(
        id=id, account=account, bundle=bundle, amount=amount, left=amount, opened_at=at, terms=terms
    )
    return Move(lot=id, amount=amount, opens=lot)


def spendable(lots: Iterable[Lot], balance: int, *, at: int) -> int:
    """Say how much of a balance can be spent now."""
    return balance - sum(lot.left for lot in lots if lot.ends_at <= at)


def take(
    lots: Sequence[Lot], rest: int, amount: int, *, at: int, first: Collection[str] = ()
) -> tuple[Move, ...] | None:
    """Take an amount, the earliest end first; None when there is not enough.

    Args:
        lots: those that hold something.
        rest: what the account holds beside them.
        amount: how much is taken.
        at: now (UTC ms); a lot that ends at this moment has ended.
        first: lots to take from before all others, even when they have ended.

    """
    preferred = [lot for lot in lots if lot.id in first]
    others = [lot for lot in lots if lot.id not in first and lot.ends_at > at]
    ending = [lot for lot in others if lot.ends_at != NEVER]
    lasting = [lot for lot in others if lot.ends_at == NEVER]
    moves: list[Move] = []
    for lot in [*_in_order(preferred), *_in_order(ending)]:
        amount -= _take_from(lot, amount, moves)
    amount -= min(rest, amount)
    for lot in _in_order(lasting):
        amount -= _take_from(lot, amount, moves)
    return None if amount else tuple(moves)


def _order(lot: Lot) -> tuple[int, int, str]:
    return lot.ends_at, lot.opened_at, lot.id


def _in_order(lots: Iterable[Lot]) -> list[Lot]:
    return sorted(lots, key=_order)


def _take_from(lot: Lot, wanted: int, moves: list[Move]) -> int:
    part = min(lot.left, wanted)
    if part:
        moves.append(Move(lot=lot.id, amount=-part))
    return part


def give_back(
    taken: Sequence[Taken], amount: int, *, of: str, by: str, at: int, grace_ms: int
) -> tuple[Move, ...]:
    """Return an amount to the lots that bundle `of` took it from, the latest end first.

    What is beyond them was never theirs and stays beside the lots. Of a lot that ends within
    `grace_ms`, what is returned moves on into a new one that lasts so long, and no longer.
    """
    moves: list[Move] = []
    for part in sorted(taken, key=lambda part: _order(part.lot), reverse=True):
        back, lot = min(part.amount, amount), part.lot
        if not back:
            continue
        amount -= back
        moves.append(Move(lot=lot.id, amount=back, of=of))
        if lot.ends_at < at + grace_ms:
            terms = Terms(expires_at=at + grace_ms, funder=lot.terms.funder, cost=lot.worth(back))
            moves.append(Move(lot=lot.id, amount=-back))
            moves.append(opened(f"{by}/{lot.id}", by, lot.account, back, terms, at=at))
    return tuple(moves)
