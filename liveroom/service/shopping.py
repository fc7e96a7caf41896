"""Products, the pin, and paid orders that the shop's backend reports."""

from collections.abc import Sequence

from liveroom.domain.actors import Actor
from liveroom.domain.basket import Wanted, card_of
from liveroom.domain.events import ProductCard, ProductPinned
from liveroom.domain.ids import OrderId, ProductId, RoomId, TenantId
from liveroom.domain.orders import (
    Checkout,
    OrderDraft,
    OrderReceipt,
    Product,
    check_product,
    total_of,
)
from liveroom.domain.refusals import Refused
from liveroom.service.access import HOSTS, MERCHANTS, Access, require
from liveroom.service.checkouts import Checkouts
from liveroom.service.explaining import explain
from liveroom.service.ordering import Ordering
from liveroom.service.paying import PaymentNotice
from liveroom.service.ports import Ports
from liveroom.service.profiles import Profiles
from liveroom.service.quoting import BEST, Means
from liveroom.store import journal, keys, rooms, shop
from liveroom.store.journal import Place
from liveroom.store.port import Transaction


class Shopping:
    """Keeps what is sold, and what was."""

    def __init__(
        self, ports: Ports, access: Access, profiles: Profiles, ordering: Ordering
    ) -> None:
        self._ports = ports
        self._access = access
        self._profiles = profiles
        self._ordering = ordering
        self._checkouts = Checkouts(ports, access, profiles, ordering)

    async def put_product(self, actor: Actor, product: Product) -> Product:
        """Create a product or replace it; needs no key."""
        require(actor, MERCHANTS)
        check_product(product)
        tenant, at = await self._access.tenant(actor), self._ports.now_ms()

        def put(tx: Transaction) -> None:
            shop.put_product(tx, tenant, product, new_id=self._ports.new_id, at=at)

        await self._ports.store.run(put)
        return product

    async def products(self, tenant: TenantId) -> list[Product]:
        """List a shop's products."""
        return await self._ports.store.run(lambda tx: shop.all_products(tx, tenant))

    async def products_of(self, actor: Actor | None, room: RoomId) -> list[Product]:
        """List what is sold in a room."""
        if actor is not None:
            await self._access.enter(actor, room)
        return await self.products((await self._access.door(room)).tenant)

    async def pin(
        self, actor: Actor, room: RoomId, product: ProductId | None
    ) -> ProductCard | None:
        """Pin the product explained now, or take the pin down."""
        require(actor, HOSTS)
        actor, door = await self._access.enter(actor, room)
        place = Place(tenant=door.tenant, room=room, at=self._ports.now_ms())

        def command(tx: Transaction) -> ProductCard | None:
            found = shop.find_product(tx, door.tenant, product) if product else None
            if product and found is None:
                raise Refused("no_such_product")
            card = card_of(found, at=place.at) if found else None
            rooms.set_pin(tx, room, product)
            going = rooms.broadcast_of(tx, room)
            explain(tx, place, product, going, new_id=self._ports.new_id)
            journal.append(tx, place, [ProductPinned(product=card)], new_id=self._ports.new_id)
            return card

        return await self._ports.store.run(command)

    async def place_order(self, actor: Actor, draft: OrderDraft, key: str) -> OrderReceipt:
        """Record a paid order; with a room it counts there and may be a ritual.

        Raises:
            Refused: `forbidden`, `no_such_room`, `no_such_product`, `invalid`, `out_of_stock`,
                `exists`, `idempotency_mismatch`.

        """
        require(actor, MERCHANTS)
        total_of(draft.lines)
        tenant = await self._tenant(actor, draft.room)
        at = self._ports.now_ms()

        def effect(tx: Transaction) -> OrderReceipt:
            known = shop.find_order(tx, tenant, draft.id)
            if known is not None:
                if known.fingerprint != keys.fingerprint_of(draft):
                    raise Refused("exists")
                return shop.receipt_of(known)
            bought = shop.bought_of(tx, tenant, draft.lines)
            return self._ordering.record(tx, tenant, draft, bought, at=at, takes_stock=True)

        def command(tx: Transaction) -> keys.Outcome:
            scope = keys.Scope(tenant=tenant, command="order", subject="", key=key)
            return keys.once(
                tx, scope, command=draft, at=at, answer_type=OrderReceipt, effect=effect
            )

        receipt: OrderReceipt = (await self._ports.store.run(command)).unwrap()
        self._profiles.forget(tenant, draft.user)
        return receipt

    async def checkout(
        self,
        actor: Actor,
        room: RoomId,
        wanted: Sequence[Wanted],
        key: str,
        means: Means = BEST,
    ) -> Checkout:
        """Reserve stock, coupons and points at the quote's price and open a payment."""
        return await self._checkouts.open(actor, room, wanted, key, means)

    async def cancel(self, actor: Actor, order: OrderId) -> bool:
        """Give a pending checkout up; False when it was not pending any more."""
        return await self._checkouts.cancel(actor, order)

    async def payment_settled(self, notice: PaymentNotice) -> OrderReceipt | None:
        """Turn a paid checkout into an order, once; None when nothing was ordered."""
        return await self._checkouts.settled(notice)

    async def expire_checkouts(self) -> int:
        """Return what nobody paid for in time to the shelf; returns how many checkouts."""
        return await self._checkouts.expire()

    async def _tenant(self, actor: Actor, room: RoomId | None) -> TenantId:
        if room is None:
            return await self._access.tenant(actor)
        return (await self._access.enter(actor, room))[1].tenant
