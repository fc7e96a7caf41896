"""What a paid order sets off, inside the transaction that records it.

The member's lifetime, the ordinal in the room, the public events: all of it or nothing.
"""

from collections.abc import Sequence

from liveroom.domain.events import Fact, OrderPaid
from liveroom.domain.ids import TenantId
from liveroom.domain.orders import OrderDraft, OrderReceipt, Product, total_of
from liveroom.domain.parcels import Parcel, ParcelState
from liveroom.domain.receipts import PaymentReceived
from liveroom.domain.refusals import Refused
from liveroom.domain.rituals import ritual_for
from liveroom.service.levelling import Levelling
from liveroom.service.ports import Ports
from liveroom.service.rewarding import Rewarding
from liveroom.store import journal, keys, members, parcels, rooms, shop
from liveroom.store.journal import Place
from liveroom.store.members import Guest
from liveroom.store.port import Transaction


class Ordering:
    """Records paid orders."""

    def __init__(self, ports: Ports, levelling: Levelling, rewarding: Rewarding) -> None:
        self._ports = ports
        self._levelling = levelling
        self._rewarding = rewarding

    def record(
        self,
        tx: Transaction,
        tenant: TenantId,
        draft: OrderDraft,
        bought: Sequence[Product],
        *,
        at: int,
        takes_stock: bool = False,
        receipt_to_buyer: bool = False,
        imported: bool = False,
    ) -> OrderReceipt:
        """Write an order, and with a room fire there.

        `takes_stock` takes it off the shelves too, as late as possible: the shelf of what is
        on sale is a lock that all its buyers share, as is the room's counter after it.
        """
        total = total_of(draft.lines)
        members.ensure(tx, tenant, draft.user, at=at)
        _, orders = members.note_purchase(tx, tenant, draft.user, total)
        nth = members.nth_order(tx, tenant, draft.room, draft.user) if draft.room else 0
        room = rooms.find(tx, draft.room) if draft.room else None
        level = self._levelling.after_purchase(
            tx, tenant, draft.user, draft.room, total=total, at=at
        )
        receipt = OrderReceipt(id=draft.id, total=total, nth=nth, tier=level.tier.value)
        is_new = shop.add_order(
            tx,
            tenant,
            draft,
            bought,
            receipt=receipt,
            broadcast=room.broadcast.id if room and room.broadcast else None,
            fingerprint=keys.fingerprint_of(draft),
            imported=imported,
            at=at,
        )
        if not is_new:
            raise Refused("exists")
        self._rewarding.after_purchase(tx, tenant, draft.user, draft.id, paid=total, at=at)
        if draft.room is not None:
            self._pack(tx, tenant, draft, bought, first=orders == 1, at=at)
        if takes_stock:
            shop.take_stock(tx, tenant, draft.lines, bought, order=draft.id, at=at)
        if room is not None:
            self._fire(tx, tenant, draft, bought, receipt, room.language, at, receipt_to_buyer)
        return receipt

    def _pack(
        self,
        tx: Transaction,
        tenant: TenantId,
        draft: OrderDraft,
        bought: Sequence[Product],
        *,
        first: bool,
        at: int,
    ) -> None:
        """Open the order's parcel, with the promise when it leaves."""
        parcel = Parcel(
            id=self._ports.new_id(),
            member=draft.user,
            title=bought[0].title,
            state=ParcelState.WAITING,
            promised_at=at + self._ports.policy.ship_within_ms,
            created_at=at,
            order=draft.id,
            first=first,
        )
        parcels.add(tx, tenant, parcel)

    def _fire(
        self,
        tx: Transaction,
        tenant: TenantId,
        draft: OrderDraft,
        bought: Sequence[Product],
        receipt: OrderReceipt,
        language: str,
        at: int,
        receipt_to_buyer: bool,
    ) -> None:
        assert draft.room is not None
        place = Place(tenant=tenant, room=draft.room, at=at)
        buyer = members.guest(tx, tenant, draft.room, draft.user)
        if receipt_to_buyer:
            fact = PaymentReceived(
                order=draft.id,
                product=bought[0].id,
                title=bought[0].title,
                amount=receipt.total,
                nth=receipt.nth,
            )
            journal.append_personal(tx, place, draft.user, fact, new_id=self._ports.new_id)
        facts = self._public_facts(draft, bought[0], buyer, receipt.nth, language)
        totals = {"orders": 1, "revenue": receipt.total}
        journal.append(tx, place, facts, new_id=self._ports.new_id, add=totals)

    @staticmethod
    def _public_facts(
        draft: OrderDraft, product: Product, buyer: Guest, nth: int, language: str
    ) -> list[Fact]:
        """Say in public what the buyer agreed to: the order's word beats the member's."""
        named = draft.public if draft.public is not None else buyer.member.public_orders
        thanked = draft.ritual if draft.ritual is not None else buyer.member.ritual
        name = buyer.name()
        facts: list[Fact] = [
            OrderPaid(
                product=product.id,
                title=product.title,
                user=draft.user if named else None,
                name=name if named else None,
            )
        ]
        ritual = ritual_for(
            user=draft.user, name=name, nth=nth, language=language, opted_out=not thanked
        )
        return [*facts, ritual] if ritual else facts
