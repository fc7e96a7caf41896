"""Rows of products, orders and checkouts, read and written inside a command."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Row, insert, literal, select, update

from liveroom.domain.ids import NewId, OrderId, ProductId, TenantId
from liveroom.domain.ledger import Bundle, Transfer, chart
from liveroom.domain.orders import (
    CheckoutState,
    Flash,
    GiftOffer,
    OrderDraft,
    OrderLine,
    OrderReceipt,
    Product,
)
from liveroom.domain.refusals import Refused
from liveroom.store import posting
from liveroom.store.dialect import insert_new, put
from liveroom.store.port import Transaction
from liveroom.store.tables import accounts, checkouts, order_lines, orders, products

PRODUCTS_LISTED_MAX: Final = 500
"""Products of one listing; older ones are left out."""
EXPIRED_MAX: Final = 200
"""Checkouts expired by one sweep; the rest waits for the next."""

_SHELF = literal("shop:stock/") + products.c.id + literal(":shelf")
_PRODUCTS = select(products, accounts.c.balance.label("stock")).outerjoin(
    accounts, (accounts.c.tenant == products.c.tenant) & (accounts.c.id == _SHELF)
)


def put_product(
    tx: Transaction, tenant: TenantId, product: Product, *, new_id: NewId, at: int
) -> None:
    """Write a product, new or in place of the old one, and count its shelf anew."""
    flash, gift = product.flash, product.gift
    changed = {
        "title": product.title,
        "price": product.price,
        "limited": product.stock is not None,
        "category": product.category,
        "image": product.image,
        "room_price": product.room_price,
        "flash_price": flash.price if flash else None,
        "flash_starts_at": flash.starts_at if flash else None,
        "flash_ends_at": flash.ends_at if flash else None,
        "flash_per_user": flash.per_user if flash else None,
        "gift_product": gift.product if gift else None,
        "gift_buy": gift.buy if gift else None,
        "gift_get": gift.get if gift else None,
    }
    values = {"tenant": tenant, "id": product.id, "created_at": at, **changed}
    put(tx, products, [values], replace=tuple(changed))
    if product.stock is not None:
        _count_shelf(tx, tenant, product.id, product.stock, new_id=new_id, at=at)


def _count_shelf(
    tx: Transaction, tenant: TenantId, product: ProductId, stock: int, *, new_id: NewId, at: int
) -> None:
    """Book the difference between what the shop says is there and what the books say."""
    shelf, supplier = chart.shelf_of(product), chart.supplied_of(product)
    more = stock - posting.lock(tx, tenant, [shelf]).balances[shelf.id].amount
    if more:
        ends = (supplier, shelf) if more > 0 else (shelf, supplier)
        transfer = Transfer(*ends, abs(more))
        bundle = Bundle(id=new_id(), cause="stock:counted", ref=product, transfers=(transfer,))
        posting.post_bundle(tx, tenant, bundle, at=at)


def find_product(tx: Transaction, tenant: TenantId, product: str) -> Product | None:
    """Read a product."""
    return find_products(tx, tenant, [product]).get(ProductId(product))


def find_products(
    tx: Transaction, tenant: TenantId, wanted: Collection[str]
) -> dict[ProductId, Product]:
    """Read products, with what is on their shelves."""
    query = _PRODUCTS.where(products.c.tenant == tenant, products.c.id.in_(wanted))
    return {row.id: _product_of(row) for row in tx.execute(query)}


def all_products(tx: Transaction, tenant: TenantId) -> list[Product]:
    """List a shop's products, oldest first."""
    query = _PRODUCTS.where(products.c.tenant == tenant)
    ordered = query.order_by(products.c.created_at, products.c.id).limit(PRODUCTS_LISTED_MAX)
    return [_product_of(row) for row in tx.execute(ordered)]


def bought_of(tx: Transaction, tenant: TenantId, lines: Sequence[OrderLine]) -> list[Product]:
    """Read the product of each line.

    Raises:
        Refused: `no_such_product`.

    """
    found = find_products(tx, tenant, {line.product for line in lines})
    for line in lines:
        if line.product not in found:
            raise Refused(
                "no_such_product", f"There is no product {line.product}; create it first."
            )
    return [found[line.product] for line in lines]


def take_stock(
    tx: Transaction,
    tenant: TenantId,
    lines: Sequence[OrderLine],
    bought: Sequence[Product],
    *,
    order: str,
    at: int,
) -> None:
    """Book what is ordered from the shelves to what was sold.

    All or nothing, in one bundle: its accounts are locked in order of names, and the floor
    keeps two buyers of the last unit from both having it.
    """
    amounts: Counter[ProductId] = Counter()
    for line, product in zip(lines, bought, strict=True):
        if product.stock is not None:
            amounts[line.product] += line.quantity
    if amounts:
        bundle = Bundle(
            id=f"{order}/sold",
            cause="stock:sold",
            ref=order,
            transfers=tuple(
                Transfer(chart.shelf_of(product), chart.sold_of(product), amount)
                for product, amount in sorted(amounts.items())
            ),
        )
        posting.post_bundle(tx, tenant, bundle, at=at)


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
    imported: bool,
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
        "imported": imported,
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
            "paid": line.paid,
            "gift_of": line.gift_of,
            "worth": product.price,
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
    flash = gift = None
    if row.flash_price is not None:
        flash = Flash(
            price=row.flash_price,
            starts_at=row.flash_starts_at,
            ends_at=row.flash_ends_at,
            per_user=row.flash_per_user,
        )
    if row.gift_product is not None:
        gift = GiftOffer(product=row.gift_product, buy=row.gift_buy, get=row.gift_get)
    return Product(
        id=row.id,
        title=row.title,
        price=row.price,
        stock=int(row.stock or 0) if row.limited else None,
        category=row.category,
        image=row.image,
        room_price=row.room_price,
        flash=flash,
        gift=gift,
    )
