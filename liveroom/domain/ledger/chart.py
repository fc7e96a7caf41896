"""The chart of accounts: who holds what where. New money gets its names here.

| account | floor | holds |
|---|---|---|
| `user:U:UNIT:wallet` | 0 | what somebody can spend; in lots where terms matter |
| `…:wallet-reserved` | 0 | what holds have set aside of it |
| `OWNER:UNIT:debt` | – | what an owner owes, zero or negative |
| `host:H:coins:pending` | none | earned, not yet theirs: only lines, so gifts never queue |
| `host:H:coins:available` | 0 | earned and theirs |
| `platform:coins:fee` | none | the platform's share |
| `issuer:UNIT:issued` | none or -cap | the other side of what was issued: the liability |
| `breakage:UNIT:expired` | none | what ended unspent |
| `shop:stock/P:shelf` | 0 | units of a product for sale; `shelf-reserved` those in checkouts |
| `user:U:flash/P:sale-T` | -most | what of a flash sale somebody has had |
| `shop:stock/P:sold`, `supplier:stock/P:supplied` | none | where they went and came from |
"""

from liveroom.domain.ids import UserId
from liveroom.domain.ledger.accounts import Account, unit_of

COINS = "coins"
STOCK = "stock"
FLASH = "flash"

PLATFORM = Account("platform", COINS, "fee")
ISSUER = Account("issuer", COINS, "issued")


def wallet_of(user: UserId, unit: str = COINS) -> Account:
    """Name somebody's wallet of a unit: it never goes below zero."""
    return Account(f"user:{user}", unit, "wallet", floor=0)


def issuer_of(unit: str, *, cap: int | None = None) -> Account:
    """Name where a unit comes from; with a cap no more than that is ever issued.

    Give the same cap each time: the first bundle fixes it for the account.
    """
    return Account("issuer", unit, "issued", floor=None if cap is None else -cap)


def expired_of(unit: str) -> Account:
    """Name where what ended unspent goes."""
    return Account("breakage", unit, "expired")


def pending_of(host: str) -> Account:
    """Name what a host has earned from gifts and may not have yet."""
    return Account(f"host:{host}", COINS, "pending")


def available_of(host: str) -> Account:
    """Name what a host has earned and may have."""
    return Account(f"host:{host}", COINS, "available", floor=0)


def shelf_of(product: str) -> Account:
    """Name a product's units for sale."""
    return Account("shop", unit_of(STOCK, product), "shelf", floor=0)


def allowance_of(user: UserId, product: str, *, since: int, most: int) -> Account:
    """Name how many of a flash sale somebody may have; what they have is its negative."""
    return Account(f"user:{user}", unit_of(FLASH, product), f"sale-{since}", floor=-most)


def allowed_of(product: str) -> Account:
    """Name the other side of all allowances of a product's flash sales."""
    return Account("shop", unit_of(FLASH, product), "allowed")


def sold_of(product: str) -> Account:
    """Name a product's units that were sold."""
    return Account("shop", unit_of(STOCK, product), "sold")


def supplied_of(product: str) -> Account:
    """Name where a product's units come from and go to when the shop counts them anew."""
    return Account("supplier", unit_of(STOCK, product), "supplied")
