"""The ledger: everything scarce and countable, in double entry and integer minor units.

Coins, points, fen, stock, coupons, budgets and quotas are *units*; an account holds one unit
for one owner and purpose. Three things happen to accounts, each whole or not at all:

- a **bundle** of transfers is posted (`bundles`); it may open *lots* (`lots`: expiry, funder,
  cost), draw on them, or give back what an earlier bundle took;
- a **hold** reserves an amount and ends exactly once: captured, released or expired (`holds`);
- a bundle is **reversed**, once; what cannot be taken back becomes a debt (`reversals`).

`splits` divides amounts, `chain` ties an account's lines together, `chart` names the accounts.
All of it is pure: `store/posting` and `store/holds` lock, load, call, and write what comes out.
"""

from liveroom.domain.ledger.accounts import Account, account_of, unit_of
from liveroom.domain.ledger.book import Book
from liveroom.domain.ledger.bundles import (
    BALANCE_MAX,
    NOTHING,
    Balance,
    Bundle,
    Line,
    Posted,
    Transfer,
    check_sums,
    net_amounts,
    post,
)
from liveroom.domain.ledger.holds import Hold, HoldDraft, HoldState
from liveroom.domain.ledger.lots import Lot, Move, Taken, Terms
from liveroom.domain.ledger.splits import split, split_fairly

__all__ = [
    "BALANCE_MAX",
    "NOTHING",
    "Account",
    "Balance",
    "Book",
    "Bundle",
    "Hold",
    "HoldDraft",
    "HoldState",
    "Line",
    "Lot",
    "Move",
    "Posted",
    "Taken",
    "Terms",
    "Transfer",
    "account_of",
    "check_sums",
    "net_amounts",
    "post",
    "split",
    "split_fairly",
    "unit_of",
]
