"""Products, the pin, orders, and buying in the room."""

from liveroom.domain.actors import Actor
from liveroom.domain.events import ProductCard
from liveroom.domain.ids import OrderId, ProductId, RoomId, TenantId
from liveroom.domain.orders import Checkout, OrderDraft, OrderReceipt, Product
from liveroom.domain.refusals import Refused
from liveroom.service.paying import PaymentNotice
from liveroom.service.ports import Ports


class Shopping:
    """Sells."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def put_product(self, actor: Actor, product: Product) -> Product:
        """Create a product or replace it; needs no key."""
        raise Refused("unavailable")

    async def products(self, tenant: TenantId) -> list[Product]:
        """List a shop's products."""
        raise Refused("unavailable")

    async def products_of(self, actor: Actor | None, room: RoomId) -> list[Product]:
        """List what is sold in a room."""
        raise Refused("unavailable")

    async def pin(
        self, actor: Actor, room: RoomId, product: ProductId | None
    ) -> ProductCard | None:
        """Pin the product explained now, or take the pin down."""
        raise Refused("unavailable")

    async def place_order(self, actor: Actor, draft: OrderDraft, key: str) -> OrderReceipt:
        """Record a paid order; with a room it counts there and may be a ritual."""
        raise Refused("unavailable")

    async def checkout(
        self, actor: Actor, room: RoomId, product: ProductId, quantity: int, key: str
    ) -> Checkout:
        """Reserve stock at the server's price and open a payment."""
        raise Refused("unavailable")

    async def cancel(self, actor: Actor, order: OrderId) -> bool:
        """Give a pending checkout up; False when it was not pending any more."""
        raise Refused("unavailable")

    async def payment_settled(self, notice: PaymentNotice) -> OrderReceipt | None:
        """Turn a paid checkout into an order, once; None when nothing was ordered."""
        raise Refused("unavailable")
