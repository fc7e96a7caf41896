"""Buying coins, and taking a purchase back: by the shop, or by a bank against everybody.

A purchase opens lots in the wallet: the coins paid for, with their price, and those on top,
which end. What is taken back comes out of those lots; what was tipped from them comes from
whoever got it, and is a debt where it is gone.
"""

from typing import Any

from sqlalchemy import Row

from liveroom.domain.actors import Actor
from liveroom.domain.coins import (
    BONUS_TTL_MS,
    PACKS,
    CoinReceipt,
    Pack,
    PurchaseState,
    find_pack,
)
from liveroom.domain.ids import OrderId, RoomId
from liveroom.domain.ledger import Bundle, Terms, Transfer, chart
from liveroom.domain.ledger.reversals import debt_of
from liveroom.domain.members import may_pay
from liveroom.domain.orders import CHECKOUT_TTL_MS, Checkout
from liveroom.domain.receipts import CoinsBought
from liveroom.domain.refusals import Refused
from liveroom.observe import LEDGER_TRANSFERS, logger
from liveroom.service.access import CUSTOMERS, MERCHANTS, Access, require, require_name
from liveroom.service.paying import PaymentNotice, PaymentOutcome
from liveroom.service.ports import Ports
from liveroom.service.refunding import RefundReceipt
from liveroom.store import coins, journal, keys, members, posting, refunds
from liveroom.store.journal import Place
from liveroom.store.lots import opened_by
from liveroom.store.port import Transaction

_log = logger(__name__)


class Coins:
    """Sells coins."""

    def __init__(self, ports: Ports, access: Access) -> None:
        self._ports = ports
        self._access = access

    def packs(self) -> tuple[Pack, ...]:
        """List what can be bought."""
        return PACKS

    async def buy(self, actor: Actor, room: RoomId, pack: str, key: str) -> Checkout:
        """Open a payment for a pack; the coins come with the provider's word.

        Raises:
            Refused: `forbidden`, `anonymous`, `age_unconfirmed`, `no_such_pack`,
                `idempotency_mismatch`, `unavailable`.

        """
        require(actor, CUSTOMERS)
        actor, door = await self._access.enter(actor, room)
        require_name(actor)
        found, at = find_pack(pack), self._ports.now_ms()

        def effect(tx: Transaction) -> str:
            may_pay(actor, members.guest(tx, door.tenant, None, actor.user).member.age_band)
            order = self._ports.new_id()
            coins.add(tx, door.tenant, room, actor.user, found, order=OrderId(order), at=at)
            return order

        def command(tx: Transaction) -> keys.Outcome:
            scope = keys.Scope(tenant=door.tenant, command="coins", subject=actor.user, key=key)
            asked = {"room": room, "pack": pack}
            return keys.once(tx, scope, command=asked, at=at, answer_type=str, effect=effect)

        order = OrderId((await self._ports.store.run(command)).unwrap())
        return await self._with_payment(order, found)

    async def _with_payment(self, order: OrderId, pack: Pack) -> Checkout:
        """Open the payment unless it is open; the provider knows a repeated order."""
        row = await self._ports.store.run(lambda tx: coins.find(tx, order))
        assert row is not None, order
        if row.payment is None:
            payment = await self._ports.payments.create(order, row.amount, f"{pack.coins} coins")
            row = await self._ports.store.run(
                lambda tx: coins.open_payment(tx, order, payment.id, payment.pay_url)
            )
        return Checkout(
            order=order,
            amount=row.amount,
            payment=row.payment,
            pay_url=row.pay_url,
            expires_at=row.created_at + CHECKOUT_TTL_MS,
        )

    async def knows(self, order: OrderId) -> bool:
        """Whether an order is one of coins."""
        return await self._ports.store.run(lambda tx: coins.find(tx, order)) is not None

    async def settled(self, notice: PaymentNotice) -> CoinReceipt | None:
        """Take the provider's word: bring the coins once, or take everything back once.

        Raises:
            Refused: `no_such_order` for a payment that is not the order's, `invalid` for
                another amount.

        """
        at = self._ports.now_ms()
        receipt, new = await self._ports.store.run(lambda tx: self._settle(tx, notice, at))
        LEDGER_TRANSFERS.inc(int(new))
        return receipt

    def _settle(
        self, tx: Transaction, notice: PaymentNotice, at: int
    ) -> tuple[CoinReceipt | None, bool]:
        row = coins.find(tx, notice.order, lock=True)
        if row is None or row.payment != notice.payment:
            raise Refused("no_such_order")
        if notice.amount != row.amount:
            raise Refused("invalid", "The amount paid is not the amount asked for.")
        state = PurchaseState(row.state)
        if notice.outcome is PaymentOutcome.CHARGED_BACK:
            return None, self._charge_back(tx, row)
        if notice.outcome is PaymentOutcome.FAILED:
            if state is PurchaseState.PENDING:
                coins.move(tx, notice.order, PurchaseState.CANCELLED)
            return None, False
        if state not in (PurchaseState.PENDING, PurchaseState.CANCELLED, PurchaseState.PAID):
            return None, False
        new = state is not PurchaseState.PAID
        if new:  # a payment that was given up on and is paid after all brings its coins too
            self._bring(tx, row, at)
        held = posting.balance_of(tx, row.tenant, chart.wallet_of(row.member)).amount
        receipt = CoinReceipt(order=notice.order, coins=row.coins, bonus=row.bonus, coins_left=held)
        if new:
            self._tell(tx, row, receipt, at)
        return receipt, new

    def _bring(self, tx: Transaction, row: Row[Any], at: int) -> None:
        """Bring the coins; what somebody owes from before is paid with them first."""
        wallet = chart.wallet_of(row.member)
        owing = debt_of(wallet)
        debt = -posting.lock(tx, row.tenant, [wallet, owing]).balances[owing.id].amount
        owed = min(debt, row.coins)
        transfers = [Transfer(chart.ISSUER, owing, owed)] if owed else []
        if row.coins > owed:
            cost = row.amount * (row.coins - owed) // row.coins
            bought = Terms(cost=cost, funder="buyer")
            transfers.append(Transfer(chart.ISSUER, wallet, row.coins - owed, bought))
        if row.bonus:
            on_top = Terms(expires_at=at + BONUS_TTL_MS, funder="platform")
            transfers.append(Transfer(chart.ISSUER, wallet, row.bonus, on_top))
        bundle = Bundle(
            id=purchase_bundle(row.order_id),
            cause=f"coins:{row.pack}",
            ref=row.order_id,
            actor=row.member,
            transfers=tuple(transfers),
        )
        posting.post_bundle(tx, row.tenant, bundle, at=at)
        coins.move(tx, row.order_id, PurchaseState.PAID, paid_at=at)

    def _tell(self, tx: Transaction, row: Row[Any], receipt: CoinReceipt, at: int) -> None:
        place = Place(tenant=row.tenant, room=row.room, at=at)
        fact = CoinsBought(
            order=receipt.order,
            coins=receipt.coins + receipt.bonus,
            coins_left=receipt.coins_left,
        )
        journal.append_personal(tx, place, row.member, fact, new_id=self._ports.new_id)

    async def refund(self, actor: Actor, order: OrderId, reason: str, key: str) -> RefundReceipt:
        """Give back what is left of a purchase, at the price it had; coins on top just end.

        Raises:
            Refused: `forbidden`, `no_such_order`, `nothing_to_refund`, `idempotency_mismatch`.

        """
        require(actor, MERCHANTS)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def effect(tx: Transaction) -> RefundReceipt:
            row = coins.find(tx, order, lock=True)
            if row is None or row.tenant != tenant:
                raise Refused("no_such_order")
            return take_back(tx, row, actor=actor.user, reason=reason, at=at)

        def command(tx: Transaction) -> keys.Outcome:
            scope = keys.Scope(tenant=tenant, command="coin_refund", subject="", key=key)
            asked = {"order": order, "reason": reason}
            return keys.once(
                tx, scope, command=asked, at=at, answer_type=RefundReceipt, effect=effect
            )

        receipt: RefundReceipt = (await self._ports.store.run(command)).unwrap()
        return receipt

    def _charge_back(self, tx: Transaction, row: Row[Any]) -> bool:
        """Have every coin of a purchase taken back (`service/unwinding`); False when it was."""
        if row.state != PurchaseState.PAID:
            return False
        coins.move(tx, row.order_id, PurchaseState.CHARGING_BACK)
        _log.warning("a purchase of coins is charged back", order=row.order_id)
        return True


