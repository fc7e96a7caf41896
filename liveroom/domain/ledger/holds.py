"""Holds: an amount set aside that ends exactly once - captured, released or expired.

```
held ──capture (at most what is held; the rest goes back)──> captured
  ├──release──────────────────────────────────────────────> released
  └──its time passes──────────────────────────────────────> expired
```
Setting aside is a bundle into the owner's own `reserved` account, ending is a bundle out of
it: so what is held can be spent by nobody, and the books show it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from liveroom.domain.ledger.accounts import Account
from liveroom.domain.ledger.bundles import Bundle, Transfer
from liveroom.domain.refusals import Refused


class HoldState(StrEnum):
    """Where a hold is; all but the first are its end."""

    HELD = "held"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldDraft:
    """What to set aside from an account until a moment (UTC ms); `id` is the asker's."""

    id: str
    account: Account
    amount: int
    expires_at: int
    cause: str
    ref: str
    actor: str = ""

    @property
    def opening(self) -> str:
        """The id of the bundle that sets aside; a refund `returns` it, to find the lots."""
        return f"{self.id}/held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold as it stands; `captured` of its amount went where it was meant to go."""

    draft: HoldDraft
    state: HoldState = HoldState.HELD
    captured: int = 0


def reserved_of(account: Account) -> Account:
    """Name the account in which what is held of another one lies."""
    return Account(account.owner, account.unit, f"{account.purpose}-reserved", floor=0)


def opening(draft: HoldDraft) -> Bundle:
    """Set the amount aside."""
    transfer = Transfer(draft.account, reserved_of(draft.account), draft.amount)
    return Bundle(
        id=draft.opening, cause=draft.cause, ref=draft.ref, actor=draft.actor, transfers=(transfer,)
    )


def capture(
    hold: Hold, to: Sequence[tuple[Account, int]], *, cause: str, ref: str, at: int
) -> tuple[Hold, Bundle]:
    """Hand over what was held, at most all of it; the rest goes back where it came from.

    Raises:
        Refused: `hold_ended` when it ended before or its time has passed, `invalid` when
            more is captured than held.

    """
    draft = hold.draft
    if hold.state is not HoldState.HELD or draft.expires_at <= at:
        raise Refused("hold_ended")
    captured = sum(amount for _, amount in to)
    if not 0 < captured <= draft.amount:
        raise Refused("invalid", f"Capture from 1 to {draft.amount}.")
    reserved = reserved_of(draft.account)
    transfers = [Transfer(reserved, account, amount) for account, amount in to]
    if captured < draft.amount:
        transfers.append(Transfer(reserved, draft.account, draft.amount - captured))
    ended = Hold(draft=draft, state=HoldState.CAPTURED, captured=captured)
    return ended, _ending(draft, tuple(transfers), cause, ref)


def let_go(hold: Hold, *, state: HoldState, ref: str) -> tuple[Hold, Bundle]:
    """Give all of it back, because nobody needs it (`RELEASED`) or its time has passed.

    Raises:
        Refused: `hold_ended` when it ended before.

    """
    draft = hold.draft
    if hold.state is not HoldState.HELD:
        raise Refused("hold_ended")
    transfer = Transfer(reserved_of(draft.account), draft.account, draft.amount)
    ended = Hold(draft=draft, state=state)
    return ended, _ending(draft, (transfer,), f"{draft.cause}:{state}", ref)


def _ending(draft: HoldDraft, transfers: tuple[Transfer, ...], cause: str, ref: str) -> Bundle:
    """Write the end of a hold; that its id is taken keeps it from ending twice."""
    return Bundle(
        id=f"{draft.id}/ended",
        cause=cause,
        ref=ref,
        actor=draft.actor,
        transfers=transfers,
        returns=draft.opening,
    )
