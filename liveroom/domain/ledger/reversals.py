"""Reversals: the opposite of a bundle, and a debt for what cannot be taken back any more.

A reversal restores every account the bundle touched. Where somebody has spent what is to be
taken back, the missing part is booked to their *debt* account, openly, or the reversal is
refused; a wallet never goes below zero without a word.
"""

from collections.abc import Callable, Mapping, Sequence

from liveroom.domain.ledger.accounts import Account
from liveroom.domain.ledger.bundles import BALANCE_MAX, Transfer
from liveroom.domain.refusals import Refused

DEBT = "debt"
"""The purpose of debt accounts; what they hold is zero or negative."""


def debt_of(account: Account) -> Account:
    """Name the account for what an owner owes of a unit; it may fall as low as a number can."""
    return Account(account.owner, account.unit, DEBT, floor=-BALANCE_MAX)


def no_debt(account: Account) -> None:
    """Let nobody owe anything."""


def undo(
    amounts: Sequence[tuple[Account, int]],
    *,
    spendable: Mapping[str, int],
    debtor: Callable[[Account], Account | None] = no_debt,
) -> tuple[Transfer, ...]:
    """Write the transfers that undo a bundle.

    Args:
        amounts: what the bundle did to each account.
        spendable: what guarded accounts can give now, by account name.
        debtor: names the account that owes what another one cannot give, None = refuse.

    Raises:
        Refused: the unit's code when an account cannot give enough and may owe nothing.

    """
    givers: dict[str, list[tuple[Account, int]]] = {}
    takers: dict[str, list[tuple[Account, int]]] = {}
    for account, amount in sorted(amounts, key=lambda pair: pair[0].id):
        if amount < 0:
            takers.setdefault(account.unit, []).append((account, -amount))
            continue
        gives = amount
        if account.floor is not None:
            gives = min(amount, max(0, spendable[account.id] - account.floor))
        if gives:
            givers.setdefault(account.unit, []).append((account, gives))
        if gives < amount:
            owing = debtor(account)
            if owing is None:
                raise Refused(account.short)
            givers.setdefault(account.unit, []).append((owing, amount - gives))
    return tuple(
        transfer for unit in sorted(givers) for transfer in _matched(givers[unit], takers[unit])
    )


def _matched(
    givers: Sequence[tuple[Account, int]], takers: Sequence[tuple[Account, int]]
) -> list[Transfer]:
    """Pair two lists with the same sum."""
    transfers: list[Transfer] = []
    waiting = list(takers)
    for giver, gives in givers:
        while gives:
            taker, wants = waiting[0]
            part = min(gives, wants)
            transfers.append(Transfer(giver, taker, part))
            gives -= part
            if part == wants:
                waiting.pop(0)
            else:
                waiting[0] = (taker, wants - part)
    return transfers
