"""What a payment was for: goods or coins, told apart by the order it names."""

from liveroom.domain.coins import CoinReceipt
from liveroom.domain.ids import OrderId
from liveroom.domain.orders import OrderReceipt
from liveroom.service.coins import Coins
from liveroom.service.paying import PaymentNotice
from liveroom.service.shopping import Shopping


class Settling:
    """Hands the provider's word to whom it concerns."""

    def __init__(self, shopping: Shopping, coins: Coins) -> None:
        self._shopping = shopping
        self._coins = coins

    async def settled(self, notice: PaymentNotice) -> OrderId | None:
        """Settle a payment; returns the order it became, None when it changed nothing.

        Raises:
            Refused: `no_such_order`, `invalid`.

        """
        receipt: OrderReceipt | CoinReceipt | None
        if await self._coins.knows(notice.order):
            receipt = await self._coins.settled(notice)
            return None if receipt is None else receipt.order
        receipt = await self._shopping.payment_settled(notice)
        return None if receipt is None else receipt.id
