"""Taking money back wherever it went: charge-backs, and cases of guardians.

Gifts are taken back one by one, each once, a few at a time, so that a long evening of them
never keeps the shop waiting; what a charge-back returns is taken out of the wallet in the
same transaction. A host who has it no longer owes it, openly.
"""

from typing import Any, Final

from sqlalchemy import Row

from liveroom.domain.actors import Actor, AgeBand
from liveroom.domain.coins import Case, CaseState, PurchaseState
from liveroom.domain.ids import TenantId, UserId
from liveroom.domain.ledger import Account, Bundle, Transfer, chart
from liveroom.domain.ledger.reversals import debt_of
from liveroom.domain.orders import TIME_MAX, check_amount
from liveroom.domain.refunds import REASON_LENGTH_MAX
from liveroom.domain.refusals import Refused
from liveroom.service.access import MERCHANTS, Access, require
from liveroom.service.coins import purchase_bundle, take_back
from liveroom.service.ports import Ports
from liveroom.store import cases, coins, earnings, keys, members, posting, reversing
from liveroom.store.lots import opened_by
from liveroom.store.port import Transaction

GIFTS_AT_ONCE: Final = 50
"""Gifts taken back in one transaction; the rest waits for the next step."""
JOBS_AT_ONCE: Final = 4
CASES_LISTED_MAX: Final = 200


class Unwinding:
    """Opens and decides cases, and does what they and charge-backs demand."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access

    async def open(
        self, actor: Actor, member: UserId, *, since: int, until: int, reason: str, key: str
    ) -> Case:
        """Open a case about what somebody paid in a time.

        Raises:
            Refused: `forbidden`, `invalid`, `no_such_user`, `idempotency_mismatch`.

        """
        require(actor, MERCHANTS)
        check_amount("since", since, least=0, most=TIME_MAX)
        check_amount("until", until, least=since, most=TIME_MAX)
        if not 0 < len(reason) <= REASON_LENGTH_MAX:
            raise Refused("invalid", f"reason: 1 to {REASON_LENGTH_MAX} characters.")
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def effect(tx: Transaction) -> Case:
            if members.find(tx, tenant, member) is None:
                raise Refused("no_such_user")
            case = Case(
                id=self._ports.new_id(), member=member, reason=reason, since=since, until=until,
                state=CaseState.OPEN, opened_by=actor.user, opened_at=at,
            )  # fmt: skip
            fields = {name: getattr(case, name) for name in case.__dataclass_fields__}
            cases.add(tx, {"tenant": tenant, **fields})
            return case

        def command(tx: Transaction) -> keys.Outcome:
            scope = keys.Scope(tenant=tenant, command="case", subject="", key=key)
            asked = {"member": member, "since": since, "until": until, "reason": reason}
            return keys.once(tx, scope, command=asked, at=at, answer_type=Case, effect=effect)

        opened: Case = (await self._ports.store.run(command)).unwrap()
        return opened

    async def decide(self, actor: Actor, id: str, *, approve: bool, note: str) -> Case:
        """Decide a case: it takes another person than who opened it. Again changes nothing.

        Raises:
            Refused: `forbidden`, `no_such_case`, `case_decided` when it was decided otherwise.

        """
        require(actor, MERCHANTS)
        if len(note) > REASON_LENGTH_MAX:
            raise Refused("invalid", f"note: at most {REASON_LENGTH_MAX} characters.")
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def command(tx: Transaction) -> Case:
            row = cases.find(tx, tenant, id, lock=True)
            if row is None:
                raise Refused("no_such_case")
            if row.opened_by == actor.user:
                raise Refused("forbidden", "Another person than who opened the case decides it.")
            if row.state != CaseState.OPEN:
                if (row.state != CaseState.REFUSED) is not approve:
                    raise Refused("case_decided")
                return case_of(row)
            state = CaseState.WORKING if approve else CaseState.REFUSED
            cases.change(
                tx, tenant, id, state=state, decided_by=actor.user, decided_at=at, note=note
            )
            if approve:  # from now on they are known as a minor, and pay nothing
                members.change(tx, tenant, row.member, {"age_band": AgeBand.MINOR})
            decided = cases.find(tx, tenant, id)
            assert decided is not None
            return case_of(decided)

        return await self._ports.store.run(command)

    async def listed(self, actor: Actor) -> list[Case]:
        """List the shop's cases, newest first."""
        require(actor, MERCHANTS)
        tenant = await self._access.tenant(actor)
        rows = await self._ports.store.run(lambda tx: cases.listed(tx, tenant, CASES_LISTED_MAX))
        return [case_of(row) for row in rows]

    async def step(self) -> int:
        """Go on with what was decided; returns how many gifts were taken back."""
        at = self._ports.now_ms()

        def command(tx: Transaction) -> int:
            charged = coins.in_state(tx, PurchaseState.CHARGING_BACK, JOBS_AT_ONCE)
            working = cases.in_state(tx, CaseState.WORKING, JOBS_AT_ONCE)
            return sum(self._charge_back(tx, row, at) for row in charged) + sum(
                self._work(tx, row, at) for row in working
            )

        return await self._ports.store.run(command)

    def _charge_back(self, tx: Transaction, row: Row[Any], at: int) -> int:
        lots = [lot.id for lot in opened_by(tx, row.tenant, purchase_bundle(row.order_id))]
        gifts = cases.gifts_from(tx, row.tenant, lots, limit=GIFTS_AT_ONCE) if lots else []
        for gift in gifts:
            undo_gift(
                tx, row.tenant, gift, actor="", reason="charged back", ref=row.order_id, at=at
            )
        self._drain(tx, row, at)
        if len(gifts) < GIFTS_AT_ONCE:
            self._owe(tx, row, at)
            coins.move(tx, row.order_id, PurchaseState.CHARGED_BACK)
        return len(gifts)

    def _drain(self, tx: Transaction, row: Row[Any], at: int) -> None:
        """Take what lies in the purchase's lots out of the wallet."""
        wallet = chart.wallet_of(row.member)
        posting.lock(tx, row.tenant, [wallet])
        lots = [lot for lot in opened_by(tx, row.tenant, purchase_bundle(row.order_id)) if lot.left]
        if lots:
            transfer = Transfer(wallet, chart.ISSUER, sum(lot.left for lot in lots))
            bundle = Bundle(
                id=self._ports.new_id(), cause="coins:charged_back", ref=row.order_id,
                transfers=(transfer,), draws=tuple(lot.id for lot in lots),
            )  # fmt: skip
            posting.post_bundle(tx, row.tenant, bundle, at=at)

    def _owe(self, tx: Transaction, row: Row[Any], at: int) -> None:
        """Book what was spent on anything but gifts as the buyer's debt."""
        drained = posting.moved_by(tx, row.tenant, "coins:charged_back", row.order_id)
        bought = sum(
            lot.amount
            for lot in opened_by(tx, row.tenant, purchase_bundle(row.order_id))
            if lot.terms.cost
        )
        taken = sum(amount for lot, amount in drained.items() if lot in _paid_lots(tx, row))
        if bought > taken:
            owing = debt_of(chart.wallet_of(row.member))
            bundle = Bundle(
                id=f"{row.order_id}/owed", cause="coins:owed", ref=row.order_id,
                transfers=(Transfer(owing, chart.ISSUER, bought - taken),),
            )  # fmt: skip
            posting.post_bundle(tx, row.tenant, bundle, at=at)

    def _work(self, tx: Transaction, row: Row[Any], at: int) -> int:
        gifts = cases.gifts_of(
            tx, row.tenant, row.member, since=row.since, until=row.until, limit=GIFTS_AT_ONCE
        )
        returned = sum(
            undo_gift(
                tx, row.tenant, gift, actor=row.decided_by, reason=row.reason, ref=row.id, at=at
            )
            for gift in gifts
        )
        changes: dict[str, Any] = {"coins": row.coins + returned}
        if len(gifts) < GIFTS_AT_ONCE:
            changes |= {"state": CaseState.DONE, "amount": _pay_back(tx, row, at)}
        cases.change(tx, row.tenant, row.id, **changes)
        return len(gifts)