def purchase_bundle(order: str) -> str:
    """Name the bundle that brought the coins of a purchase."""
    return f"{order}/coins"


def take_back(tx: Transaction, row: Row[Any], *, actor: str, reason: str, at: int) -> RefundReceipt:
    """Take what is left of a purchase out of the wallet, and owe the buyer its price."""
    if row.state != PurchaseState.PAID:
        raise Refused("nothing_to_refund")
    wallet, order = chart.wallet_of(row.member), OrderId(row.order_id)
    posting.lock(tx, row.tenant, [wallet])
    lots = [lot for lot in opened_by(tx, row.tenant, purchase_bundle(order)) if lot.left]
    amount = sum(lot.worth(lot.left) for lot in lots)
    if not amount:
        raise Refused("nothing_to_refund")
    bundle = Bundle(
        id=f"{order}/refunded",
        cause="coins:refunded",
        ref=order,
        actor=actor,
        reason=reason,
        transfers=(Transfer(wallet, chart.ISSUER, sum(lot.left for lot in lots)),),
        draws=tuple(lot.id for lot in lots),
    )
    posting.post_bundle(tx, row.tenant, bundle, at=at)
    coins.move(tx, order, PurchaseState.REFUNDED)
    state = refunds.add(
        tx, row.tenant, f"{order}/coins", order, amount,
        payment=row.payment, reason=reason, actor=actor, at=at,
    )  # fmt: skip
    return RefundReceipt(id=f"{order}/coins", order=order, amount=amount, state=state, whole=True)
