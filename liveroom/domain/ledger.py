"""Double entry in integers: accounts, transfers in all-or-nothing bundles, append-only lines.

A bundle goes in with the balances it touches; lines come out, or a refusal. Nothing here
knows a database: `store/posting` writes the lines and guards the floors a second time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from liveroom.domain.refusals import Refused

BALANCE_MAX = 2**63 - 1
"""Sums beyond a signed 64-bit integer are refused as invalid, never wrapped."""
TRANSFERS_MAX = 100
"""Transfers of one bundle."""

SHORT_OF: dict[str, str] = {"coins": "not_enough_coins", "points": "not_enough_points"}
"""The refusal when an account would fall below its floor, by unit; others are `out_of_stock`."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who holds what for which purpose; `floor` None = may go as low as it likes."""

    owner: str
    unit: str
    purpose: str
    floor: int | None = None

    @property
    def id(self) -> str:
        """The account's name in the books."""
        return f"{self.owner}:{self.unit}:{self.purpose}"


@dataclass(frozen=True, slots=True)
class Transfer:
    """Move an amount of one unit from one account to another."""

    debit: Account
    credit: Account
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Transfers that happen together or not at all; `ref` is the command they carry out."""

    id: str
    cause: str
    ref: str
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds and how many lines it has."""

    amount: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One entry in one account: signed amount, the balance and version after it."""

    account: Account
    amount: int
    balance: int
    version: int


NOTHING = Balance()


def net_amounts(bundle: Bundle) -> dict[Account, int]:
    """Sum a bundle up per account, in order of account names; what nets to zero drops out.

    Raises:
        Refused: `invalid` for an amount that is not a positive integer within bounds.

    """
    if not 1 <= len(bundle.transfers) <= TRANSFERS_MAX:
        raise ValueError(f"a bundle has 1 to {TRANSFERS_MAX} transfers")
    net: dict[Account, int] = {}
    for transfer in bundle.transfers:
        amount = transfer.amount
        if type(amount) is not int or not 0 < amount <= BALANCE_MAX:
            raise Refused("invalid", "amount must be a positive integer.")
        if transfer.debit.unit != transfer.credit.unit or transfer.debit == transfer.credit:
            raise ValueError("a transfer moves one unit between two accounts")
        net[transfer.debit] = net.get(transfer.debit, 0) - amount
        net[transfer.credit] = net.get(transfer.credit, 0) + amount
    return {account: net[account] for account in sorted(net, key=lambda a: a.id) if net[account]}


def post(balances: Mapping[str, Balance], bundle: Bundle) -> tuple[Line, ...]:
    """Decide a bundle against the balances of its accounts (by account id; absent = nothing).

    Raises:
        Refused: the unit's code when an account would fall below its floor.

    """
    lines: list[Line] = []
    for account, amount in net_amounts(bundle).items():
        before = balances.get(account.id, NOTHING)
        after = before.amount + amount
        if account.floor is not None and amount < 0 and after < account.floor:
            raise Refused(SHORT_OF.get(account.unit, "out_of_stock"))
        if abs(after) > BALANCE_MAX:
            raise Refused("invalid", "The account cannot hold so much.")
        lines.append(Line(account, amount, after, before.version + 1))
    check_sums(lines)
    return tuple(lines)


def check_sums(lines: Iterable[Line]) -> None:
    """State that lines of one bundle sum to zero in every unit."""
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.account.unit] = sums.get(line.account.unit, 0) + line.amount
    for unit, total in sums.items():
        assert total == 0, f"{unit} sums to {total}"


def split(amount: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Divide an amount by weights so that the parts sum to it exactly (largest remainder).

    Each part differs from its ideal by less than one; of equal remainders the earlier
    weight gets the unit that is left over.
    """
    total = sum(weights)
    if amount < 0 or total <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("split takes a non-negative amount and weights with a positive sum")
    parts = [amount * weight // total for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % total), i))
    for index in order[: amount - sum(parts)]:
        parts[index] += 1
    return tuple(parts)


@dataclass(slots=True)
class Book:
    """A whole ledger in memory: the model that tests and audits hold a stored one to."""

    balances: dict[str, Balance] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    posted: dict[str, tuple[Bundle, tuple[Line, ...]]] = field(default_factory=dict)

    def post(self, bundle: Bundle) -> tuple[Line, ...]:
        """Post a bundle once: the same id with the same content returns the same lines."""
        if bundle.id in self.posted:
            known, lines = self.posted[bundle.id]
            if known != bundle:
                raise Refused("idempotency_mismatch")
            return lines
        lines = post(self.balances, bundle)
        self.apply(lines)
        self.posted[bundle.id] = (bundle, lines)
        return lines

    def apply(self, lines: Iterable[Line]) -> None:
        """Append lines, each of which must follow on from its account's last one."""
        for line in lines:
            before = self.balances.get(line.account.id, NOTHING)
            assert line.version == before.version + 1, f"gap before {line}"
            assert line.balance == before.amount + line.amount, f"wrong balance in {line}"
            self.balances[line.account.id] = Balance(line.balance, line.version)
            self.lines.append(line)