def _paid_lots(tx: Transaction, row: Row[Any]) -> set[str]:
    lots = opened_by(tx, row.tenant, purchase_bundle(row.order_id))
    return {lot.id for lot in lots if lot.terms.cost}


def _pay_back(tx: Transaction, row: Row[Any], at: int) -> int:
    """Pay back the purchases of the time at the price they had; returns the fen."""
    amount = 0
    for purchase in coins.paid_between(tx, row.tenant, row.member, row.since, row.until):
        try:
            amount += take_back(tx, purchase, actor=row.decided_by, reason=row.reason, at=at).amount
        except Refused as refused:
            if refused.code != "nothing_to_refund":
                raise
    return amount


def undo_gift(
    tx: Transaction,
    tenant: TenantId,
    gift: Row[Any],
    *,
    actor: str,
    reason: str,
    ref: str,
    at: int,
) -> int:
    """Take a gift back from host and platform; returns the coins that went to the giver.

    While the earnings are pending they come from there, later from what the host has, and
    what is gone is the host's debt.
    """

    def lies_in(account: Account) -> Account:
        if account.purpose != "pending":
            return account
        return earnings.lies_in(tx, tenant, account, given_at=gift.at)

    lines = reversing.reverse(
        tx, tenant, gift.id, cause="gift:undone", ref=ref, actor=actor, reason=reason, at=at,
        lies_in=lies_in, debtor=lambda account: debt_of(account) if account.owner != "platform"
        else None,
    )  # fmt: skip
    return sum(line.amount for line in lines.values() if line.account.purpose == "wallet")


def case_of(row: Row[Any]) -> Case:
    """Read a case from its row."""
    fields = {name: getattr(row, name) for name in Case.__dataclass_fields__}
    return Case(**{**fields, "state": CaseState(row.state)})
