"""A whole ledger in memory: the model that tests and audits hold a stored one to."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from liveroom.domain.ledger.bundles import NOTHING, Balance, Bundle, Line, Posted, Shelf, post
from liveroom.domain.ledger.lots import Lot, Move, Taken, spendable
from liveroom.domain.refusals import Refused


@dataclass(slots=True)
class Book:
    """Balances, lots and every line and move that made them."""

    balances: dict[str, Balance] = field(default_factory=dict)
    lots: dict[str, Lot] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    moves: list[tuple[str, Move]] = field(default_factory=list)
    posted: dict[str, tuple[Bundle, Posted]] = field(default_factory=dict)

    def post(self, bundle: Bundle, *, at: int = 0) -> Posted:
        """Post a bundle once: the same id with the same content returns what it wrote."""
        if bundle.id in self.posted:
            known, written = self.posted[bundle.id]
            if known != bundle:
                raise Refused("idempotency_mismatch")
            return written
        written = post(self.balances, bundle, at=at, shelf=self.shelf(bundle))
        self.apply(written.lines)
        self.move(bundle.id, written.moves)
        self.posted[bundle.id] = (bundle, written)
        return written

    def shelf(self, bundle: Bundle) -> Shelf:
        """Lay out the lots that a bundle may touch."""
        held: dict[str, list[Lot]] = {}
        for lot in self.lots.values():
            if lot.left:
                held.setdefault(lot.account, []).append(lot)
        taken: dict[str, list[Taken]] = {}
        for lot in self.lots.values():
            amount = -sum(
                move.amount
                for by, move in self.moves
                if move.lot == lot.id
                and bundle.returns is not None
                and bundle.returns in ((by if move.of is None else None), move.of)
            )
            if amount > 0:
                taken.setdefault(lot.account, []).append(Taken(lot=lot, amount=amount))
        return Shelf(lots=held, taken=taken)

    def spendable(self, account: str, *, at: int) -> int:
        """Say how much of an account can be spent now."""
        mine = [lot for lot in self.lots.values() if lot.account == account]
        return spendable(mine, self.balances.get(account, NOTHING).amount, at=at)

    def apply(self, lines: Iterable[Line]) -> None:
        """Append lines, each of which must follow on from its account's last one."""
        for line in lines:
            before = self.balances.get(line.account.id, NOTHING)
            assert line.version == before.version + 1, f"gap before {line}"
            assert line.balance == before.amount + line.amount, f"wrong balance in {line}"
            self.balances[line.account.id] = line.after
            self.lines.append(line)

    def move(self, bundle: str, moves: Iterable[Move]) -> None:
        """Append moves of lots, none of which may empty a lot twice or overfill it."""
        for move in moves:
            if move.opens is not None:
                assert move.lot not in self.lots, f"{move.lot} is there already"
                self.lots[move.lot] = move.opens
            else:
                lot = self.lots[move.lot]
                left = lot.left + move.amount
                assert 0 <= left <= lot.amount, f"{move} does not fit {lot}"
                self.lots[move.lot] = replace(lot, left=left)
            self.moves.append((bundle, move))
