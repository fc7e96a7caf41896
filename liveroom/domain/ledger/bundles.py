"""Bundles: transfers that happen together or not at all, decided against what accounts hold.

Flows in: a bundle, the balances it touches, and their lots where they have some. Flows out:
lines and moves of lots, or a refusal. It knows no database: `store/posting` locks before it
asks, writes what comes out, and guards the floors a second time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from liveroom.domain.ledger.accounts import Account
from liveroom.domain.ledger.chain import digest, link
from liveroom.domain.ledger.lots import Lot, Move, Taken, Terms, give_back, opened, take
from liveroom.domain.refusals import Refused

BALANCE_MAX = 2**63 - 1
"""Sums beyond a signed 64-bit integer are refused as invalid, never wrapped."""
TRANSFERS_MAX = 100
"""Transfers of one bundle."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Move an amount of one unit from one account to another; with `terms` it opens a lot."""

    debit: Account
    credit: Account
    amount: int
    terms: Terms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Transfers that happen together or not at all.

    `cause` says what for (`gift:rose`), `ref` is the command it carries out, `actor` who
    asked for it, `reason` why in words where somebody decided.
    `reverses` names the bundle that this one undoes; the books take one for each, ever.
    `returns` names a bundle that took from lots: what this one credits goes back to them, and
    if such a lot ends sooner, into a new one of `grace_ms` (0 = the lot keeps its end).
    `draws` names lots to take from before any other, even expired ones: how lots are
    expired, revoked and refunded.
    """

    id: str
    cause: str
    ref: str
    transfers: tuple[Transfer, ...]
    actor: str = ""
    reason: str = ""
    reverses: str | None = None
    returns: str | None = None
    grace_ms: int = 0
    draws: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds, how many lines it has, and the hash of the last one."""

    amount: int = 0
    version: int = 0
    head: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry in one account: signed amount, then balance, version and hash after it."""

    account: Account
    amount: int
    balance: int
    version: int
    head: str = ""

    @property
    def after(self) -> Balance:
        """What the account holds after it."""
        return Balance(self.balance, self.version, self.head)


@dataclass(frozen=True, slots=True)
class Posted:
    """What a bundle writes."""

    lines: tuple[Line, ...]
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The lots of some accounts: those that hold something, and what may be given back.

    `taken` is what the bundle in `returns` took, less what was given back since.
    """

    lots: Mapping[str, Sequence[Lot]] = field(default_factory=dict)
    taken: Mapping[str, Sequence[Taken]] = field(default_factory=dict)


NOTHING = Balance()
BARE = Shelf()


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


def digest_of(bundle: Bundle, net: Mapping[Account, int], *, at: int) -> str:
    """Digest a bundle for the chains of its accounts."""
    amounts = tuple((account.id, amount) for account, amount in net.items())
    return digest(
        bundle.id, bundle.cause, bundle.ref, bundle.actor, bundle.reason, bundle.reverses,
        at, amounts,
    )  # fmt: skip


def post(
    balances: Mapping[str, Balance], bundle: Bundle, *, at: int, shelf: Shelf = BARE
) -> Posted:
    """Decide a bundle at a time (UTC ms) against what its accounts hold (absent = nothing).

    Raises:
        Refused: the unit's code when an account would fall below its floor, or holds enough
            only in lots that have expired.

    """
    net = net_amounts(bundle)
    whole = digest_of(bundle, net, at=at)
    lines: list[Line] = []
    for account, amount in net.items():
        before = balances.get(account.id, NOTHING)
        after = before.amount + amount
        if account.floor is not None and amount < 0 and after < account.floor:
            raise Refused(account.short)
        if abs(after) > BALANCE_MAX:
            raise Refused("invalid", "The account cannot hold so much.")
        version = before.version + 1
        head = ""
        if account.floor is not None:
            head = link(before.head, whole, account.id, version, amount, after)
        lines.append(Line(account, amount, after, version, head))
    check_sums(lines)
    return Posted(tuple(lines), tuple(_moves(balances, bundle, net, at, shelf)))


def _moves(
    balances: Mapping[str, Balance],
    bundle: Bundle,
    net: Mapping[Account, int],
    at: int,
    shelf: Shelf,
) -> Iterable[Move]:
    """Say what happens to the lots of the accounts."""
    opening = [transfer for transfer in bundle.transfers if transfer.terms is not None]
    if not opening and not shelf.lots and not shelf.taken:
        return
    for account, amount in net.items():
        held = shelf.lots.get(account.id, ())
        new = [transfer for transfer in opening if transfer.credit == account]
        if sum(transfer.amount for transfer in new) > max(amount, 0):
            raise ValueError("a bundle that opens lots in an account takes nothing from it")
        if amount < 0 and held:
            rest = balances.get(account.id, NOTHING).amount - sum(lot.left for lot in held)
            parts = take(held, rest, -amount, at=at, first=bundle.draws)
            if parts is None:
                raise Refused(account.short)
            yield from parts
            continue
        for transfer in new:
            number = opening.index(transfer)
            yield opened(
                f"{bundle.id}/{number}", bundle.id, account.id, transfer.amount,
                transfer.terms or Terms(), at=at,
            )  # fmt: skip
        back = amount - sum(transfer.amount for transfer in new)
        if back > 0 and bundle.returns is not None:
            taken = shelf.taken.get(account.id, ())
            yield from give_back(
                taken, back, of=bundle.returns, by=bundle.id, at=at, grace_ms=bundle.grace_ms
            )


def check_sums(lines: Iterable[Line]) -> None:
    """State that lines of one bundle sum to zero in every unit."""
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.account.unit] = sums.get(line.account.unit, 0) + line.amount
    for unit, total in sums.items():
        assert total == 0, f"{unit} sums to {total}"
