"""Rows of products, orders and checkouts, read and written inside a command."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Row, insert, select, update

from liveroom.domain.events import ProductCard
from liveroom.domain.ids import OrderId, ProductId, TenantId
from liveroom.domain.orders import CheckoutState, OrderDraft, OrderLine, OrderReceipt, Product
from liveroom.domain.refusals import Refused
from liveroom.store.dialect import insert_new, put
from liveroom.store.port import Transaction
from liveroom.store.tables import checkouts, order_lines, orders, products

PRODUCTS_LISTED_MAX: Final = 500
"""Products of one listing; older ones are left out."""
EXPIRED_MAX: Final = 200
"""Checkouts expired by one sweep; the rest waits for the next."""


def card_of(product: Product) -> ProductCard:
    """Show of a product what viewers see."""
    return ProductCard(id=product.id, title=product.title, price=product.price, stock=product.stock)


def put_product(tx: Transaction, tenant: TenantId, product: Product, *, at: int) -> None:
    """Write a product, new or in place of the old one."""
    changed = {
        "title": product.title,
        "price": product.price,
        "stock": product.stock,
        "category": product.category,
        "image": product.image,
    }
    values = {"tenant": tenant, "id": product.id, "created_at": at, **changed}
    put(tx, products, [values], replace=tuple(changed))


def find_product(tx: Transaction, tenant: TenantId, product: str) -> Product | None:
    """Read a product."""
    query = select(products).where(products.c.tenant == tenant, products.c.id == product)
    row = tx.execute(query).first()
    return _product_of(row) if row else None


def all_products(tx: Transaction, tenant: TenantId) -> list[Product]:
    """List a shop's products, oldest first."""
    query = select(products).where(products.c.tenant == tenant)
    ordered = query.order_by(products.c.created_at, products.c.id).limit(PRODUCTS_LISTED_MAX)
    return [_product_of(row) for row in tx.execute(ordered)]


def take_stock(tx: Transaction, tenant: TenantId, lines: Iterable[OrderLine]) -> list[Product]:
    """Take what is ordered off the shelves, all or nothing; returns the products by line.

    Rows are locked in order of product ids. The guard is in the update itself, so that two
    buyers of the last unit cannot both have it.
    """
    wanted = list(lines)
    amounts: Counter[ProductId] = Counter()
    for line in wanted:
        amounts[line.product] += line.quantity
    found: dict[ProductId, Product] = {}
    for product in sorted(amounts):
        known = find_product(tx, tenant, product)
        if known is None:
            raise Refused("no_such_product", f"There is no product {product}; create it first.")
        if known.stock is not None:
            _take(tx, tenant, product, amounts[product])
        found[product] = known
    return [found[line.product] for line in wanted]


def _take(tx: Transaction, tenant: TenantId, product: ProductId, quantity: int) -> None:
    taken = (
        update(products)
        .where(products.c.tenant == tenant, products.c.id == product)
        .where(products.c.stock >= quantity)
        .values(stock=products.c.stock - quantity)
    )
    if tx.execute(taken).rowcount != 1:
        raise Refused("out_of_stock")


def return_stock(tx: Transaction, tenant: TenantId, product: str, quantity: int) -> None:
    """Put a reservation back on the shelf; a product without a limit has no shelf."""
    tx.execute(
        update(products)
        .where(products.c.tenant == tenant, products.c.id == product)
        .where(products.c.stock.is_not(None))
        .values(stock=products.c.stock + quantity)
    )


def find_order(tx: Transaction, tenant: TenantId, order: OrderId) -> Row[Any] | None:
    """Read an order's head."""
    query = select(orders).where(orders.c.tenant == tenant, orders.c.id == order)
    return tx.execute(query).first()


def receipt_of(row: Row[Any]) -> OrderReceipt:
    """Give the answer to an order that was placed before."""
    return OrderReceipt(id=row.id, total=row.total, nth=row.nth, tier=row.tier)


def add_order(
    tx: Transaction,
    tenant: TenantId,
    draft: OrderDraft,
    bought: Sequence[Product],
    *,
    receipt: OrderReceipt,
    broadcast: str | None,
    fingerprint: str,
    at: int,
) -> bool:
    """Write an order with its lines; False when a twin took the id meanwhile."""
    head = {
        "tenant": tenant,
        "id": draft.id,
        "member": draft.user,
        "room": draft.room,
        "broadcast": broadcast,
        "total": receipt.total,
        "paid_at": at if draft.room else draft.paid_at,
        "placed_at": at,
        "fingerprint": fingerprint,
        "nth": receipt.nth,
        "tier": receipt.tier,
    }
    if not insert_new(tx, orders, head):
        return False
    rows = [
        {
            "tenant": tenant,
            "order_id": draft.id,
            "line": number,
            "product": line.product,
            "title": product.title,
            "category": product.category,
            "quantity": line.quantity,
            "unit_price": line.unit_price,
        }
        for number, (line, product) in enumerate(zip(draft.lines, bought, strict=True))
    ]
    tx.execute(insert(order_lines), rows)
    return True


def find_checkout(tx: Transaction, order: OrderId, *, lock: bool = False) -> Row[Any] | None:
    """Read a checkout; `lock` keeps a twin of the same payment notice waiting."""
    query = select(checkouts).where(checkouts.c.order_id == order)
    return tx.execute(query.with_for_update() if lock else query).first()


def move_checkout(
    tx: Transaction, order: OrderId, *, before: CheckoutState, after: CheckoutState
) -> bool:
    """Change a checkout's state; False when it was in another one meanwhile."""
    moved = update(checkouts).where(checkouts.c.order_id == order, checkouts.c.state == before)
    return tx.execute(moved.values(state=after)).rowcount == 1


def overdue(tx: Transaction, *, at: int) -> list[OrderId]:
    """List pending checkouts whose time is over."""
    query = select(checkouts.c.order_id).where(
        checkouts.c.state == CheckoutState.PENDING, checkouts.c.expires_at <= at
    )
    ordered = query.order_by(checkouts.c.expires_at).limit(EXPIRED_MAX)
    return list(tx.execute(ordered).scalars())


def _product_of(row: Row[Any]) -> Product:
    return Product(
        id=row.id,
        title=row.title,
        price=row.price,
        stock=row.stock,
        category=row.category,
        image=row.image,
    )
